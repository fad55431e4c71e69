// Specifies that every record of a source with any policy ends where a model says, once, whatever fails how often and whatever becomes of the instances
// meanwhile; and that the state behind it counted each record that succeeded once.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Serdes } from '#libs/serde';
import { Consumed, FailurePolicy, Materialized, Produced, StreamsBuilder } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';

const text = Serdes.string();
const DELAY_MS = 10_000;
const PARTITIONS = 2;

interface Policy {
  /** Tries in place; 1: no retry in place. */
  readonly attempts: number;
  readonly delays: number;
  readonly then: 'skip' | 'deadLetter';
}

interface Given {
  readonly key: string;
  /** Moments of the wall clock, in delays from the start, before which the record fails; Infinity: always. */
  readonly healsAfter: number;
}

type Disturbance = 'none' | 'crash' | 'restart' | 'rebalance' | 'freeze';

function policyOf({ attempts, delays, then }: Policy): FailurePolicy {
  const last = then === 'skip' ? FailurePolicy.skip() : FailurePolicy.deadLetter('dead');
  const topics =
    delays === 0
      ? last
      : FailurePolicy.retryTopics({ delays: Array.from({ length: delays }, () => DELAY_MS), then: last });
  return attempts === 1
    ? topics
    : FailurePolicy.retry({ attempts, backoff: 50, then: topics, multiplier: 1 });
}

async function disturb(driver: TopologyTestDriver, what: Disturbance, events: number): Promise<void> {
  if (what === 'none') return;
  await driver.step(events);
  if (what === 'crash') {
    await driver.crash(0);
    await driver.restart(0);
  } else if (what === 'restart') await driver.restart(0);
  else if (what === 'rebalance') await driver.rebalance();
  else {
    driver.freeze(0);
    await driver.step(60);
    await driver.thaw(0);
  }
}

describe('records under any policy', () => {
  it('end where they must, once, in spite of any disturbance', async () => {
    const policy = fc.record({
      attempts: fc.integer({ min: 1, max: 3 }),
      delays: fc.integer({ min: 0, max: 3 }),
      then: fc.constantFrom<Policy['then']>('skip', 'deadLetter'),
    });
    const record = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      healsAfter: fc.constantFrom(0, 0, 0, 1, 2, 3, Infinity),
    });
    const disturbance = fc.record({
      what: fc.constantFrom<Disturbance>('none', 'none', 'crash', 'restart', 'rebalance', 'freeze'),
      events: fc.nat({ max: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(
        policy,
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.array(disturbance, { minLength: 4, maxLength: 4 }),
        async (given, records, disturbances) => {
          await expectModel(given, records, disturbances);
        },
      ),
      { numRuns: 30 },
    );
  }, 120_000);
});

async function expectModel(
  given: Policy,
  records: readonly Given[],
  disturbances: readonly { readonly what: Disturbance; readonly events: number }[],
): Promise<void> {
  let delaysPassed = 0;
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', Consumed.with(text, text, { failurePolicy: policyOf(given) }))
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, id, count) => {
        if (records[Number(id)]!.healsAfter > delaysPassed) throw new Error(`${id} fails`);
        return count + 1;
      },
      Materialized.as('counts', { keySerde: text, valueSerde: Serdes.json<number>() }),
    )
    .toStream()
    .to('counted', Produced.with(text, Serdes.json<number>()));
  await using driver = await TopologyTestDriver.start(builder, {
    instances: 2,
    partitions: { in: PARTITIONS, dead: 1, counted: 1 },
  });
  const input = driver.inputTopic('in', text, text);
  for (const [id, { key }] of records.entries()) await input.append(key, String(id));
  for (const [passed, { what, events }] of disturbances.entries()) {
    await disturb(driver, what, events);
    await driver.settle();
    if (passed === disturbances.length - 1) break;
    delaysPassed = passed + 1;
    await driver.advanceWallClockTime(DELAY_MS);
  }

  // What heals after so many delays succeeds if the policy goes on for so long.
  const succeeds = ({ healsAfter }: Given): boolean =>
    healsAfter <= Math.min(given.delays, disturbances.length - 1);
  const expected = new Map<string, number>();
  for (const each of records.filter(succeeds)) expected.set(each.key, (expected.get(each.key) ?? 0) + 1);
  const dead = records.flatMap((each, id) => (succeeds(each) ? [] : [String(id)]));
  expect(await driver.store<string, number>('counts').all()).toEqual(expected);
  if (given.then === 'deadLetter')
    expect(driver.outputTopic('dead', text, text).readValues().sort()).toEqual(dead.sort());
  else expect(driver.producedTopics).not.toContain('dead');
  // Each count of a key once, in order: nothing counted twice, nothing half.
  const counts = new Map<string, number[]>();
  for (const { key, value } of driver.outputTopic('counted', text, Serdes.json<number>()).readAll())
    counts.set(key!, [...(counts.get(key!) ?? []), value!]);
  for (const [key, count] of expected)
    expect(counts.get(key)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
}
