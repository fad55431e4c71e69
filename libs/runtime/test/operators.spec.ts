// Real operators behind the real runtime: whatever epochs are abandoned, however small the cache, however often the process starts
// anew with nothing on its disk, the outputs are those of an undisturbed run.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError } from '#libs/core';
import { Serdes, WindowedSerdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import {
  Consumed,
  JoinWindows,
  Materialized,
  State,
  StreamJoined,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  WatermarkStrategy,
} from '#libs/topology';
import type { Topology } from '#libs/topology';
import { logAndContinue } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { runToEnd } from './support.ts';
import type { RunOptions } from './support.ts';

const text = Serdes.string();
const number = Serdes.json<number>();
const consumed = Consumed.with(text, number);
const ROUNDS = 4;
const ROUND_RECORDS = 1_000;
const KEYS = 400;

const build = (draw: (builder: StreamsBuilder) => void): Topology => {
  const builder = new StreamsBuilder();
  draw(builder);
  return builder.build();
};

const TOPOLOGIES: Readonly<Record<string, () => Topology>> = {
  'windowed counts': () =>
    build((builder) => {
      builder
        .stream('in', consumed)
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(50, 20))
        .count(Materialized.as('counts', { keySerde: text, valueSerde: number }))
        .toStream()
        .to('out', { keySerde: WindowedSerdes.timeWindowed(text, 50), valueSerde: number });
    }),
  'suppressed windowed counts by watermarks': () =>
    build((builder) => {
      builder
        .stream(
          'in',
          Consumed.with(text, number, { watermarks: WatermarkStrategy.boundedOutOfOrderness(30) }),
        )
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(50))
        .count(Materialized.as('counts', { keySerde: text, valueSerde: number }))
        .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName('final'))
        .toStream()
        .to('out', { keySerde: WindowedSerdes.timeWindowed(text, 50), valueSerde: number });
    }),
  'a stream-stream left join': () =>
    build((builder) => {
      const left = builder.stream('in', consumed);
      const right = builder.stream('other', consumed);
      left
        .leftJoin(
          right,
          (a, b) => `${a} ${b ?? 'alone'}`,
          JoinWindows.ofTimeDifferenceAndGrace(5, 10),
          StreamJoined.as('joined', { keySerde: text, valueSerde: number, otherValueSerde: number }),
        )
        .to('out', { keySerde: text, valueSerde: text });
    }),
  'keyed timers': () =>
    build((builder) => {
      builder
        .stream('in', consumed)
        .groupByKey()
        .process({
          name: 'idle',
          state: { count: State.value(number) },
          onRecord(value, context) {
            context.state.count.set((context.state.count.get() ?? 0) + value);
            context.timers.setEventTime('idle', context.timestamp + 40);
          },
          onTimer(timer, context) {
            const count = context.state.count.get();
            if (count !== null && count % 7 === 0) throw new Error('a seventh');
            context.emit(`${count ?? 0} at ${timer.time}`);
            context.state.count.set(0);
          },
        })
        .mapValues((value) => JSON.stringify(value))
        .to('out', { keySerde: text, valueSerde: text });
    }),
  'ordered calls': () =>
    build((builder) => {
      builder
        .stream('in', consumed)
        .mapAsync((value) => new Promise<number>((resolve) => setImmediate(() => resolve(value * 2))), {
          name: 'double',
          keySerde: text,
          valueSerde: number,
          resultSerde: number,
        })
        .to('out', { keySerde: text, valueSerde: number });
    }),
};

function produceRound(broker: InProcessBroker, round: number): void {
  for (const topic of ['in', 'other']) {
    const records = [];
    for (let i = 0; i < ROUND_RECORDS; i++) {
      const n = round * ROUND_RECORDS + i;
      const jitter = (n * 37) % 23;
      const key = `k${(n * (topic === 'in' ? 7 : 3)) % KEYS}`;
      records.push({ key, value: String(n % 100), timestamp: 1_000 + n - jitter });
    }
    broker.produce(topic, 0, records);
  }
}

function newBroker(): InProcessBroker {
  const broker = new InProcessBroker();
  for (const topic of ['in', 'other', 'out']) broker.createTopic(topic, 1);
  return broker;
}

const outputs = (broker: InProcessBroker): string[] =>
  broker
    .records('out', 0)
    .map(({ key, value, timestamp }) => `${JSON.stringify(key)}=${String(value)}@${timestamp}`);

const options: RunOptions = { exceptionHandlers: { processing: logAndContinue } };

async function undisturbed(topology: Topology): Promise<string[]> {
  const broker = newBroker();
  for (let round = 0; round < ROUNDS; round++) {
    produceRound(broker, round);
    await runToEnd(broker, topology, options);
  }
  return outputs(broker);
}

/** Every third commit is abandoned, in ever other places; of each second of those only the answer is lost. */
function disturb(broker: InProcessBroker, seed: number): { readonly abandoned: number } {
  const counted = { abandoned: 0 };
  let commits = seed;
  const aborted = (): Error => new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' });
  broker.onCommit = () => {
    if (commits % 6 === 2) {
      commits++;
      counted.abandoned++;
      throw aborted();
    }
  };
  const client = broker.client();
  const create = client.createTransactionalWriter.bind(client);
  client.createTransactionalWriter = (given) => {
    const writer = create(given);
    const commit = writer.commit.bind(writer);
    writer.commit = async (offsets, group) => {
      const result = await commit(offsets, group);
      if (commits++ % 6 !== 5) return result;
      counted.abandoned++;
      throw aborted();
    };
    return writer;
  };
  broker.client = () => client;
  return counted;
}

describe.each(Object.entries(TOPOLOGIES))('%s', (_name, topology) => {
  it.each([
    ['an empty disk', false, 0],
    ['the state on its disk', true, 1],
  ])(
    'come to the same through abandoned epochs and starts with %s',
    async (_what, survives, seed) => {
      const expected = await undisturbed(topology());
      expect(expected.length).toBeGreaterThan(100);
      const broker = newBroker();
      const disturbances = disturb(broker, seed);
      const backend = createMemoryStateBackend({ survivesReopen: survives });
      for (let round = 0; round < ROUNDS; round++) {
        produceRound(broker, round);
        await runToEnd(broker, topology(), {
          ...options,
          backend: survives ? backend : createMemoryStateBackend(),
          cacheBytesMax: 1,
          commitIntervalMs: 1,
          epochBytesMax: 20_000,
        });
      }
      expect(disturbances.abandoned).toBeGreaterThan(1);
      expect(outputs(broker)).toEqual(expected);
    },
    30_000,
  );
});
