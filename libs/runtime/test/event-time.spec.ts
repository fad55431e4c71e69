import { beforeEach, describe, expect, it } from '@jest/globals';
import { EpochAbortedError, orderedTime, systemClock } from '#libs/core';
import type { BinaryString, Clock } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { Consumed, StreamsBuilder, WatermarkStrategy } from '#libs/topology';
import type { SourceSpec, TaskPorts, Topology } from '#libs/topology';
import { decodeOffsetMetadata, logAndContinue } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { encodeText, handMade, orderedStore } from './hand-made.ts';
import type { HandMade } from './hand-made.ts';
import { createRuntime, runToEnd } from './support.ts';

let broker: InProcessBroker;
let aheadMs: number;
/** The system's clock, put forward by `aheadMs`. */
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() + aheadMs,
  monotonic: () => systemClock.monotonic() + aheadMs,
};

beforeEach(() => {
  aheadMs = 0;
  broker = new InProcessBroker();
  for (const topic of ['in', 'left', 'right', 'out']) broker.createTopic(topic, 1);
});

/** Holds each record until time has passed it, then emits it; a late one is emitted at once, as such. */
function holding(ports: TaskPorts): HandMade {
  const rows = ports.orderedStore('rows');
  const sink = ports.sink(0);
  const all = '' as BinaryString;
  const emit = (now: number): void => {
    rows.range(all, null, orderedTime(now), (row) => {
      const [value, timestamp] = String(rows.value(row)).split(' ');
      sink.send(value, `at ${now}`, Number(timestamp));
      rows.set(row, null, now);
    });
  };
  const clock = ports.clock('holding', emit);
  return {
    process: (_key, value, timestamp) => {
      const now = clock.observe(timestamp);
      if (timestamp < now) {
        sink.send(value, `late at ${now}`, timestamp);
        return;
      }
      const suffix = (orderedTime(timestamp) + encodeText(String(value))) as BinaryString;
      rows.set(rows.row(all, suffix), `${String(value)} ${timestamp}`, timestamp);
      emit(now);
    },
  };
}

const held = (
  watermarks: SourceSpec['watermarks'],
  topics: readonly string[] = ['in'],
  source: Partial<SourceSpec> = {},
): Topology =>
  handMade(holding, { topics, stores: [orderedStore('rows')], source: { watermarks, ...source } });

function produce(topic: string, ...timestamps: number[]): void {
  broker.produce(
    topic,
    0,
    timestamps.map((timestamp) => ({ key: 'k', value: `${topic}-${timestamp}`, timestamp })),
  );
}

const outputs = (): string[] =>
  broker.records('out', 0).map(({ key, value }) => `${String(key)} ${String(value)}`);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('watermarks', () => {
  it('let a record be late against the watermark before it, and operators go on right after it', async () => {
    produce('in', 100, 95, 110, 99, 104, 120);
    await runToEnd(broker, held(WatermarkStrategy.boundedOutOfOrderness(10)));
    expect(outputs()).toEqual(['in-95 at 100', 'in-99 late at 100', 'in-100 at 110', 'in-104 at 110']);
  });

  it('are those of the partition furthest behind', async () => {
    produce('left', 10, 20, 30, 40);
    produce('right', 15, 25);
    await runToEnd(broker, held(WatermarkStrategy.monotonous(), ['left', 'right']));
    expect(outputs()).toEqual(['left-10 at 15', 'right-15 at 20', 'left-20 at 25']);
    expect(decodeOffsetMetadata(broker.committed.get('left-0')!.metadata)!.eventTime).toBe(25);
  });

  it('are not held back by a partition that is idle; when all are, the one furthest on counts', async () => {
    produce('left', 10, 20, 30);
    const topology = held(WatermarkStrategy.monotonous().withIdleness(1_000), ['left', 'right']);
    const runtime = createRuntime(broker, topology, { until: 'stopped', clock });
    await runtime.start();
    await until(() => broker.committed.get('left-0')?.offset === 3);
    expect(outputs()).toEqual([]);
    aheadMs += 1_000;
    await until(() => outputs().length === 2);
    expect(outputs()).toEqual(['left-10 at 30', 'left-20 at 30']);
    // It is back, and behind: its records are late.
    produce('right', 12, 40);
    await until(() => outputs().length === 4);
    await runtime.stop();
    expect(outputs().slice(2)).toEqual(['right-12 late at 30', 'left-30 at 40']);
  });

  it('go on after a restart where they were committed', async () => {
    produce('in', 100, 200);
    await runToEnd(broker, held(WatermarkStrategy.boundedOutOfOrderness(10)));
    produce('in', 150, 195, 230);
    await runToEnd(broker, held(WatermarkStrategy.boundedOutOfOrderness(10)));
    expect(outputs()).toEqual(['in-100 at 190', 'in-150 late at 190', 'in-195 at 220', 'in-200 at 220']);
  });

  it.each([0, 2])(
    'emit exactly once when commit %i and a later one are abandoned',
    async (at) => {
      const count = 16_000;
      broker.produce(
        'in',
        0,
        Array.from({ length: count }, (_, i) => ({ key: 'k', value: `v${i}`, timestamp: 1_000 + (i ^ 3) })),
      );
      let commits = 0;
      broker.onCommit = () => {
        const commit = commits++;
        if (commit === at || commit === at + 3)
          throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' });
      };
      await runToEnd(broker, held(WatermarkStrategy.boundedOutOfOrderness(10)), { commitIntervalMs: 1 });
      expect(commits).toBeGreaterThan(at + 3);
      const last = 1_000 + count - 1 - 10;
      expect(broker.records('out', 0).map(({ timestamp }) => timestamp)).toEqual(
        Array.from({ length: last - 1_000 }, (_, i) => 1_000 + i),
      );
    },
    60_000,
  );

  it('are inherited by repartition topics', () => {
    const text = Serdes.string();
    const builder = new StreamsBuilder();
    const watermarks = WatermarkStrategy.boundedOutOfOrderness(5).withIdleness(50);
    builder
      .stream('in', Consumed.with(text, text, { watermarks }))
      .groupBy((_key, value) => value, { name: 'by-value', keySerde: text })
      .count({ name: 'counts', valueSerde: Serdes.json<number>() })
      .toStream()
      .to('out');
    const sources = builder.build().subTopologies.flatMap((sub) => sub.sources);
    expect(sources.map((source) => source.watermarks)).toEqual([watermarks, watermarks]);
  });

  it('are refused when their options make no sense', () => {
    const text = Serdes.string();
    const builder = new StreamsBuilder();
    const watermarks = WatermarkStrategy.boundedOutOfOrderness(-1).withIdleness(0);
    const futureTimestamps = { aheadMsMax: Number.NaN, policy: 'ignore' as 'drop' };
    builder.stream('in', Consumed.with(text, text, { watermarks, futureTimestamps })).to('out');
    expect(() => builder.build()).toThrow(/bound of watermarks[^]*idleness[^]*aheadMsMax[^]*policy/);
  });
});

