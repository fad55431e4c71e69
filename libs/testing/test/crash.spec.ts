// Specifies that results do not depend on what becomes of the instances: an application that is killed at any point and started again
// gives, record by record, what an undisturbed run gives.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Materialized, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import type { TopologyTestDriverOptions } from '../src/index.ts';
import { number, text } from './topologies.ts';

interface Input {
  readonly key: string;
  readonly value: number;
}

const inputs: readonly Input[] = Array.from({ length: 24 }, (_, i) => ({
  key: `k${(i * 7) % 5}`,
  value: i + 1,
}));

/** A sum per key, then the sums counted by their last digit: two stateful sub-topologies with a topic between them. */
function digits(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, value, sum) => sum + value,
      Materialized.as('sums', { keySerde: text, valueSerde: number }),
    )
    .toStream()
    .groupBy((_key, sum) => `d${sum % 3}`, Grouped.as('by-digit', { keySerde: text, valueSerde: number }))
    .count(Materialized.as('digits'))
    .toStream()
    .to('digits');
  return builder.build();
}

type Results = readonly (readonly [string | null, number | null, number])[];

interface Run {
  readonly digits: Results;
  readonly sums: ReadonlyMap<unknown, unknown>;
}

async function run(
  options: TopologyTestDriverOptions,
  disturb: (driver: TopologyTestDriver, i: number) => Promise<void> = () => Promise.resolve(),
): Promise<Run> {
  await using driver = await TopologyTestDriver.start(digits(), options);
  const input = driver.inputTopic('orders', text, number);
  for (const [i, { key, value }] of inputs.entries()) {
    await input.append(key, value, { timestamp: 1_000 + i });
    await disturb(driver, i);
    await driver.settle();
  }
  const output = driver.outputTopic('digits', text, Serdes.safeInteger());
  return {
    digits: output.readAll().map(({ key, value, timestamp }) => [key, value, timestamp] as const),
    sums: await driver.store('sums').all(),
  };
}

describe('a crash', () => {
  it('of the only instance before each record changes nothing', async () => {
    const expected = await run({});
    const disturbed = await run({}, async (driver) => {
      await driver.crash();
      await driver.restart();
    });
    expect(disturbed).toEqual(expected);
  });

  it('in the middle of an epoch changes nothing', async () => {
    const expected = await run({});
    for (const events of [1, 2, 3, 5, 8, 11, 15, 20, 27]) {
      const disturbed = await run({}, async (driver) => {
        await driver.step(events);
        await driver.crash();
        await driver.restart();
      });
      expect(disturbed).toEqual(expected);
    }
  });

  it('of any instance at any event, followed by any other disturbance, changes nothing', async () => {
    const disturbance = fc.record({
      at: fc.nat({ max: inputs.length - 1 }),
      events: fc.nat({ max: 40 }),
      what: fc.constantFrom('crash', 'restart', 'freeze', 'rebalance', 'add', 'remove'),
      instance: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(disturbance, { maxLength: 4 }),
        async (instances, partitions, disturbances) => {
          const options = { instances, partitions };
          const expected = await run({ partitions });
          const disturbed = await run(options, async (driver, i) => {
            for (const { at, events, what, instance } of disturbances) {
              if (at !== i) continue;
              if (events > 0) await driver.step(events);
              await disturb(driver, what, instance % driver.instanceCount);
            }
          });
          expect(ordered(disturbed, partitions)).toEqual(ordered(expected, partitions));
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);
});

async function disturb(driver: TopologyTestDriver, what: string, instance: number): Promise<void> {
  if (what === 'crash') {
    await driver.crash(instance);
    await driver.restart(instance);
  } else if (what === 'restart') await driver.restart(instance);
  else if (what === 'rebalance') await driver.rebalance();
  else if (what === 'add') await driver.addInstance();
  else if (what === 'remove' && driver.instanceCount > 1) {
    await driver.removeInstance(instance);
    await driver.restart(instance);
  } else if (what === 'freeze') {
    driver.freeze(instance);
    await driver.step(60);
    await driver.thaw(instance);
  }
}

/** Records of different keys have no order among each other over several partitions. */
function ordered({ digits: results, sums }: Run, partitions: number): Run {
  if (partitions === 1) return { digits: results, sums };
  return { digits: results.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)), sums: new Map(sums) };
}
