// Owns the spans of applications: one per epoch with its two phases, and one per record whose producer's trace is sampled, in that trace. They are
// made when an epoch has ended, with the times it had; nothing is begun while records are processed.
//
//   producer's trace    … ─ publish ─► process orders      link ─┐
//   a trace per epoch   epoch ─► produce                    ◄────┘   and back: the epoch links to the records it shows
//                             └► commit
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  createTraceState,
  trace,
} from '@opentelemetry/api';
import type { Attributes, Context, Link, SpanContext, Tracer, TracerProvider } from '@opentelemetry/api';
import type { EpochFigures, StreamsApplication, TracedRecord } from '#libs/millrace';
import { ATTRIBUTES } from './metric-definitions.ts';

/** What traces are made of. A `StreamsApplication` is one. */
export type TracedApplication = Pick<StreamsApplication, 'applicationId' | 'instanceId' | 'onEpoch'>;

export interface TracesOptions {
  readonly applications: readonly TracedApplication[];
  /** Default: the one that is registered globally. Where none is, nothing is made. */
  readonly tracerProvider?: TracerProvider;
}

export interface RegisteredTraces {
  close(): void;
}

const TRACER = 'millrace';

/** While registered, the headers of records are looked at for `traceparent` (W3C Trace Context): 32 sampled records per epoch are shown. */
export function registerTraces({ applications, tracerProvider }: TracesOptions): RegisteredTraces {
  const tracer = (tracerProvider ?? trace).getTracer(TRACER);
  const stops = applications.map((application) =>
    application.onEpoch((epoch, traced) => {
      // Of a claim, or of nothing but markers.
      if (epoch.recordsIn > 0 || epoch.recordsOut > 0) show(tracer, application, epoch, traced);
    }),
  );
  return {
    close() {
      for (const stop of stops) stop();
    },
  };
}

function show(
  tracer: Tracer,
  application: TracedApplication,
  epoch: EpochFigures,
  traced: readonly TracedRecord[],
): void {
  const common = {
    [ATTRIBUTES.application]: application.applicationId,
    [ATTRIBUTES.instance]: application.instanceId ?? '',
  };
  const endedAt = epoch.endedAt ?? epoch.sealedAt;
  const parents = traced.map((record) => remoteContext(record));
  const span = tracer.startSpan(
    'epoch',
    {
      kind: SpanKind.INTERNAL,
      startTime: epoch.openedAt,
      attributes: { ...common, ...epochAttributes(epoch) },
      links: parents.map((context): Link => ({ context })),
    },
    ROOT_CONTEXT,
  );
  const inside = trace.setSpan(ROOT_CONTEXT, span);
  const producedAt = epoch.sealedAt + Math.round(epoch.produceMs ?? 0);
  phase(tracer, inside, 'produce', epoch.sealedAt, Math.min(producedAt, endedAt));
  if (epoch.commitMs !== null) phase(tracer, inside, 'commit', Math.min(producedAt, endedAt), endedAt);
  if (epoch.outcome === 'aborted')
    span.setStatus({ code: SpanStatusCode.ERROR, message: epoch.reason ?? '' });
  span.end(endedAt);
  traced.forEach((record, index) => {
    const attributes = { ...common, ...recordAttributes(record) };
    tracer
      .startSpan(
        `process ${record.topic}`,
        {
          kind: SpanKind.CONSUMER,
          startTime: record.processedAt,
          attributes,
          links: [
            { context: span.spanContext() },
            ...record.links.map((other) => ({ context: contextOf(other) })),
          ],
        },
        trace.setSpanContext(ROOT_CONTEXT, parents[index]!),
      )
      .end(Math.max(endedAt, record.processedAt));
  });
}

function phase(tracer: Tracer, context: Context, name: string, startTime: number, endTime: number): void {
  tracer.startSpan(name, { kind: SpanKind.INTERNAL, startTime }, context).end(endTime);
}

function epochAttributes(epoch: EpochFigures): Attributes {
  return {
    'millrace.epoch.number': epoch.number,
    [ATTRIBUTES.outcome]: epoch.outcome,
    'millrace.epoch.tasks': epoch.tasks,
    'millrace.epoch.records_in': epoch.recordsIn,
    'millrace.epoch.records_out': epoch.recordsOut,
    'millrace.epoch.changelog_records': epoch.changelogRecords,
    'millrace.epoch.bytes_out': epoch.bytesOut,
  };
}

/** OpenTelemetry's conventions for messaging. */
function recordAttributes({ topic, partition, offset, taskId }: TracedRecord): Attributes {
  return {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'process',
    [ATTRIBUTES.topic]: topic,
    [ATTRIBUTES.partition]: String(partition),
    'messaging.kafka.offset': offset,
    [ATTRIBUTES.task]: taskId,
  };
}

/** The runtime has checked its shape. */
function remoteContext({ traceparent, tracestate }: TracedRecord): SpanContext {
  return {
    ...contextOf(traceparent),
    ...(tracestate === null ? {} : { traceState: createTraceState(tracestate) }),
  };
}

function contextOf(traceparent: string): SpanContext {
  const [, traceId, spanId] = traceparent.split('-');
  return { traceId: traceId!, spanId: spanId!, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}
