// Owns, per task, which sampled trace contexts fed the state under which keys, so that what is emitted later, without a record or in the
// scope of another's, is seen in a trace: it carries the newest of them as `traceparent` and the others in `millrace-links`.
//
// 1. In memory, of the keys last fed, a few contexts each. Lost when the task is closed, moves or the process ends: outputs then carry what they
//    carry without it. Nothing of it is state: no store, changelog or offset knows of it.
// 2. It is asked only while somebody listens. It decides nothing but headers.
// 3. What was emitted once is not emitted again as the newest: without new sampled records a key's timers stay out of the trace. A scope
//    that is undone takes that back.
import type { RecordHeader } from '#libs/core';
import type { LinksPort } from '#libs/topology';
import type { OutputCollector } from '../output-collector.ts';
import type { TaskContext } from '../task-context.ts';
import { SAMPLED, TRACE_HEADERS } from './trace-log.ts';
import type { TraceLog } from './trace-log.ts';

/** Contexts kept of a key. */
const CONTEXTS_MAX = 4;
/** Keys kept of a task; those fed longest ago go first. */
const KEYS_MAX = 1_024;
/** Of a key and its place; longer ones are passed over. */
const KEY_CHARACTERS_MAX = 1_024;

interface Fed {
  /** `traceparent`s, the newest last. */
  contexts: string[];
  /** How many of the newest were not emitted yet. */
  fresh: number;
  freshBefore: number;
  /** Scope in which they were emitted. */
  emittedIn: number;
}

export class TraceLinks {
  private readonly traces: TraceLog;
  private readonly context: TaskContext;
  private readonly collector: Pick<OutputCollector, 'recordNumber'>;
  /** By place and key, those fed last at the end. */
  private readonly fed = new Map<string, Fed>();
  /** Emitted in `emittedIn`. */
  private emitted: Fed[] = [];
  private emittedIn = -1;
  /** What `done` puts back, innermost last; of `headersIn`. */
  private headers: (readonly RecordHeader[] | null)[] = [];
  private headersIn = -1;

  constructor(traces: TraceLog, context: TaskContext, collector: Pick<OutputCollector, 'recordNumber'>) {
    this.traces = traces;
    this.context = context;
    this.collector = collector;
  }

  get enabled(): boolean {
    return this.traces.enabled;
  }

  of(place: string): LinksPort {
    return new LinksOfPlace(this, `${place}\0`);
  }

  feed(id: string): void {
    const own = traceOf(this.current());
    if (own !== null) this.note(id, own);
  }

  move(from: string, to: string): void {
    const moved = this.fed.get(from);
    if (moved === undefined || from === to) return;
    this.fed.delete(from);
    for (const context of moved.contexts) this.note(to, context);
  }

  copy(from: string, to: string): void {
    const copied = this.fed.get(from);
    this.fed.delete(to);
    for (const context of copied?.contexts ?? []) this.note(to, context);
  }

  through(id: string): boolean {
    const headers = this.current();
    const own = traceOf(headers);
    if (own === null) return false;
    const before = this.fed.get(id)?.contexts.filter((context) => context !== own) ?? [];
    this.note(id, own);
    if (before.length === 0) return false;
    this.carry(
      headers.filter(({ key }) => key !== TRACE_HEADERS.links),
      null,
      before,
    );
    return true;
  }

  emit(id: string): boolean {
    const fed = this.fed.get(id);
    const contexts = fed === undefined || !this.isFresh(fed) ? [] : fed.contexts;
    if (contexts.length === 0) {
      // Rather in no trace than in that of the record that made time go on. What the operator has kept is its own.
      if (this.context.outputHeaders !== null || traceOf(this.current()) === null) return false;
    }
    const rest = this.current().filter(({ key }) => !OWN_HEADERS.has(key));
    this.carry(rest, contexts.at(-1) ?? null, contexts.slice(0, -1));
    return true;
  }

