// The code shown in docs/guide/testing.md, region by region, run as it stands. Last, the two are held together.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
// #region imports
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TopologyTestDriver } from '#libs/testing';
import type { TestInputTopic, TestOutputTopic } from '#libs/testing';
import '../src/jest.ts';
// #endregion
import { deadLetter } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import type { Windowed } from '#libs/serde';
import { Consumed, Grouped, Materialized, StreamsBuilder, TimeWindows, minutes } from '#libs/topology';

// #region topology
export interface Flight {
  readonly origin: string;
  readonly delay: number;
}

export function lateFlights(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('flights', Consumed.with(Serdes.string(), Serdes.json<Flight>()))
    .filter((_key, flight) => flight.delay > 15)
    .groupBy((_key, flight) => flight.origin, Grouped.as('by-origin', { keySerde: Serdes.string() }))
    .count(Materialized.as('late-flights'))
    .toStream()
    .to('late-flights-by-airport');
  return builder;
}
// #endregion

// #region first
describe('late flights', () => {
  let driver: TopologyTestDriver;
  let flights: TestInputTopic<string, Flight>;
  let late: TestOutputTopic<string, number>;

  beforeEach(async () => {
    driver = await TopologyTestDriver.start(lateFlights());
    flights = driver.inputTopic('flights', Serdes.string(), Serdes.json<Flight>());
    late = driver.outputTopic('late-flights-by-airport', Serdes.string(), Serdes.safeInteger());
  });

  afterEach(() => driver.close());

  it('are counted by airport', async () => {
    await flights.pipe('LH1', { origin: 'JFK', delay: 20 });
    await flights.pipe('LH2', { origin: 'JFK', delay: 3 });
    await flights.pipe('LH3', { origin: 'JFK', delay: 16 });
    expect(late).toHaveEmitted([
      ['JFK', 1],
      ['JFK', 2],
    ]);
  });
  // #endregion

  it('are piped in many ways', async () => {
    // #region piping
    await flights.pipe('LH1', { origin: 'JFK', delay: 20 }, { timestamp: 1_000, headers: { trace: 'abc' } });
    await flights.pipeAll([
      ['LH2', { origin: 'JFK', delay: 30 }],
      ['LH3', { origin: 'LAX', delay: 40 }, 2_000],
      { key: 'LH4', value: { origin: 'LAX', delay: 50 }, headers: { trace: 'def' } },
    ]);
    // #endregion
    expect(late.size).toBe(4);
    late.readAll();
    await flights.pipe('LH5', { origin: 'SFO', delay: 20 }, { timestamp: 3_000 });
    // #region reading
    const record = late.read();
    expect(record.key).toBe('SFO');
    expect(record.timestamp).toBe(3_000);
    expect(late.isEmpty).toBe(true);
    // #endregion
    // #region store
    const counts = driver.store<string, number>('late-flights');
    expect(await counts.get('JFK')).toBe(2);
    await expect(counts).toHaveState({ JFK: 2, LAX: 2, SFO: 1 });
    // #endregion
  });

  it('are compared in many ways', async () => {
    await flights.pipeAll([
      ['LH1', { origin: 'JFK', delay: 20 }, 1_000],
      { key: 'LH2', value: { origin: 'LAX', delay: 20 }, timestamp: 2_000, headers: { trace: 'abc' } },
      ['LH3', { origin: 'JFK', delay: 20 }, 3_000],
      ['LH4', { origin: 'JFK', delay: 20 }, 4_000],
    ]);
    // #region matchers
    expect(late).toHaveEmitted([
      ['JFK', 1, 1_000],
      { key: 'LAX', value: 1, headers: { trace: 'abc' } },
      ['JFK', expect.any(Number)],
      { key: 'JFK', timestamp: 4_000 },
    ]);
    expect(late).toHaveEmitted([]);
    // #endregion
  });
});

describe('time', () => {
  it('is the test’s', async () => {
    // #region time
    const builder = new StreamsBuilder();
    builder
      .stream('logins', Consumed.with(Serdes.string(), Serdes.string()))
      .groupByKey()
      .process({
        name: 'idle',
        valueSerde: Serdes.string(),
        onRecord(_login, context) {
          context.timers.setWallTime('idle', context.wallTime + minutes(30));
        },
        onTimer(_timer, context) {
          context.emit('idle');
        },
      })
      .to('idle-users');
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('logins', Serdes.string(), Serdes.string()).pipe('ann', 'web');
    const idle = driver.outputTopic('idle-users', Serdes.string(), Serdes.string());
    await driver.advanceWallClockTime(minutes(29));
    expect(idle).toHaveEmitted([]);
    await driver.advanceWallClockTime(minutes(1));
    expect(idle).toHaveEmitted([['ann', 'idle']]);
    // #endregion
  });

  it('closes windows', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('flights', Consumed.with(Serdes.string(), Serdes.json<Flight>()))
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(minutes(1), minutes(1)))
      .count(Materialized.as('per-minute'));
    await using driver = await TopologyTestDriver.start(builder);
    const flights = driver.inputTopic('flights', Serdes.string(), Serdes.json<Flight>());
    await flights.pipe('JFK', { origin: 'JFK', delay: 20 }, { timestamp: 10 });
    // #region windows
    const perMinute = driver.store<Windowed<string>, number>('per-minute');
    expect(await perMinute.get({ key: 'JFK', window: { start: 0, end: minutes(1) } })).toBe(1);
    // #endregion
  });
});

describe('crashes', () => {
  it('change nothing', async () => {
    // #region crash
    await using driver = await TopologyTestDriver.start(lateFlights(), { instances: 2, partitions: 3 });
    const flights = driver.inputTopic('flights', Serdes.string(), Serdes.json<Flight>());
    await flights.append('LH1', { origin: 'JFK', delay: 20 });
    await driver.step(5);
    await driver.crash(0);
    await driver.settle();
    await expect(driver.store('late-flights')).toHaveState({ JFK: 1 });
    await driver.restart(0);
    // #endregion
    expect(driver.tasksOf(0).length).toBeGreaterThan(0);
  });
});

describe('bad records', () => {
  it('go where they are sent', async () => {
    // #region dead-letter
    await using driver = await TopologyTestDriver.start(lateFlights(), {
      exceptionHandlers: { deserialization: deadLetter('dead-letters') },
    });
    await driver.inputTopic('flights', Serdes.string(), Serdes.string()).pipe('LH1', 'not JSON');
    const dead = driver.outputTopic('dead-letters', Serdes.string(), Serdes.string());
    expect(dead).toHaveEmitted([['LH1', 'not JSON']]);
    // #endregion
  });
});

describe('docs/guide/testing.md', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/testing.md'), 'utf8');
  const source = readFileSync(join(import.meta.dirname, 'guide.spec.ts'), 'utf8')
    .replaceAll("'#libs/testing'", "'millrace/testing'")
    .replaceAll("'../src/jest.ts'", "'millrace/testing/jest'");
  const shown = new Map(
    [...guide.matchAll(/<!-- snippet: ([\w-]+) -->\s*```ts\n(.*?)```/gs)].map((match): [string, string] => [
      match[1]!,
      match[2]!,
    ]),
  );
  const written = new Map(
    [...source.matchAll(/^( *)\/\/ #region ([\w-]+)\n(.*?)^ *\/\/ #endregion/gms)].map(
      (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
    ),
  );

  it('shows the code that runs here, and no other', () => {
    // What is cut off in the file is closed in the guide.
    written.set('first', `${written.get('first')!}});\n`);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });
});
