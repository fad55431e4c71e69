// Owns the operator of a keyed process function: it points the function's state and timers at the key in process and runs it for each
// record and each timer. What it keeps beside its stores (the cursor, the context) is set anew in every scope.
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { Operator, OperatorRead, Site, StreamFunction } from '../operators/operator.ts';
import { toEachStream } from '../operators/operator.ts';
import type { Alarm, GlobalStorePort, RecordMetadata } from '../ports.ts';
import { KeyCursor } from './key-cursor.ts';
import type {
  BroadcastState,
  EmitOptions,
  FiredTimer,
  KeyedContext,
  LooseKeyedProcessFunction,
  OutputTag,
  Timers,
} from './keyed-process.ts';
import type { StateDescriptors } from './state-descriptors.ts';
import { isGrouped, makeHandle } from './state-handles.ts';
import type { ForgettingState } from './state-handles.ts';
import { TimerTable } from './timer-table.ts';
import type { TimerKind } from './timer-table.ts';

/** Names of the stores of a function. */
export function stateStoreName(fn: { readonly name: string }, state: string): string {
  return `${fn.name}-${state}`;
}

export function timerStoreName(fn: { readonly name: string }): string {
  return `${fn.name}-timers`;
}

export function needsTimers(fn: LooseKeyedProcessFunction): boolean {
  return fn.onTimer !== undefined || Object.values(fn.state ?? {}).some(({ ttl }) => ttl !== null);
}

class KeyedTimers implements Timers {
  private readonly table: TimerTable;
  private readonly cursor: KeyCursor;
  private readonly alarms: Readonly<Record<TimerKind, Alarm>>;

  constructor(table: TimerTable, cursor: KeyCursor, alarms: Readonly<Record<TimerKind, Alarm>>) {
    this.table = table;
    this.cursor = cursor;
    this.alarms = alarms;
  }

  setEventTime(name: string, time: number): void {
    this.set('event', name, time);
  }

  setWallTime(name: string, time: number): void {
    this.set('wall', name, time);
  }

  cancelEventTime(name: string): boolean {
    return this.table.cancel('event', this.cursor.key, name);
  }

  cancelWallTime(name: string): boolean {
    return this.table.cancel('wall', this.cursor.key, name);
  }

  eventTimeOf(name: string): number | null {
    return this.table.timeOf('event', this.cursor.key, name);
  }

  wallTimeOf(name: string): number | null {
    return this.table.timeOf('wall', this.cursor.key, name);
  }

  private set(kind: TimerKind, name: string, time: number): void {
    if (!Number.isSafeInteger(time) || time < 0) {
      throw new TypeError(`a timer's time is a number of milliseconds from 1970 on, not ${String(time)}`);
    }
    this.table.set(kind, this.cursor.key, name, time);
    this.alarms[kind].due(time);
  }
}

class NoTimers implements Timers {
  setEventTime(): never {
    return this.refuse();
  }
  setWallTime(): never {
    return this.refuse();
  }
  cancelEventTime(): boolean {
    return false;
  }
  cancelWallTime(): boolean {
    return false;
  }
  eventTimeOf(): null {
    return null;
  }
  wallTimeOf(): null {
    return null;
  }
  private refuse(): never {
    throw new TypeError('a function that sets timers needs onTimer');
  }
}

class BroadcastHandle implements BroadcastState<unknown, unknown> {
  private readonly store: GlobalStorePort;
  private readonly keys: Codec<unknown>;

  constructor(store: GlobalStorePort, keySerde: AnySerde) {
    this.store = store;
    this.keys = compileCodec(keySerde);
  }

  get(key: unknown): unknown {
    return this.store.get(this.keys.toBinary(key)) ?? null;
  }

  entries(): [key: unknown, value: unknown][] {
    const entries: [unknown, unknown][] = [];
    for (const [key, value] of this.store.entries()) entries.push([this.keys.fromBinary(key, false), value]);
    return entries;
  }
}

class Context implements KeyedContext<unknown, unknown, StateDescriptors> {
  key: unknown = null;
  timestamp = 0;
  readonly state: Readonly<Record<string, never>>;
  readonly broadcast: Readonly<Record<string, never>>;
  readonly timers: Timers;
  private readonly site: Site;
  private readonly cursor: KeyCursor;
  private readonly next: StreamFunction;
  private readonly sides = new Map<string, StreamFunction>();

  constructor(
    site: Site,
    cursor: KeyCursor,
    next: StreamFunction,
    state: Readonly<Record<string, ForgettingState>>,
    broadcast: Readonly<Record<string, BroadcastHandle>>,
    timers: Timers,
  ) {
    this.site = site;
    this.cursor = cursor;
    this.next = next;
    this.state = state as unknown as Readonly<Record<string, never>>;
    this.broadcast = broadcast as unknown as Readonly<Record<string, never>>;
    this.timers = timers;
    for (const tag of site.sides) this.sides.set(tag, site.side(tag));
  }

  get eventTime(): number {
    return this.cursor.eventTime;
  }

  get wallTime(): number {
    return this.cursor.wallTime();
  }

  get record(): RecordMetadata {
    return this.site.context;
  }

  // Functions of their own, for who takes them out of the context: `onRecord(value, { emit, state })`.
  readonly emit = (value: unknown, options?: EmitOptions): void => {
    this.forward(this.next, value, options);
  };

