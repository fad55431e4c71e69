// Owns the context of a user's processor in one task: what it may do, and when. What it keeps beside stores (the record in process,
// schedules) is set anew or taken back with each scope.
// Source of the rules: ProcessorContextImpl of Kafka Streams.
import { MillraceError } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type {
  Cancellable,
  FixedKeyProcessorContext,
  ForwardedRecord,
  ForwardedValue,
  ProcessorContext,
  PunctuationOptions,
  PunctuationType,
  Punctuator,
  TableWithStore,
} from '../options/processing.ts';
import type { StateStore, StoreBuilder } from '../options/stores.ts';
import type { OperatorClock, RecordMetadata } from '../ports.ts';
import { GlobalKeyValueFace, TableFace } from '../stores/key-value-store.ts';
import { Guard, GuardedOrderedStore, GuardedStore } from '../stores/store-site.ts';
import type { StoreSite } from '../stores/store-site.ts';
import type { Site, StreamFunction } from './operator.ts';
import { toEachStream } from './operator.ts';
import { nextAfter, Punctuations } from './punctuations.ts';
import { RecordInProcess } from './record-in-process.ts';
import { linkId } from './trace-links.ts';

export interface LooseLifecycle {
  init?(context: unknown): void;
  close?(): void;
}

export interface ProcessDeclaration {
  /** Makes the processor of one task; called at every compilation. */
  readonly supply: (context: unknown) => object;
  /** Names of connected stores; may grow until the topology is built. */
  readonly stores: readonly string[];
  /** Builders of the stores that users declared, by name; may grow too. */
  readonly builders: ReadonlyMap<string, StoreBuilder<StateStore>>;
  /** Which keys it may forward; `none`: it forwards nothing. */
  readonly forwards: 'any key' | 'its key' | 'none';
}

type Mode = 'none' | 'init' | 'record' | 'punctuation';

