// Owns what an operator is to the compiler: what it does to keys and values, which stores it uses, and how it folds into a
// closure in front of its children. Operators never wrap errors of user functions; they note whose they are.
import type { ErrorCode } from '#libs/core';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { GlobalStoreSpec, ReadAhead, StoreSpec } from '../plan.ts';
import type {
  Alarm,
  AlarmFunction,
  GlobalStorePort,
  LinksPort,
  OperatorClock,
  OrderedStorePort,
  RecordContext,
  StorePort,
  TaskPorts,
} from '../ports.ts';

/** A record of a stream on its way through one task. */
export type StreamFunction = (key: unknown, value: unknown, timestamp: number) => void;

/** A change of a table: Kafka Streams' `Change(newValue, oldValue)`, without the object. `null`: no value. */
export type TableFunction = (key: unknown, newValue: unknown, oldValue: unknown, timestamp: number) => void;

/** How an operator gets the encoded key of the record it is given. */
export interface KeyEncoder {
  /** True: the source record's key bytes are the encoded key. Then `codec` is not needed. */
  readonly fromSource: boolean;
  readonly codec: Codec<unknown>;
}

/** One operator's place in one task. */
export interface Site {
  readonly node: string;
  readonly taskId: string;
  readonly applicationId: string;
  readonly context: RecordContext;
  /** Of this node. */
  readonly links: LinksPort;
  /** Of a store that several nodes share. */
  linksOf(store: string): LinksPort;
  store(name: string): StorePort;
  orderedStore(name: string): OrderedStorePort;
  globalStore(name: string): GlobalStorePort;
  keyEncoder(keySerde: AnySerde): KeyEncoder;
  /** Counts and logs a record dropped by rule. */
  drop(code: ErrorCode, reason: string): void;
  /** Notes that a user function of this node threw `error`, and gives it back to be thrown on. */
  blame(error: unknown): unknown;
  /** The operator's event time; at most one per operator. */
  clock(onAdvance?: (now: number) => void): OperatorClock;
  alarm(kind: 'event' | 'wall', fire: AlarmFunction): Alarm;
  wallTime(): number;
  readonly post: TaskPorts['post'];
  readonly intake: TaskPorts['intake'];
  /** See `TaskPorts.unfinished`. */
  unfinished(holder: object, isUnderWay: boolean): void;
  /** In front of the nodes that take the side output `tag` of this one: late records, tagged outputs, named children. */
  side(tag: string): StreamFunction;
  /** Tags that somebody takes. */
  readonly sides: readonly string[];
  /** Names of the nodes behind the operator, in the order of its `children`. */
  readonly childNames: readonly string[];
  /** Event time of a store that forgets, one per store and task whoever asks: rows are dropped by it. */
  storeClock(store: string): OperatorClock;
  /** What the operator's time is committed under: of no other operator, and the same in every version that has its stores. */
  readonly clockName: string;
  /** A time that only this operator moves, kept with a store of its own: how far it has come. */
  ownClock(store: string): OperatorClock;
  /** A store connected with this node, or a global one; `null`: neither. */
  storeSpec(name: string): StoreSpec | null;
  globalStoreSpec(name: string): GlobalStoreSpec | null;
  /**
   * For what an operator must keep outside of stores and clocks: `begin` runs before each scope of the task, `undo` after one that is
   * undone.
   */
  onScope(hooks: { readonly begin: () => void; readonly undo: () => void }): void;
  /** Runs in the task's first scope; see `CompiledTask.init`. */
  onInit(action: () => void): void;
  onClose(action: () => void): void;
}

/** What an operator looks up by the record's own key, encoded by `keySerde`. */
export interface OperatorRead {
  readonly keySerde: AnySerde;
  readonly ahead: ReadAhead;
}

interface OperatorCommon {
  /** `kept`: every record it forwards, to sides too, has the key of the source record in process. Else its bytes are made anew. */
  readonly key: 'kept' | 'changed';
  /** `changed`, `kept`, or a fresh value that was just set in the store named. */
  readonly value: 'changed' | 'kept' | { readonly fromStore: string; readonly valueSerde: AnySerde };
  /** Stores this node is connected with, in the order of declaration. */
  readonly stores: readonly string[];
  readonly reads: readonly OperatorRead[];
  /** Global stores it looks up; for pictures of the topology only. */
  readonly globalStores?: readonly string[];
  /** Runs functions of the user's, which might change a value in place. */
  readonly runsUserCode: boolean;
  /** Offers side outputs (`site.side`): `sideOutput` on its stream is not a mistake. */
  readonly hasSides?: boolean;
  /** A left join: repartition topics upstream keep null keys. */
  readonly wantsNullKeys?: boolean;
  /** A windowed aggregation: how long after its end a window closes. */
  readonly windowGraceMs?: number;
}

export type Operator = OperatorCommon &
  (
    | {
        readonly takes: 'stream';
        readonly gives: 'stream';
        fold(site: Site, children: readonly StreamFunction[]): StreamFunction;
      }
    | {
        readonly takes: 'stream';
        readonly gives: 'table';
        fold(site: Site, children: readonly TableFunction[]): StreamFunction;
      }
    | {
        readonly takes: 'table';
        readonly gives: 'table';
        fold(site: Site, children: readonly TableFunction[]): TableFunction;
      }
    | {
        readonly takes: 'table';
        readonly gives: 'stream';
        fold(site: Site, children: readonly StreamFunction[]): TableFunction;
      }
  );

/** The look-up of the record's own key in a key-value store. */
export function byKey(store: { readonly name: string; readonly keySerde: AnySerde }): OperatorRead {
  return { keySerde: store.keySerde, ahead: { kind: 'key', store: store.name } };
}

const END_OF_STREAM: StreamFunction = () => undefined;
const END_OF_TABLE: TableFunction = () => undefined;

/** One function in front of all children. The common case, one child, adds no call. */
export function toEachStream(children: readonly StreamFunction[]): StreamFunction {
  const [first, second] = children;
  if (first === undefined) return END_OF_STREAM;
  if (second === undefined) return first;
  if (children.length === 2) {
    return (key, value, timestamp) => {
      first(key, value, timestamp);
      second(key, value, timestamp);
    };
  }
  const all = [...children];
  return (key, value, timestamp) => {
    for (let index = 0; index < all.length; index++) all[index]!(key, value, timestamp);
  };
}

/** As `toEachStream`, for the changes of a table. */
export function toEachTable(children: readonly TableFunction[]): TableFunction {
  const [first, second] = children;
  if (first === undefined) return END_OF_TABLE;
  if (second === undefined) return first;
  const all = [...children];
  return (key, newValue, oldValue, timestamp) => {
    for (let index = 0; index < all.length; index++) all[index]!(key, newValue, oldValue, timestamp);
  };
}
