// Specifies that what comes of many records stays in their traces: what a window emits as it closes, what was held back, what a timer or a
// punctuation emits and what an aggregate becomes carries the trace of the newest record that fed it and links to those before, through a
// repartition topic and into the span of whoever reads it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import {
  BufferConfig,
  Consumed,
  EmitStrategy,
  JoinWindows,
  Materialized,
  Produced,
  Serdes,
  SessionWindows,
  SimulatedKafka,
  SlidingWindows,
  State,
  StreamJoined,
  StreamsApplication,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  silentLogger,
} from '#libs/millrace';
import type { KStream, Processor, RecordHeader } from '#libs/millrace';
import { registerTraces } from '../src/index.ts';

const text = Serdes.string();
const number = Serdes.json<number>();

/** Of the record that a test calls by a letter. */
const trace = (letter: string): string => letter.charCodeAt(0).toString(16).padStart(32, '0');
const parent = (letter: string): string => letter.charCodeAt(0).toString(16).padStart(16, '0');
const context = (letter: string): string => `00-${trace(letter)}-${parent(letter)}-01`;

let kafka: SimulatedKafka;
let application: StreamsApplication;
let exporter: InMemorySpanExporter;
let provider: TracerProvider;
/** Headers of the results. */
let seen: (readonly RecordHeader[])[];

beforeEach(() => {
  kafka = new SimulatedKafka();
  for (const topic of ['orders', 'others', 'results']) kafka.createTopic(topic, 1);
  seen = [];
  exporter = new InMemorySpanExporter();
  provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
});

afterEach(async () => {
  await application.stop();
  await provider.shutdown();
});

interface Sent {
  readonly key: string;
  readonly at: number;
  /** Its trace; left out: none. */
  readonly by?: string;
}

/** `null`: a session that others took up. */
type Draw = (
  orders: KStream<string, number>,
  builder: StreamsBuilder,
) => KStream<string, number> | KStream<string, number | null>;

/** The topology between a repartition topic in front and one behind. */
async function start(draw: Draw, traced = true): Promise<void> {
  const builder = new StreamsBuilder();
  const serdes = { keySerde: text, valueSerde: number };
  const orders = builder
    .stream('orders', Consumed.with(text, number))
    .repartition({ name: 'front', ...serdes });
  (draw(orders, builder) as KStream<string, number>)
    .repartition({ name: 'behind', ...serdes })
    .peek((_key, _value, { headers }) => seen.push(headers()))
    .to('results', Produced.with(text, number));
  application = new StreamsApplication({
    applicationId: 'traced',
    kafka,
    topology: builder,
    state: 'memory',
    instanceId: 'one',
    logger: silentLogger,
  });
  if (traced) registerTraces({ applications: [application], tracerProvider: provider });
  await application.start();
  await application.whenRunning();
}

async function send(records: readonly Sent[]): Promise<void> {
  for (const { key, at, by } of records) {
    const headers = by === undefined ? [] : [{ key: 'traceparent', value: Buffer.from(context(by)) }];
    kafka.publish('orders', [{ key, value: '1', timestamp: at, headers }]);
    // One after the other, as their times are.
    await read();
  }
}