/** The context of one processor in one task, of any kind. */
export class Processing
  implements ProcessorContext<unknown, unknown>, Omit<FixedKeyProcessorContext<unknown>, 'forward' | 'output'>
{
  readonly applicationId: string;
  readonly taskId: string;
  readonly #site: Site;
  readonly #declared: ProcessDeclaration;
  readonly #all: StreamFunction;
  readonly #children: ReadonlyMap<string, StreamFunction>;
  readonly #sides = new Map<string, StreamFunction>();
  readonly #stores = new Map<string, StateStore>();
  readonly #storeSite: StoreSite;
  readonly #guard = new Guard();
  readonly #event: Punctuations;
  /** Up to which stream time punctuations were made, by the tasks before this one too. */
  readonly #punctuated: OperatorClock;
  readonly #wall: Punctuations;
  #mode: Mode = 'none';
  #key: unknown = null;
  #timestamp = -1;

  constructor(site: Site, children: readonly StreamFunction[], declared: ProcessDeclaration) {
    this.applicationId = site.applicationId;
    this.taskId = site.taskId;
    this.#site = site;
    this.#declared = declared;
    this.#all = toEachStream(children);
    this.#children = new Map(site.childNames.map((name, index) => [name, children[index]!]));
    for (const tag of site.sides) this.#sides.set(tag, site.side(tag));
    const guard = this.#guard;
    this.#storeSite = {
      context: site.context,
      clock: (store) => site.storeClock(store),
      store: (name) => new GuardedStore(site.store(name), guard),
      orderedStore: (name) => new GuardedOrderedStore(site.orderedStore(name), guard),
    };
    // At once: the clocks that stores forget by are to be known before the task's first scope.
    for (const name of declared.stores) if (declared.builders.has(name)) this.getStateStore(name);
    const punctuate = (punctuator: Punctuator, now: number): void =>
      this.run('punctuation', now, () => punctuator(now));
    const punctuated = site.ownClock(site.clockName);
    this.#punctuated = punctuated;
    this.#event = new Punctuations('event', site, punctuate, (now) => punctuated.observe(now));
    this.#wall = new Punctuations('wall', site, punctuate, null);
  }

  get recordMetadata(): RecordMetadata | null {
    return this.#mode === 'record' && this.#site.context.topic !== '' ? this.#site.context : null;
  }

  currentStreamTimeMs(): number {
    return this.#site.context.streamTime;
  }

  currentSystemTimeMs(): number {
    return this.#site.wallTime();
  }

  /** The processor of this task, whose `method` does the work; its `init` and `close` are called when they are due. */
  supplied(method: 'process' | 'transform', before: WeakSet<object>): LooseLifecycle {
    const made = this.#declared.supply(this) as (object & LooseLifecycle) | null | undefined;
    const isOne =
      typeof (made as Partial<Record<string, unknown>> | null | undefined)?.[method] === 'function';
    if (made === null || made === undefined || !isOne) {
      throw this.#misuse(`its supplier gave no object with a function ${method}`);
    }
    if (before.has(made)) throw this.#misuse('its supplier gave the same processor twice');
    before.add(made);
    this.#site.onInit(() => this.run('init', -1, () => made.init?.(this)));
    this.#site.onClose(() => {
      try {
        made.close?.();
      } catch (error) {
        // The task closes all the same; what is committed is committed.
        const why = error instanceof Error ? error.message : String(error);
        this.#site.drop('MILLRACE_PROCESSING_FAILED', `close of the processor threw: ${why}`);
      }
    });
    return made;
  }

  /** Before each call of a function of the user's; `failed` or `leave` follows. */
  enter(mode: Mode, key: unknown, timestamp: number): void {
    this.#guard.reset();
    this.#mode = mode;
    this.#key = key;
    this.#timestamp = timestamp;
  }

  /** What is to be thrown: an error of a store or of an operator behind, else that of the user, whose node is noted. */
  failed(error: unknown): unknown {
    this.#mode = 'none';
    return this.#guard.isSet ? this.#guard.error : this.#site.blame(error);
  }

  /** Throws what stores and operators behind threw and the user caught. */
  leave(): void {
    this.#mode = 'none';
    if (this.#guard.isSet) throw this.#guard.error;
  }

  run(mode: Mode, timestamp: number, call: () => void): void {
    this.enter(mode, null, timestamp);
    try {
      call();
    } catch (error) {
      throw this.failed(error);
    }
    this.leave();
  }

  forward(record: ForwardedRecord<unknown, unknown> | ForwardedValue<unknown>, childName?: string): void {
    this.#send(childName === undefined ? this.#all : this.#child(childName), record);
  }

  output(
    tag: { readonly name: string },
    record: ForwardedRecord<unknown, unknown> | ForwardedValue<unknown>,
  ): void {
    const side = this.#sides.get(tag.name);
    if (side !== undefined) this.#send(side, record);
  }

  getStateStore(
    store: StoreBuilder<StateStore> | TableWithStore | { readonly storeName: string } | string,
  ): never {
    const name = this.#nameOf(store);
    let face = this.#stores.get(name);
    if (face === undefined) this.#stores.set(name, (face = this.#open(name)));
    // The overloads of the interface say what it is.
    return face as never;
  }

  #nameOf(store: Parameters<Processing['getStateStore']>[0]): string {
    if (typeof store === 'string') return store;
    if ('storeName' in store) return store.storeName;
    if ('name' in store) return store.name;
    const name = store.queryableStoreName();
    if (name === null) throw this.#misuse('it asked for the store of a table that keeps none');
    return name;
  }

  schedule(
    intervalMs: number,
    type: PunctuationType,
    punctuator: Punctuator,
    { startTimeMs }: PunctuationOptions = {},
  ): Cancellable {
    if (this.#mode === 'none')
      throw this.#misuse('it called schedule outside of init, process and punctuators');
    if (!Number.isSafeInteger(intervalMs) || intervalMs < 1) {
      throw this.#misuse(
        `the interval of a schedule is ${String(intervalMs)}, not whole milliseconds from 1 up`,
      );
    }
    if (startTimeMs !== undefined && !(Number.isSafeInteger(startTimeMs) && startTimeMs >= 0)) {
      throw this.#misuse(`startTimeMs is ${String(startTimeMs)}, not whole milliseconds from 1970 on`);
    }
    if (type === 'stream-time') {
      return this.#event.add(this.#firstStreamTime(startTimeMs, intervalMs), intervalMs, punctuator);
    }
    const wall = this.#site.wallTime();
    const start = startTimeMs ?? wall + intervalMs;
    return this.#wall.add(start < wall ? nextAfter(start, intervalMs, wall) : start, intervalMs, punctuator);
  }

  /** Schedules of `init` go on where those of the task before it ended: a restart neither repeats nor leaves out a punctuation. */
  #firstStreamTime(startTimeMs: number | undefined, intervalMs: number): number {
    const start = startTimeMs ?? 0;
    const done = this.#punctuated.now;
    if (this.#mode === 'init' && done >= 0) return start <= done ? nextAfter(start, intervalMs, done) : start;
    const passed = startTimeMs !== undefined && startTimeMs < this.currentStreamTimeMs();
    return passed ? nextAfter(start, intervalMs, this.currentStreamTimeMs()) : start;
  }

  #send(target: StreamFunction, record: ForwardedRecord<unknown, unknown> | ForwardedValue<unknown>): void {
    const { context } = this.#site;
    const { forwards } = this.#declared;
    if (forwards === 'none') throw this.#misuse('it forwarded, but its result is what it returns');
    if (this.#mode !== 'record' && (this.#mode !== 'punctuation' || forwards === 'its key')) {
      throw this.#misuse(
        this.#mode === 'punctuation'
          ? 'it forwarded in a punctuation, where there is no key that is kept'
          : 'it forwarded outside of process and punctuators',
      );
    }
    const timestamp = record.timestamp ?? this.#timestamp;
    if (!(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
      throw this.#misuse(`the timestamp of a record it forwarded is ${String(timestamp)}`);
    }
    const key = forwards === 'its key' ? this.#key : (record as ForwardedRecord<unknown, unknown>).key;
    const before = context.outputHeaders;
    const headers = RecordInProcess.headersOf(record);
    if (headers !== null) context.outputHeaders = headers;
    const isLinked = this.#mode === 'punctuation' && headers === null && this.#emits(key);
    try {
      target(key ?? null, record.value ?? null, timestamp);
    } catch (error) {
      throw this.#guard.note(error);
    } finally {
      if (isLinked) this.#site.links.done();
      context.outputHeaders = before;
    }
  }

  /** Is the output of a punctuation linked with what came under its key? */
  #emits(key: unknown): boolean {
    const { links } = this.#site;
    if (!links.enabled) return false;
    const id = linkId(key);
    return id !== null && links.emit(id);
  }

  #child(name: string): StreamFunction {
    const child = this.#children.get(name);
    if (child !== undefined) return child;
    const known = [...this.#children.keys()].map((child) => `"${child}"`).join(', ');
    throw this.#misuse(`it forwarded to "${name}", but the nodes behind it are ${known || 'none'}`);
  }

  #open(name: string): StateStore {
    const site = this.#site;
    const spec = site.storeSpec(name);
    if (spec === null) {
      const global = site.globalStoreSpec(name);
      if (global === null) {
        const known = this.#declared.stores.map((store) => `"${store}"`).join(', ');
        throw this.#misuse(`it asked for the store "${name}", but is connected with ${known || 'none'}`);
      }
      return new GlobalKeyValueFace(name, compileCodec(global.keySerde), site.globalStore(name));
    }
    const builder = this.#declared.builders.get(name);
    if (builder !== undefined) return builder.open(this.#storeSite);
    if (spec.kind === 'keyValue') return new TableFace(spec, this.#storeSite);
    throw this.#misuse(`the store "${name}" belongs to an operator, and is no key-value store`);
  }

  #misuse(problem: string): MillraceError {
    return misuse(this.#site.node, problem);
  }
}

function misuse(node: string, problem: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_PROCESSOR_MISUSE',
    message: `the processor "${node}" broke a rule: ${problem}.`,
    remedy: 'See docs/guide/processors.md for what a processor may do, and when.',
    context: { node },
  });
}