  readonly output = <T>(tag: OutputTag<T>, value: T, options?: EmitOptions): void => {
    const side = this.sides.get(tag.name);
    if (side !== undefined) this.forward(side, value, options);
  };

  private forward(to: StreamFunction, value: unknown, options: EmitOptions | undefined): void {
    const { key, timestamp } = this;
    if (options === undefined) {
      to(key, value ?? null, timestamp);
      return;
    }
    const { context } = this.site;
    const before = context.outputHeaders;
    if (options.headers !== undefined) context.outputHeaders = options.headers;
    to(key, value ?? null, options.timestamp ?? timestamp);
    context.outputHeaders = before;
  }
}

export function keyedProcessOperator(fn: LooseKeyedProcessFunction, keySerde: AnySerde): Operator {
  const states = Object.entries(fn.state ?? {});
  const withTimers = needsTimers(fn);
  const stores = states.map(([name]) => stateStoreName(fn, name));
  if (withTimers) stores.push(timerStoreName(fn));
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores,
    reads: states.map(([name, descriptor]): OperatorRead => {
      const store = stateStoreName(fn, name);
      return {
        keySerde,
        ahead: isGrouped(descriptor)
          ? { kind: 'range', store, from: () => '' as BinaryString }
          : { kind: 'key', store },
      };
    }),
    runsUserCode: true,
    hasSides: true,
    fold: (site, children) => foldKeyedProcess(fn, keySerde, site, toEachStream(children)),
  };
}

function foldKeyedProcess(
  fn: LooseKeyedProcessFunction,
  keySerde: AnySerde,
  site: Site,
  next: StreamFunction,
): StreamFunction {
  const states = Object.entries(fn.state ?? {});
  const { fromSource, codec } = site.keyEncoder(keySerde);
  const keyCodec = compileCodec(keySerde);
  const { links } = site;
  const clock = site.clock();
  const cursor = new KeyCursor(() => site.wallTime());
  const table = needsTimers(fn) ? new TimerTable(site.orderedStore(timerStoreName(fn))) : null;
  const handles = new Map(
    states.map(([name, descriptor]) => [
      name,
      makeHandle(descriptor, name, stateStoreName(fn, name), site, cursor, table),
    ]),
  );

  const runTimer = (timer: FiredTimer & { readonly key: BinaryString }): void => {
    cursor.key = timer.key;
    context.key = keyCodec.fromBinary(timer.key, false);
    context.timestamp = timer.time;
    const isLinked = links.enabled && links.emit(timer.key);
    try {
      fn.onTimer!({ name: timer.name, kind: timer.kind, time: timer.time }, context);
    } catch (error) {
      throw site.blame(error);
    }
    if (isLinked) links.done();
    wakeForLooks();
  };
  const look = (kind: TimerKind, now: number): void => {
    const due = table!.takeLook(kind, now)!;
    cursor.key = due.key;
    // Absent: an older version of the function declared it.
    const again = handles.get(due.state)?.forget(due.key, due.suffix) ?? null;
    if (again !== null) table!.lookAt(kind, again, due.state, due.key, due.suffix);
  };
  const fire = (kind: TimerKind, now: number, skip: boolean): number => {
    cursor.eventTime = kind === 'event' ? clock.observe(now) : clock.now;
    const lookTime = table!.lookTime(kind);
    // What is forgotten at the time of a timer is forgotten before it.
    if (lookTime <= now && lookTime <= table!.timerTime(kind)) {
      look(kind, now);
    } else {
      const timer = table!.takeTimer(kind, now);
      if (timer !== null && !skip && fn.onTimer !== undefined) runTimer(timer);
    }
    return Math.min(table!.lookTime(kind), table!.timerTime(kind));
  };

  let timers: Timers = new NoTimers();
  let wakeForLooks: () => void = () => undefined;
  if (table !== null) {
    const alarms = {
      event: site.alarm('event', (now, skip) => fire('event', now, skip === true)),
      wall: site.alarm('wall', (now, skip) => fire('wall', now, skip === true)),
    };
    if (fn.onTimer !== undefined) timers = new KeyedTimers(table, cursor, alarms);
    if (states.some(([, { ttl }]) => ttl !== null)) {
      wakeForLooks = () => {
        alarms.event.due(table.lookTime('event'));
        alarms.wall.due(table.lookTime('wall'));
      };
    }
  }
  const named = Object.fromEntries(handles);
  const broadcast = Object.fromEntries(
    Object.entries(fn.broadcast ?? {}).map(([name, { storeName, keySerde: ofTable }]) => [
      name,
      new BroadcastHandle(site.globalStore(storeName), ofTable),
    ]),
  );
  const context: Context = new Context(site, cursor, next, named, broadcast, timers);

  return (key, value, timestamp) => {
    if (key === null || key === undefined) {
      site.drop('MILLRACE_NULL_KEY', 'null key in a keyed process function');
      return;
    }
    if (value === null || value === undefined) {
      site.drop('MILLRACE_NULL_VALUE', 'null value in a keyed process function');
      return;
    }
    cursor.eventTime = clock.observe(timestamp);
    cursor.key = fromSource ? site.context.rawKey! : codec.toBinary(key);
    context.key = key;
    context.timestamp = timestamp;
    const isLinked = links.enabled && links.through(cursor.key);
    try {
      fn.onRecord(value, context);
    } catch (error) {
      throw site.blame(error);
    }
    if (isLinked) links.done();
    wakeForLooks();
  };
}