async function read(): Promise<void> {
  const topics = ['orders', 'traced-front-repartition', 'traced-behind-repartition'];
  while (kafka.lag('traced', topics) > 0) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** The spans of whoever reads the results: the trace they are in, and the links beside that to the epoch. */
function results(): { readonly trace: string; readonly links: readonly string[] }[] {
  const spans: ReadableSpan[] = exporter.getFinishedSpans();
  return spans
    .filter(({ name }) => name === 'process traced-behind-repartition')
    .map((span) => ({
      trace: span.spanContext().traceId,
      links: span.links.slice(1).map(({ context: linked }) => linked.traceId),
    }));
}

const closing = EmitStrategy.onWindowClose();

describe('what comes of many records', () => {
  it.each<[string, Draw]>([
    [
      'a tumbling window',
      (orders) =>
        orders
          .groupByKey()
          .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
          .emitStrategy(closing)
          .count(Materialized.as('windows'))
          .toStream((windowed) => windowed.key),
    ],
    [
      'a session',
      (orders) =>
        orders
          .groupByKey()
          .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(500))
          .emitStrategy(closing)
          .count(Materialized.as('windows'))
          .toStream((windowed) => windowed.key),
    ],
    [
      'a sliding window',
      (orders) =>
        orders
          .groupByKey()
          .windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(500))
          .emitStrategy(closing)
          .count(Materialized.as('windows'))
          .toStream((windowed) => windowed.key),
    ],
    [
      'a window held back until it closes',
      (orders) =>
        orders
          .groupByKey()
          .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
          .count(Materialized.as('windows'))
          .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('held'))
          .toStream((windowed) => windowed.key),
    ],
    [
      'an update held back for a time',
      (orders) =>
        orders
          .groupByKey()
          .count(Materialized.as('counts'))
          .suppress(Suppressed.untilTimeLimit(800, BufferConfig.unbounded()).withName('held'))
          .toStream(),
    ],
    [
      'a keyed timer',
      (orders) =>
        orders.groupByKey().process({
          name: 'timer',
          state: { count: State.reducing(Serdes.float64(), (a, b) => a + b) },
          valueSerde: number,
          onRecord(_value, { state, timers, timestamp }) {
            state.count.add(1);
            timers.setEventTime('quiet', timestamp + 900);
          },
          onTimer(_timer, timed) {
            timed.emit(timed.state.count.get() ?? 0);
          },
        }),
    ],
  ])('is in the newest one’s trace, with links to those before: %s', async (_what, draw) => {
    await start(draw);
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'b', at: 1_000, by: 'x' },
      { key: 'a', at: 1_200, by: 'q' },
      { key: 'a', at: 1_300 },
      { key: 'late', at: 9_000, by: 'z' },
    ]);
    expect(results()).toContainEqual({ trace: trace('q'), links: [trace('p')] });
    expect(results()).toContainEqual({ trace: trace('x'), links: [] });
    // Not what made time go on.
    expect(results().map((result) => result.trace)).not.toContain(trace('z'));
  });

  it('is in it where a session joins others', async () => {
    await start((orders) =>
      orders
        .groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(500, 1_000))
        .emitStrategy(closing)
        .count(Materialized.as('windows'))
        .toStream((windowed) => windowed.key),
    );
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'a', at: 2_000, by: 'q' },
      { key: 'a', at: 1_500, by: 'r' },
      { key: 'late', at: 9_000 },
    ]);
    expect(results()).toEqual([{ trace: trace('r'), links: [trace('p'), trace('q')] }]);
  });

  it('is in it where a record of a left join has found nobody', async () => {
    await start((orders, builder) =>
      orders.leftJoin(
        builder.stream('others', Consumed.with(text, number)),
        (one, other) => one + (other ?? 0),
        JoinWindows.ofTimeDifferenceWithNoGrace(500),
        StreamJoined.as('met', { keySerde: text, valueSerde: number, otherValueSerde: number }),
      ),
    );
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'b', at: 1_000 },
      { key: 'c', at: 5_000, by: 'z' },
    ]);
    // The second is in no trace: rather that than in the one of what made time go on.
    expect(seen).toHaveLength(2);
    expect(results()).toEqual([{ trace: trace('p'), links: [] }]);
  });

  it('is in it where a punctuation forwards under a key', async () => {
    await start((orders) =>
      orders.process<string, number>(
        (): Processor<string, number, string, number> => {
          const keys = new Set<string>();
          return {
            init(processor) {
              processor.schedule(1_000, 'stream-time', () => {
                for (const key of keys) processor.forward({ key, value: 1 });
                keys.clear();
              });
            },
            process({ key }) {
              keys.add(key);
            },
          };
        },
        { name: 'punctual' },
      ),
    );
    await send([
      { key: 'a', at: 1_100, by: 'p' },
      { key: 'a', at: 1_200, by: 'q' },
      { key: 'b', at: 3_000, by: 'z' },
    ]);
    expect(results()).toContainEqual({ trace: trace('q'), links: [trace('p')] });
  });

  const counts: Draw = (orders) => orders.groupByKey().count(Materialized.as('counts')).toStream();

  it('is an aggregate that each record updates: linked with the four that fed it before', async () => {
    await start(counts);
    await send(Array.from('pqrstu', (by, index) => ({ key: 'a', at: 1_000 + index, by })));
    expect(results()).toEqual(
      Array.from('pqrstu', (by, index) => ({
        trace: trace(by),
        links: Array.from('pqrstu'.slice(Math.max(0, index - 4), index), trace),
      })),
    );
  });

  it('is left out of it where the record is of no trace', async () => {
    await start(counts);
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'a', at: 1_001 },
    ]);
    expect(results()).toEqual([{ trace: trace('p'), links: [] }]);
  });

  it('is emitted in a trace once, until another record of one feeds it', async () => {
    await start((orders) =>
      orders.groupByKey().process({
        name: 'ticking',
        valueSerde: number,
        onRecord(_value, { timers, timestamp }) {
          timers.setEventTime('tick', timestamp + 1_000);
        },
        onTimer({ time }, timed) {
          timed.emit(1);
          if (time < 6_000) timed.timers.setEventTime('tick', time + 1_000);
        },
      }),
    );
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'b', at: 9_000 },
    ]);
    expect(results()).toEqual([{ trace: trace('p'), links: [] }]);
  });

  it('carries headers as it always did while nobody listens', async () => {
    await start(
      (orders) =>
        orders
          .groupByKey()
          .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
          .emitStrategy(closing)
          .count(Materialized.as('windows'))
          .toStream((windowed) => windowed.key),
      false,
    );
    await send([
      { key: 'a', at: 1_000, by: 'p' },
      { key: 'b', at: 9_000, by: 'z' },
    ]);
    const found = seen.flat().map(({ key, value }) => `${key} ${Buffer.from(value!).toString()}`);
    expect(found).toEqual([`traceparent ${context('z')}`]);
  });
});
