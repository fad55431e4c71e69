// Owns which records of an epoch carry a trace that somebody wants to see: their W3C trace contexts, out of their headers. It looks at
// headers only while somebody listens, and keeps a few per epoch; what a header says that is no trace context is passed over.
import type { RecordColumns } from '#libs/broker';
import type { Clock, TaskIdText } from '#libs/core';

/** A record of an epoch whose producer's trace is sampled. */
export interface TracedRecord {
  /** W3C Trace Context, version 00, sampled. */
  readonly traceparent: string;
  readonly tracestate: string | null;
  /** Others that fed it, as `traceparent`s: see trace-links.ts. At most four. */
  readonly links: readonly string[];
  readonly taskId: TaskIdText;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Wall clock, milliseconds: when the piece of the batch it is in was processed. */
  readonly processedAt: number;
}

/** Per epoch: links of a span are bounded too. */
const TRACED_MAX = 32;
/** Version, trace id, parent id and flags; neither id all zeros, and sampled. */
export const SAMPLED = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]$/;
const TRACESTATE_CHARACTERS_MAX = 512;
const LINKS_MAX = 4;
const TRACEPARENT_CHARACTERS = 55;

/** Names of record headers. */
export const TRACE_HEADERS = { parent: 'traceparent', state: 'tracestate', links: 'millrace-links' } as const;

export class TraceLog {
  /** Somebody listens. */
  enabled = false;
  private readonly clock: Clock;
  private open: TracedRecord[] = [];
  private sealed: readonly TracedRecord[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Records `first` to `first + count` of a batch were processed. */
  processed(
    taskId: string,
    { topic, partition }: { readonly topic: string; readonly partition: number },
    columns: RecordColumns,
    first: number,
    count: number,
  ): void {
    const { headerCount, offsets } = columns;
    for (let i = first; i < first + count && this.open.length < TRACED_MAX; i++) {
      if (headerCount[i] === 0) continue;
      const context = traceContext(columns, i);
      if (context === null) continue;
      this.open.push({
        ...context,
        taskId: taskId as TaskIdText,
        topic,
        partition,
        offset: offsets[i]!,
        processedAt: this.clock.now(),
      });
    }
  }

  seal(): void {
    this.sealed = this.open;
    this.open = [];
  }

  /** Of the epoch that ended. */
  take(): readonly TracedRecord[] {
    const traced = this.sealed;
    this.sealed = [];
    return traced;
  }

  abandon(): void {
    this.open = [];
    this.sealed = [];
  }
}

function traceContext(
  columns: RecordColumns,
  index: number,
): Pick<TracedRecord, 'traceparent' | 'tracestate' | 'links'> | null {
  let traceparent: string | null = null;
  let tracestate: string | null = null;
  let links: readonly string[] = [];
  for (const { key, value } of columns.readHeaders(index)) {
    if (value === null) continue;
    if (key === TRACE_HEADERS.parent) traceparent = Buffer.from(value).toString('latin1');
    else if (key === TRACE_HEADERS.state && value.length <= TRACESTATE_CHARACTERS_MAX)
      tracestate = Buffer.from(value).toString('latin1');
    else if (key === TRACE_HEADERS.links) links = linksOf(value);
  }
  return traceparent !== null && SAMPLED.test(traceparent) ? { traceparent, tracestate, links } : null;
}

/** Anybody may have written it. */
function linksOf(value: Uint8Array): readonly string[] {
  if (value.length > LINKS_MAX * (TRACEPARENT_CHARACTERS + 1)) return [];
  const all = Buffer.from(value).toString('latin1').split(',');
  return all.filter((traceparent) => SAMPLED.test(traceparent));
}
