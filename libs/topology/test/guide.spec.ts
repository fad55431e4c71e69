import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Driver } from './driver.ts';
import { averageTopology, firstTopology, joinedTopology, splitTopology } from './guide-snippets.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/topology.md'), 'utf8');
const source = readFileSync(join(import.meta.dirname, 'guide-snippets.ts'), 'utf8');

const shown = new Map(
  [...guide.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map((match): [string, string] => [
    match[1]!,
    match[2]!,
  ]),
);
const written = new Map(
  [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
    (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
  ),
);

describe('docs/guide/topology.md', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });

  it('counts late flights', () => {
    const driver = new Driver(firstTopology());
    driver.pipe('flights', null, { origin: 'JFK', delay: 20 }, 1);
    driver.pipe('flights', null, { origin: 'JFK', delay: 3 }, 2);
    driver.pipe('flights', null, { origin: 'JFK', delay: 16 }, 3);
    expect(driver.lines('late-flights-by-airport')).toEqual(['JFK=1@1', 'JFK=2@3']);
  });

  it('joins flights with airports', () => {
    const driver = new Driver(joinedTopology());
    driver.pipe('airports', 'JFK', { city: 'New York' }, 1);
    driver.pipe('flights', 'f1', { origin: 'JFK', delay: 20 }, 2);
    expect(driver.lines('delays')).toEqual(['JFK=New York: 20@2']);
  });

  it('keeps mean delays', () => {
    const driver = new Driver(averageTopology());
    driver.pipe('flights', 'JFK', { origin: 'JFK', delay: 20 });
    driver.pipe('flights', 'JFK', { origin: 'JFK', delay: 10 });
    expect(driver.lines('mean-delays')).toEqual(['JFK=20@0', 'JFK=15@0']);
  });

  it('splits flights', () => {
    const driver = new Driver(splitTopology());
    for (const delay of [-5, 5, 50]) driver.pipe('flights', 'JFK', { origin: 'JFK', delay });
    expect(driver.outputs('on-time')).toHaveLength(2);
    expect(driver.outputs('late')).toHaveLength(1);
  });
});