  /** Something fed it since it was last emitted, or it is being emitted in this scope. */
  private isFresh(fed: Fed): boolean {
    const scope = this.collector.recordNumber;
    if (fed.emittedIn === scope) return true;
    if (fed.fresh === 0) return false;
    fed.freshBefore = fed.fresh;
    fed.fresh = 0;
    fed.emittedIn = scope;
    if (this.emittedIn !== scope) this.emitted = [];
    this.emittedIn = scope;
    this.emitted.push(fed);
    return true;
  }

  done(): void {
    this.context.outputHeaders = this.headers.pop() ?? null;
  }

  /** The present scope is undone. */
  undo(): void {
    if (this.emittedIn !== this.collector.recordNumber) return;
    for (const fed of this.emitted) {
      fed.fresh = fed.freshBefore;
      fed.emittedIn = -1;
    }
    this.emitted = [];
  }

  /** What outputs carry as it is. */
  private current(): readonly RecordHeader[] {
    return this.context.outputHeaders ?? this.context.headers();
  }

  private note(id: string, traceparent: string): void {
    if (id.length > KEY_CHARACTERS_MAX) return;
    let fed = this.fed.get(id);
    if (fed === undefined) fed = { contexts: [], fresh: 0, freshBefore: 0, emittedIn: -1 };
    else this.fed.delete(id);
    this.fed.set(id, fed);
    const { contexts } = fed;
    // The same record in a scope that was undone, or two of one trace.
    const known = contexts.indexOf(traceparent);
    if (known >= 0) {
      contexts.splice(known, 1);
      if (known > contexts.length - fed.fresh) fed.fresh--;
    }
    contexts.push(traceparent);
    if (contexts.length > CONTEXTS_MAX) contexts.shift();
    fed.fresh = Math.min(fed.fresh + 1, contexts.length);
    if (this.fed.size > KEYS_MAX) this.fed.delete(this.fed.keys().next().value!);
  }

  private carry(rest: readonly RecordHeader[], traceparent: string | null, links: readonly string[]): void {
    const { context, collector } = this;
    // An error passed by `done`.
    if (this.headersIn !== collector.recordNumber) this.headers = [];
    this.headersIn = collector.recordNumber;
    this.headers.push(context.outputHeaders);
    const headers = [...rest];
    if (traceparent !== null) headers.push({ key: TRACE_HEADERS.parent, value: Buffer.from(traceparent) });
    if (links.length > 0) headers.push({ key: TRACE_HEADERS.links, value: Buffer.from(links.join(',')) });
    context.outputHeaders = headers;
  }
}

/** The keys of one operator, or of a store that operators share. */
class LinksOfPlace implements LinksPort {
  private readonly links: TraceLinks;
  private readonly prefix: string;

  constructor(links: TraceLinks, prefix: string) {
    this.links = links;
    this.prefix = prefix;
  }

  get enabled(): boolean {
    return this.links.enabled;
  }

  feed(key: string): void {
    this.links.feed(this.prefix + key);
  }

  move(from: string, to: string): void {
    this.links.move(this.prefix + from, this.prefix + to);
  }

  copy(from: string, to: string): void {
    this.links.copy(this.prefix + from, this.prefix + to);
  }

  through(key: string): boolean {
    return this.links.through(this.prefix + key);
  }

  emit(key: string): boolean {
    return this.links.emit(this.prefix + key);
  }

  done(): void {
    this.links.done();
  }
}

const OWN_HEADERS: ReadonlySet<string> = new Set(Object.values(TRACE_HEADERS));

/** The last sampled `traceparent`; `null`: there is none. */
function traceOf(headers: readonly RecordHeader[]): string | null {
  for (let index = headers.length - 1; index >= 0; index--) {
    const { key, value } = headers[index]!;
    if (key !== TRACE_HEADERS.parent || value === null) continue;
    const text = Buffer.from(value).toString('latin1');
    return SAMPLED.test(text) ? text : null;
  }
  return null;
}
