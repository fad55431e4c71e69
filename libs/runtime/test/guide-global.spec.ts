// docs/guide/global-tables.md shows the code that runs here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { inEuros } from './guide-global-snippets.ts';
import { runToEnd } from './support.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/global-tables.md'), 'utf8');
const source = readFileSync(join(import.meta.dirname, 'guide-global-snippets.ts'), 'utf8');
const shown = [...guide.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map(
  (match): [string, string] => [match[1]!, match[2]!],
);
const written = [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
  (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
);

describe('the guide to global tables', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.length);
  });

  it('joins by a key of its own, whatever the partitions', async () => {
    const broker = new InProcessBroker();
    broker.createTopic('rates', 3);
    broker.createTopic('payments', 2);
    broker.createTopic('euros', 1);
    broker.produce('rates', 2, [{ key: 'USD', value: '0.5', timestamp: 1 }]);
    broker.produce('payments', 1, [
      { key: 'p1', value: '{"currency":"USD","amount":10}', timestamp: 2 },
      { key: 'p2', value: '{"currency":"CHF","amount":10}', timestamp: 3 },
    ]);
    await runToEnd(broker, inEuros());
    expect(broker.records('euros', 0).map(({ key, value }) => [key, value])).toEqual([['p1', '5']]);
  });
});
