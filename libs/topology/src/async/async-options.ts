// Owns how calls to the outside are asked for: what the user's function is given, and the options of `mapAsync`.
import type { RecordHeader } from '#libs/core';
import type { SerdeOf } from '../options.ts';
import type { FailureOptions } from '../options/failure-policy.ts';

/** What a call knows of its record. */
export interface AsyncCall<K> {
  readonly key: K;
  /** Milliseconds since the Unix epoch, of the record. */
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted when the call has timed out or its task is closed: pass it on to what you call. */
  readonly signal: AbortSignal;
}

export interface AsyncRetries {
  /** Tries after the first one. */
  readonly max: number;
  /** Before the first retry, in milliseconds; doubled for each further one. Default 100. */
  readonly backoffMs?: number | undefined;
  /** Default 10,000. */
  readonly backoffMsMax?: number | undefined;
  /** Which failures are tried again; default all. */
  readonly retryOn?: ((error: unknown) => boolean) | undefined;
}

/** Compared both ways round, as methods are: else a `KStream<string, string>` would be no `KStream<string, string | null>`. */
type FailureHandler<K, V, R> = { handle(error: Error, value: V, key: K): R }['handle'];

export interface AsyncOptions<K, V, R> extends FailureOptions {
  /** Names the node and its store `<name>-in-flight`. Must not change between versions. */
  readonly name: string;
  /**
   * `ordered` (default): results leave in the order of their records. `perKey`: in order for each key, one call of a key at a time.
   * `unordered`: as they come.
   */
  readonly order?: 'ordered' | 'perKey' | 'unordered' | undefined;
  /** Calls of one task at a time. Default 64. */
  readonly concurrency?: number | undefined;
  /**
   * Records of one task that wait, are being called for, or wait for an earlier one; beyond it the task takes no further input.
   * They are in memory and in the store. Default 1,000.
   */
  readonly bufferedRecordsMax?: number | undefined;
  /** Of one try, in milliseconds of the wall clock. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Default: none. */
  readonly retries?: AsyncRetries | undefined;
  /**
   * When the last try has failed. `fail` (default): as any error in processing, MILLRACE_ASYNC_CALL_FAILED. `skip`: the record has no result;
   * counted and logged. A function: its result is the call's.
   */
  readonly onFailure?: 'fail' | 'skip' | FailureHandler<K, V, R> | undefined;
  /** Of the records on their way; default: the stream's own. */
  readonly keySerde?: SerdeOf<NonNullable<K>> | undefined;
  readonly valueSerde?: SerdeOf<NonNullable<V>> | undefined;
  /** Of the results, for operators that follow. */
  readonly resultSerde?: SerdeOf<NonNullable<R>> | undefined;
}

/** The options with their defaults, types loosened, for the operator. */
export interface AsyncPlan {
  readonly name: string;
  readonly order: 'ordered' | 'perKey' | 'unordered';
  readonly concurrency: number;
  readonly bufferedRecordsMax: number;
  readonly timeoutMs: number;
  readonly retries: { readonly [N in keyof AsyncRetries]-?: NonNullable<AsyncRetries[N]> };
  readonly onFailure: 'fail' | 'skip' | ((error: Error, value: unknown, key: unknown) => unknown);
}

export type LooseAsyncOptions = AsyncOptions<NonNullable<unknown>, NonNullable<unknown>, unknown>;

export function asyncPlan(options: Partial<LooseAsyncOptions> & { readonly name: string }): AsyncPlan {
  const { retries } = options;
  return {
    name: options.name,
    order: options.order ?? 'ordered',
    concurrency: options.concurrency ?? 64,
    bufferedRecordsMax: options.bufferedRecordsMax ?? 1_000,
    timeoutMs: options.timeoutMs ?? 30_000,
    retries: {
      max: retries?.max ?? 0,
      backoffMs: retries?.backoffMs ?? 100,
      backoffMsMax: retries?.backoffMsMax ?? 10_000,
      retryOn: retries?.retryOn ?? (() => true),
    },
    onFailure: (options.onFailure ?? 'fail') as AsyncPlan['onFailure'],
  };
}

export function inFlightStoreName({ name }: { readonly name: string }): string {
  return `${name}-in-flight`;
}
