// Owns `@ExactlyOnceHandler()`: it marks a method, and nothing else happens here.
import type {
  AsyncOptions,
  Consumed,
  Produced,
  RecordHeader,
  RecordMetadata,
  SerdeOf,
  StateDescriptors,
  StateHandles,
} from '#libs/millrace';
import { DEFAULT_APPLICATION } from '../tokens.ts';

export const HANDLER_METADATA = 'millrace:exactly-once-handlers';

/** A record that a handler publishes. */
export interface HandlerOutput<K = unknown, V = unknown> {
  /** One of the handler's `outputs`; may be left out where there is only one. */
  readonly topic?: string | undefined;
  /** Default: the key of the record that was handled. */
  readonly key?: K | null | undefined;
  /** `null`: a tombstone. */
  readonly value: V | null;
  /** Milliseconds since the Unix epoch. Default: that of the record that was handled. */
  readonly timestamp?: number | undefined;
  /** Default: those of the record that was handled. */
  readonly headers?: readonly RecordHeader[] | undefined;
}

/** What a handler may return: nothing, a record, or several. */
export type HandlerResult = HandlerOutput | Iterable<HandlerOutput> | null | undefined | void;

/** What a handler knows of the record it is given. Valid within the call. */
export interface HandlerContext<S extends StateDescriptors = Record<never, never>, K = string> {
  readonly key: K;
  /** State of this key: the handler's own. */
  readonly state: StateHandles<S>;
  /** Milliseconds since the Unix epoch, of the record. */
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  /** Where the record comes from; `null` in an asynchronous handler, whose call may be made again later. */
  readonly record: RecordMetadata | null;
  /** Of an asynchronous handler: aborted when the call has timed out or its task is closed. Elsewhere never. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
}

/** How a topic is written: its serdes, and whatever else `Produced` has. Defaults: `Serdes.string()` and `Serdes.json()`. */
export type HandlerProduced = Omit<Produced<never, never>, 'keySerde' | 'valueSerde'> & {
  readonly keySerde?: HandlerSerde | undefined;
  readonly valueSerde?: HandlerSerde | undefined;
};

/** A serde of whatever type. */
export interface HandlerSerde {
  readonly name: string;
  readonly serialize: (value: never) => Uint8Array;
  readonly deserialize: (bytes: Uint8Array) => unknown;
}

export interface ExactlyOnceHandlerOptions<
  K = string,
  V = never,
  S extends StateDescriptors = Record<never, never>,
> {
  /** The application it is part of: the `name` of its `MillraceModule.forRoot`. Default: the unnamed one. */
  readonly application?: string | undefined;
  /**
   * Names the node, and prefixes the stores: `<name>-<state>`. Must not change between versions, so it is needed with `state` and
   * `async`. Default: `Class.method`.
   */
  readonly name?: string | undefined;
  /** Default `Serdes.string()`. */
  readonly keySerde?: SerdeOf<K> | undefined;
  /** Default `Serdes.json()`. */
  readonly valueSerde?: SerdeOf<V> | undefined;
  /** Whatever else `Consumed` has: `offsetReset`, `timestampExtractor`, `watermarks`. */
  readonly consumed?: Partial<Omit<Consumed<K, V>, 'keySerde' | 'valueSerde' | 'name'>> | undefined;
  /** The topics that it publishes to: one, several, or by name with how each is written. */
  readonly outputs?: string | readonly string[] | Readonly<Record<string, HandlerProduced>> | undefined;
  /** Keyed state, as of `KStream.groupByKey().process`. Null keys and values are then dropped and counted. */
  readonly state?: S | undefined;
  /**
   * For a method that is `async`: it is called as `mapAsync` calls, at least once for each record, and what it returns is published exactly
   * once. It has no state.
   */
  readonly async?:
    | (Omit<AsyncOptions<K, V, unknown>, 'name' | 'keySerde' | 'valueSerde' | 'resultSerde' | 'onFailure'> & {
        readonly onFailure?: 'fail' | 'skip' | undefined;
      })
    | undefined;
}

/** One mark of a method. */
export interface HandlerMetadata {
  readonly topic: string;
  readonly application: string;
  readonly options: ExactlyOnceHandlerOptions<unknown, unknown, StateDescriptors>;
}

/**
 * Marks a method of a provider as an exactly-once handler of a topic: it is given each record's value and a `HandlerContext`, and what it
 * returns is published in the transaction that commits the record's offset and the handler's state. Methods are synchronous unless `async` is
 * given. A method may be marked for several topics.
 */
export function ExactlyOnceHandler<K = string, V = never, S extends StateDescriptors = Record<never, never>>(
  topic: string,
  options: ExactlyOnceHandlerOptions<K, V, S> = {},
) {
  return <M extends (value: V, context: HandlerContext<S, K>) => HandlerResult | Promise<HandlerResult>>(
    _prototype: object,
    _method: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const method: object = descriptor.value!;
    const before = (Reflect.getMetadata(HANDLER_METADATA, method) ?? []) as readonly HandlerMetadata[];
    const mark: HandlerMetadata = {
      topic,
      application: options.application ?? DEFAULT_APPLICATION,
      options: options as unknown as HandlerMetadata['options'],
    };
    Reflect.defineMetadata(HANDLER_METADATA, [...before, mark], method);
  };
}
