// docs/guide/{keyed-processing,async,patterns}.md show the code that runs here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Driver } from './driver.ts';
import { asyncTopology, idleTopology, patternTopology, rulesTopology } from './guide-keyed-snippets.ts';

const shown = new Map<string, string>();
for (const page of ['keyed-processing', 'async', 'patterns']) {
  const text = readFileSync(join(import.meta.dirname, `../../../docs/guide/${page}.md`), 'utf8');
  for (const [, name, code] of text.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)) {
    shown.set(name!, code!);
  }
}
const source = readFileSync(join(import.meta.dirname, 'guide-keyed-snippets.ts'), 'utf8');
const written = new Map(
  [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
    (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
  ),
);

describe('the guide to keyed processing', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
  });

  it('tells of accounts that went idle', () => {
    const driver = new Driver(idleTopology());
    driver.pipe('payments', 'a', { amount: 2 }, 1_000);
    driver.pipe('payments', 'a', { amount: 3 }, 2_000);
    driver.pipe('payments', 'b', { amount: 1 }, 70_000);
    expect(driver.lines('idle-accounts')).toEqual(['a=idle: 5 in 2 payments@62000']);
  });

  it('holds payments to the limits of their accounts', () => {
    const driver = new Driver(rulesTopology());
    driver.pipe('limits', 'a', { amount: 10 });
    driver.pipe('payments', 'a', { amount: 10 });
    driver.pipe('payments', 'a', { amount: 11 });
    expect(driver.lines('accepted')).toEqual(['a={"amount":10}@0']);
    expect(driver.lines('refused')).toEqual(['a={"amount":11}@0']);
  });

  it('asks for rates', async () => {
    const driver = new Driver(asyncTopology(async (currency) => (currency === 'USD' ? 0.5 : 1)));
    driver.pipe('orders', 'o1', { currency: 'USD', amount: 4 }, 7);
    for (let turn = 0; turn < 6; turn++) await Promise.resolve();
    driver.settle();
    expect(driver.lines('orders-in-euros')).toEqual(['o1={"euros":2}@7']);
  });

  it('finds probing payments', () => {
    const driver = new Driver(patternTopology());
    for (const [index, amount] of [0.5, 0.7, 20, 900].entries()) {
      driver.pipe('payments', 'a', { amount }, index * 1_000);
    }
    expect(driver.lines('alerts')).toEqual(['a={"tries":2,"amount":900,"tookMs":3000}@3000']);
  });
});
