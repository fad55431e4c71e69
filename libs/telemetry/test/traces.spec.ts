// Specifies the spans of a running application: an epoch's, with its phases, and a record's in the trace of who produced it; and that the
// trace context of a record goes on with what comes of it, through a repartition and an aggregate.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import { TracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import {
  Consumed,
  Materialized,
  Produced,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  silentLogger,
} from '#libs/millrace';
import { registerTraces } from '../src/index.ts';

const text = Serdes.string();
const number = Serdes.json<number>();
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const SAMPLED = `00-${TRACE}-${PARENT}-01`;

let kafka: SimulatedKafka;
let application: StreamsApplication;
let exporter: InMemorySpanExporter;
let provider: TracerProvider;

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .selectKey((_key, value) => `k${value}`)
    .groupByKey({ name: 'by-value', keySerde: text, valueSerde: number })
    .reduce((sum, value) => sum + value, Materialized.as('sums'))
    .toStream()
    .repartition({ name: 'behind', keySerde: text, valueSerde: number })
    .to('sums', Produced.with(text, number));
  return builder;
}

beforeEach(async () => {
  kafka = new SimulatedKafka();
  kafka.createTopic('orders', 1);
  kafka.createTopic('sums', 1);
  exporter = new InMemorySpanExporter();
  provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  application = new StreamsApplication({
    applicationId: 'traced',
    kafka,
    topology,
    state: 'memory',
    instanceId: 'one',
    logger: silentLogger,
  });
});

afterEach(async () => {
  await application.stop();
  await provider.shutdown();
});

async function process(headers: readonly (string | null)[]): Promise<void> {
  kafka.publish(
    'orders',
    headers.map((traceparent, index) => ({
      key: 'a',
      value: String(index),
      ...(traceparent === null ? {} : { headers: [{ key: 'traceparent', value: Buffer.from(traceparent) }] }),
    })),
  );
  const topics = ['orders', 'traced-by-value-repartition', 'traced-behind-repartition'];
  while (kafka.lag('traced', topics) > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const named = (name: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.name === name);

describe('registerTraces', () => {
  it('shows a sampled record in the trace of its producer, and again behind a repartition and an aggregate', async () => {
    registerTraces({ applications: [application], tracerProvider: provider });
    await application.start();
    await application.whenRunning();
    await process([SAMPLED, null]);
    const topics = ['orders', 'traced-by-value-repartition', 'traced-behind-repartition'];
    const spans = topics.flatMap((topic) => named(`process ${topic}`));
    expect(spans).toHaveLength(3);
    for (const span of spans) {
      expect(span.spanContext().traceId).toBe(TRACE);
      expect(span.parentSpanContext).toMatchObject({ spanId: PARENT, isRemote: true });
      expect(span.kind).toBe(SpanKind.CONSUMER);
    }
    expect(spans[0]!.attributes).toMatchObject({
      'messaging.system': 'kafka',
      'messaging.destination.name': 'orders',
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
      'millrace.application.id': 'traced',
    });
    const epochs = named('epoch');
    const ids = epochs.map((span) => span.spanContext().spanId);
    expect(ids).toContain(spans[0]!.links[0]!.context.spanId);
    const linked = epochs.flatMap(({ links }) => links.map(({ context }) => context.spanId));
    expect(linked).toEqual([PARENT, PARENT, PARENT]);
  });

  it('shows every epoch that did something, with its phases inside', async () => {
    registerTraces({ applications: [application], tracerProvider: provider });
    await application.start();
    await application.whenRunning();
    await process([null, null, null]);
    const epochs = named('epoch');
    const sum = (name: string): number =>
      epochs.reduce((total, { attributes }) => total + Number(attributes[name]), 0);
    expect(sum('millrace.epoch.records_in')).toBe(9);
    expect(sum('millrace.epoch.records_out')).toBe(9);
    for (const epoch of epochs) {
      const { traceId, spanId } = epoch.spanContext();
      const phases = exporter
        .getFinishedSpans()
        .filter(({ parentSpanContext }) => parentSpanContext?.spanId === spanId);
      expect(phases.map(({ name }) => name)).toEqual(['produce', 'commit']);
      expect(new Set(phases.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
      expect(epoch.attributes['millrace.epoch.outcome']).toBe('committed');
    }
  });

  it.each([
    ['not sampled', `00-${TRACE}-${PARENT}-00`],
    ['of a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['of a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['no trace context', 'hello'],
    ['in capitals', SAMPLED.toUpperCase()],
    ['too long', `${SAMPLED}-and-more`],
  ])('passes over what is %s', async (_what, traceparent) => {
    registerTraces({ applications: [application], tracerProvider: provider });
    await application.start();
    await application.whenRunning();
    await process([traceparent]);
    expect(named('process orders')).toEqual([]);
    expect(named('epoch').length).toBeGreaterThan(0);
  });

  it('shows so many records of an epoch, and no more', async () => {
    registerTraces({ applications: [application], tracerProvider: provider });
    await application.start();
    await application.whenRunning();
    await process(Array.from({ length: 200 }, () => SAMPLED));
    for (const { links } of named('epoch')) expect(links.length).toBeLessThanOrEqual(32);
    expect(named('process orders').length).toBeGreaterThan(0);
  });

  it('makes nothing once it is closed', async () => {
    const registered = registerTraces({ applications: [application], tracerProvider: provider });
    await application.start();
    await application.whenRunning();
    registered.close();
    await process([SAMPLED]);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
