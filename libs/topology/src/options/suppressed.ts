// Owns how a table's updates are held back, under Kafka Streams' names. It checks nothing: `suppress` does.
import type { SerdeOf } from '../options.ts';

/**
 * How much a buffer holds, and what happens when it is full. `W` is `'shutDown'` for strict buffers, which never emit early, and `'emit'`
 * for eager ones. Bytes are an estimate: keys, values, topic and headers, as Kafka Streams counts them.
 */
export interface BufferConfig<W extends 'shutDown' | 'emit' = 'shutDown' | 'emit'> {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly whenFull: W;
  readonly loggingEnabled: boolean;
  readonly changelogConfig: Readonly<Record<string, string>>;
  withMaxRecords(maxRecords: number): BufferConfig<W>;
  withMaxBytes(maxBytes: number): BufferConfig<W>;
  /** No limit but memory. */
  withNoBound(): StrictBufferConfig;
  /** A full buffer stops the application with MILLRACE_SUPPRESS_BUFFER_FULL. */
  shutDownWhenFull(): StrictBufferConfig;
  /** A full buffer emits its oldest updates before their time. */
  emitEarlyWhenFull(): EagerBufferConfig;
  /** Without a changelog what is held back is lost with the machine, or when the task moves. */
  withLoggingDisabled(): BufferConfig<W>;
  withLoggingEnabled(changelogConfig: Readonly<Record<string, string>>): BufferConfig<W>;
}

export type StrictBufferConfig = BufferConfig<'shutDown'>;
export type EagerBufferConfig = BufferConfig<'emit'>;

type BufferLimits<W extends 'shutDown' | 'emit'> = Pick<
  BufferConfig<W>,
  'maxRecords' | 'maxBytes' | 'whenFull' | 'loggingEnabled' | 'changelogConfig'
>;

function bufferConfig<W extends 'shutDown' | 'emit'>(limits: BufferLimits<W>): BufferConfig<W> {
  return {
    ...limits,
    withMaxRecords: (maxRecords) => bufferConfig({ ...limits, maxRecords }),
    withMaxBytes: (maxBytes) => bufferConfig({ ...limits, maxBytes }),
    withNoBound: () =>
      bufferConfig({ ...limits, maxRecords: Infinity, maxBytes: Infinity, whenFull: 'shutDown' }),
    shutDownWhenFull: () => bufferConfig({ ...limits, whenFull: 'shutDown' }),
    emitEarlyWhenFull: () => bufferConfig({ ...limits, whenFull: 'emit' }),
    withLoggingDisabled: () => bufferConfig({ ...limits, loggingEnabled: false, changelogConfig: {} }),
    withLoggingEnabled: (changelogConfig) =>
      bufferConfig({ ...limits, loggingEnabled: true, changelogConfig }),
  };
}

const UNBOUNDED = {
  maxRecords: Infinity,
  maxBytes: Infinity,
  loggingEnabled: true,
  changelogConfig: {},
} as const;

export const BufferConfig = {
  /** No limit but memory: the buffer is in memory, whole. */
  unbounded: (): StrictBufferConfig => bufferConfig({ ...UNBOUNDED, whenFull: 'shutDown' }),
  /** At most so many keys; emits early when full. */
  maxRecords: (maxRecords: number): EagerBufferConfig =>
    bufferConfig({ ...UNBOUNDED, maxRecords, whenFull: 'emit' }),
  /** At most so many bytes; emits early when full. */
  maxBytes: (maxBytes: number): EagerBufferConfig =>
    bufferConfig({ ...UNBOUNDED, maxBytes, whenFull: 'emit' }),
} as const;

interface SuppressedCommon<V> {
  readonly bufferConfig: BufferConfig;
  readonly name?: string | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
}

/** Only the final result of each window goes on. `V`: of the value serde, when one was given. */
export interface SuppressedUntilWindowCloses<V = never> extends SuppressedCommon<V> {
  readonly kind: 'untilWindowCloses';
  /** The buffer's name, which is required: its changelog is `<application.id>-<name>-store-changelog`. */
  withName(name: string): SuppressedUntilWindowCloses<V>;
  /** Of the table's values, where the table lost theirs on the way. */
  withValueSerde<T>(valueSerde: SerdeOf<T>): SuppressedUntilWindowCloses<T>;
}

/** Of a key's updates within a time only the last goes on. */
export interface SuppressedUntilTimeLimit<V = never> extends SuppressedCommon<V> {
  readonly kind: 'untilTimeLimit';
  readonly timeToWaitMs: number;
  /** As in `SuppressedUntilWindowCloses`. */
  withName(name: string): SuppressedUntilTimeLimit<V>;
  withValueSerde<T>(valueSerde: SerdeOf<T>): SuppressedUntilTimeLimit<T>;
}

function untilWindowCloses<V>(given: SuppressedCommon<V>): SuppressedUntilWindowCloses<V> {
  return {
    ...given,
    kind: 'untilWindowCloses',
    withName: (name) => untilWindowCloses({ ...given, name }),
    withValueSerde: (valueSerde) => untilWindowCloses({ ...given, valueSerde }),
  };
}

function untilTimeLimit<V>(timeToWaitMs: number, given: SuppressedCommon<V>): SuppressedUntilTimeLimit<V> {
  return {
    ...given,
    kind: 'untilTimeLimit',
    timeToWaitMs,
    withName: (name) => untilTimeLimit(timeToWaitMs, { ...given, name }),
    withValueSerde: (valueSerde) => untilTimeLimit(timeToWaitMs, { ...given, valueSerde }),
  };
}

export const Suppressed = {
  /** For tables with windowed keys. Must not emit early, so its buffer is strict. */
  untilWindowCloses: (config: StrictBufferConfig): SuppressedUntilWindowCloses =>
    untilWindowCloses({ bufferConfig: config }),
  /** `timeToWaitMs` is stream time after a key's first held update. It is a rate limit: with an eager buffer updates may come earlier. */
  untilTimeLimit: (timeToWaitMs: number, config: BufferConfig): SuppressedUntilTimeLimit =>
    untilTimeLimit(timeToWaitMs, { bufferConfig: config }),
  BufferConfig,
} as const;