describe('a wall-clock bound', () => {
  it('moves stream time on with the wall clock once all inputs are quiet, and only then', async () => {
    produce('in', 10_000, 10_500);
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const topology = held(WatermarkStrategy.streamTime().withWallClockBound(2_000));
    const options = { until: 'stopped', clock, backend } as const;
    const runtime = createRuntime(broker, topology, options);
    await runtime.start();
    await until(() => outputs().length === 1);
    expect(outputs()).toEqual(['in-10000 at 10500']);
    aheadMs += 3_000;
    await until(() => outputs().length === 2);
    const [value, at = ''] = outputs()[1]!.split(' at ');
    expect(value).toBe('in-10500');
    expect(Number(at)).toBeGreaterThanOrEqual(13_500);
    expect(Number(at)).toBeLessThan(20_000);
    // Event time stays where it was moved to, also over a restart.
    await runtime.stop();
    produce('in', 11_000);
    await runToEnd(broker, topology, { clock, backend });
    expect(outputs()[2]).toBe(`in-11000 late at ${at}`);
  });

  it('does not move time that was never known', async () => {
    const topology = held(WatermarkStrategy.streamTime().withWallClockBound(30_000));
    const runtime = createRuntime(broker, topology, { until: 'stopped', clock });
    await runtime.start();
    aheadMs += 60_000;
    await new Promise((resolve) => setTimeout(resolve, 20));
    produce('in', 5);
    await until(() => broker.committed.get('in-0')?.offset === 1);
    await runtime.stop();
    expect(outputs()).toEqual([]);
  });
});

describe('a timestamp in the future', () => {
  const hour = 3_600_000;
  const now = systemClock.now();
  const limits = (policy: 'fail' | 'drop' | 'clamp'): Topology =>
    held(null, ['in'], { futureTimestamps: { aheadMsMax: hour, policy } });

  it('is dropped and does not move time', async () => {
    produce('in', now, now + 2 * hour, now + 1);
    const runtime = await runToEnd(broker, limits('drop'));
    expect(outputs()).toEqual([`in-${now} at ${now + 1}`]);
    expect(runtime.figures!.droppedRecords).toBe(1);
    expect(broker.committed.get('in-0')!.offset).toBe(3);
  });

  it('is clamped to the wall clock', async () => {
    produce('in', now - hour, now + 2 * hour);
    await runToEnd(broker, limits('clamp'));
    const [line] = outputs();
    const at = Number(line!.split(' at ')[1]);
    expect(line).toMatch(new RegExp(`^in-${now - hour} at `));
    expect(at).toBeGreaterThanOrEqual(now);
    expect(at).toBeLessThan(now + hour);
  });

  it('fails as what cannot be deserialized, for its exception handler', async () => {
    produce('in', now, now + 2 * hour, now + 1);
    const runtime = createRuntime(broker, limits('fail'));
    await runtime.start();
    await expect(runtime.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_FUTURE_TIMESTAMP',
      context: { topic: 'in', offset: 1, stage: 'deserialization' },
    });
    await runToEnd(broker, limits('fail'), { exceptionHandlers: { deserialization: logAndContinue } });
    expect(outputs()).toEqual([`in-${now} at ${now + 1}`]);
  });

  it('does not hold its partition back behind others', async () => {
    produce('left', now + 2 * hour, 10);
    produce('right', 5, 20);
    await runToEnd(
      broker,
      handMade(
        (ports) => ({
          process: (_key, value, timestamp) => ports.sink(0).send('k', value, timestamp),
        }),
        { topics: ['left', 'right'], source: { futureTimestamps: { aheadMsMax: hour, policy: 'drop' } } },
      ),
    );
    expect(broker.records('out', 0).map(({ timestamp }) => timestamp)).toEqual([5, 10, 20]);
  });
});
