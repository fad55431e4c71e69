// docs/guide/time.md shows the code that runs here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import { minutes, seconds } from '#libs/topology';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { SOURCES, departures } from './guide-time-snippets.ts';
import { createRuntime, runToEnd } from './support.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/time.md'), 'utf8');
const source = readFileSync(join(import.meta.dirname, 'guide-time-snippets.ts'), 'utf8');
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

/** Late in the evening, some minutes before the next window. */
const EVENING = Math.floor(systemClock.now() / minutes(10)) * minutes(10) - minutes(60);
let broker: InProcessBroker;
let aheadMs = 0;
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() + aheadMs,
  monotonic: () => systemClock.monotonic() + aheadMs,
};

beforeEach(() => {
  aheadMs = 0;
  broker = new InProcessBroker();
  broker.createTopic('flights', 1);
  broker.createTopic('departures', 1);
});

function depart(...minutesAfter: number[]): void {
  broker.produce(
    'flights',
    0,
    minutesAfter.map((minute) => ({
      key: 'JFK',
      value: JSON.stringify({ origin: 'JFK', departedAt: EVENING + minutes(minute) }),
      timestamp: 0,
    })),
  );
}

/** The last byte of a number of eight. */
const counts = (): number[] => broker.records('departures', 0).map(({ value }) => value!.charCodeAt(7));

describe('the guide to time', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });

  it('closes windows by stream time, and calls the rest late', async () => {
    depart(1, 3, 11, 9);
    const runtime = await runToEnd(broker, departures(SOURCES.flights));
    expect(counts()).toEqual([2]);
    expect(runtime.figures!.droppedRecords).toBe(1);
  });

  it.each(['outOfOrder', 'withIdleAirports'] as const)(
    'waits for what is out of order (%s)',
    async (name) => {
      depart(1, 3, 11, 9, 13);
      const runtime = await runToEnd(broker, departures(SOURCES[name]));
      expect(counts()).toEqual([3]);
      expect(runtime.figures!.droppedRecords).toBe(0);
    },
  );

  it('goes by a generator of the user’s', async () => {
    depart(1, 9.5, 10.5, 9.7);
    await runToEnd(broker, departures(SOURCES.byTheMinute));
    expect(counts()).toEqual([2]);
  });

  it('closes the last window of the evening', async () => {
    depart(1, 9.8);
    const runtime = createRuntime(broker, departures(SOURCES.closingOverNight), { until: 'stopped', clock });
    await runtime.start();
    while (broker.committed.get('flights-0')?.offset !== 2) await turn();
    expect(counts()).toEqual([]);
    aheadMs += seconds(40);
    while (counts().length === 0) await turn();
    await runtime.stop();
    expect(counts()).toEqual([2]);
  });

  it('does not let a flight of the next century move time', async () => {
    depart(1, 50_000_000, 3, 11);
    const runtime = await runToEnd(broker, departures(SOURCES.withoutFuture));
    expect(counts()).toEqual([2]);
    expect(runtime.figures!.droppedRecords).toBe(1);
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
