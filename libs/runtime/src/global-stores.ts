// Owns the global stores of a process: tables that every instance holds whole, read from their topics in the background, committed
// records only. It has a reader of its own, commits no offsets, and starts from the beginning with every start.
//
//   CATCHING_UP ─every partition read to the end it had at start─► FOLLOWING ─close─► CLOSED
//
// 1. A record is decoded when it arrives, to see that it can be, and kept encoded: what cannot be decoded replaces nothing.
// 2. What a task looks up may be newer than the record it processes.
// All of it is in memory: the keys and values of the topics, and some 200 bytes an entry.
import type { BrokerClient, FetchedChunk, RecordReader } from '#libs/broker';
import { RecordColumns } from '#libs/broker';
import { FatalError, MillraceError, asError, formatTopicPartition, yieldToIo } from '#libs/core';
import type { BinaryString, Clock, Logger, TopicPartition } from '#libs/core';
import { SchemaPending, compileCodec, detachBinary } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { GlobalStorePort, GlobalStoreSpec } from '#libs/topology';
import type { ExceptionHandler } from './failure-policy.ts';
import { LookUps } from './look-ups.ts';
import type { RestoreListener } from './store-restorer.ts';

/** What restore listeners are told as the task of a global store. */
export const GLOBAL_TASK = 'global';

const WAIT_MS = 500;
/** Records between two yields to I/O. */
const SLICE_RECORDS = 5_000;

interface GlobalEntry {
  readonly encoded: BinaryString;
  readonly timestamp: number;
  readonly partition: number;
}

class GlobalStore implements GlobalStorePort {
  readonly spec: GlobalStoreSpec;
  readonly rows = new Map<BinaryString, GlobalEntry>();
  readonly keyCodec: Codec<unknown>;
  readonly valueCodec: Codec<unknown>;

  constructor(spec: GlobalStoreSpec) {
    this.spec = spec;
    this.keyCodec = compileCodec(spec.keySerde);
    this.valueCodec = compileCodec(spec.valueSerde);
  }

  get(key: BinaryString): unknown {
    const entry = this.rows.get(key);
    return entry === undefined ? undefined : this.valueCodec.fromBinary(entry.encoded, false);
  }

  timestampOf(key: BinaryString): number {
    return this.rows.get(key)?.timestamp ?? -1;
  }

  *entries(): Generator<readonly [key: BinaryString, value: unknown]> {
    for (const [key, { encoded }] of this.rows) yield [key, this.valueCodec.fromBinary(encoded, false)];
  }
}

interface GlobalPartition extends TopicPartition {
  readonly store: GlobalStore;
  startOffset: number;
  /** The end it had when it was assigned; reached once `caughtUp`. */
  readonly endOffset: number;
  position: number;
  caughtUp: boolean;
  records: number;
  /** On the monotonic clock. */
  readonly startedAt: number;
}

export interface GlobalStoresParts {
  readonly specs: readonly GlobalStoreSpec[];
  readonly client: BrokerClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deserialization: ExceptionHandler;
  readonly listener: RestoreListener | null;
  /** Reading failed for good, or a record under the policy `fail`. */
  readonly onFailed: (error: MillraceError) => void;
}

export class GlobalStores {
  /** Every store holds what its topic held at start. */
  isReady: boolean;
  /** Resolves when `isReady`; stays pending when reading fails. */
  readonly ready: Promise<void>;
  private readonly parts: GlobalStoresParts;
  private readonly stores = new Map<string, GlobalStore>();
  private readonly partitions = new Map<string, GlobalPartition[]>();
  private readonly columns = new RecordColumns();
  private readonly lookUps: LookUps;
  private reader: RecordReader | null = null;
  private running: Promise<void> | null = null;
  private closed = false;
  private settleReady!: () => void;

  constructor(parts: GlobalStoresParts) {
    this.parts = parts;
    this.lookUps = new LookUps(parts.clock, parts.logger, 'Reading the global tables');
    this.ready = new Promise((resolve) => {
      this.settleReady = resolve;
    });
    this.isReady = parts.specs.length === 0;
    if (this.isReady) this.settleReady();
    for (const spec of parts.specs) this.stores.set(spec.name, new GlobalStore(spec));
  }

  store(name: string): GlobalStorePort {
    const store = this.stores.get(name);
    if (store !== undefined) return store;
    throw new MillraceError({
      code: 'MILLRACE_INVALID_TOPOLOGY',
      message: `There is no global store "${name}"; there are ${[...this.stores.keys()].join(', ') || 'none'}.`,
      remedy: 'Name a global table of the topology.',
    });
  }

  /** Committed rows by encoded key, for queries. They change as the topic is read. */
  rows(
    name: string,
  ): ReadonlyMap<BinaryString, { readonly encoded: BinaryString; readonly timestamp: number }> {
    return (this.store(name) as GlobalStore).rows;
  }

  /** Begins to read. Resolves once the ends are known. @throws MillraceError MILLRACE_TOPIC_MISSING and what the broker answers. */
  async start(): Promise<void> {
    const { client } = this.parts;
    if (this.stores.size === 0) return;
    const inputs: (TopicPartition & { readonly store: GlobalStore })[] = [];
    for (const store of this.stores.values()) {
      const { topic } = store.spec;
      const count = await client.partitionCount(topic);
      for (let partition = 0; partition < count; partition++) inputs.push({ store, topic, partition });
    }
    const [starts, ends] = await Promise.all([
      client.admin.offsets(inputs, 'earliest', 'read_committed'),
      client.admin.offsets(inputs, 'latest', 'read_committed'),
    ]);
    this.reader = client.createReader({ isolation: 'read_committed' });
    for (const { store, topic, partition } of inputs) {
      const key = formatTopicPartition(topic, partition);
      const startOffset = starts.get(key) ?? 0;
      const endOffset = ends.get(key) ?? 0;
      const added = {
        store,
        topic,
        partition,
        startOffset,
        endOffset,
        position: startOffset,
        caughtUp: false,
        records: 0,
        startedAt: this.parts.clock.monotonic(),
      };
      // Several stores may be made of one topic.
      const shared = this.partitions.get(key);
      if (shared === undefined) {
        this.partitions.set(key, [added]);
        this.reader.assign(topic, partition, startOffset);
      } else {
        shared.push(added);
      }
      this.report('start', added);
    }
    this.running = this.run(this.reader).catch((error: unknown) => {
      if (!this.closed) this.parts.onFailed(asReadFailure(error));
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.reader?.wake();
    await this.running;
    await this.reader?.close();
  }

  private async run(reader: RecordReader): Promise<void> {
    while (!this.closed) {
      let chunk: FetchedChunk | undefined;
      try {
        chunk = reader.take();
      } catch (error) {
        await this.readAnew(reader, error);
        continue;
      }
      if (chunk !== undefined) {
        await this.take(chunk);
        continue;
      }
      this.findCaughtUp(reader);
      await reader.waitForChunk(WAIT_MS);
    }
  }

  private async take(chunk: FetchedChunk): Promise<void> {
    const partitions = this.partitions.get(formatTopicPartition(chunk.topic, chunk.partition)) ?? [];
    const { columns } = this;
    for (const batch of chunk.batches) {
      columns.decode(batch, chunk.startOffset);
      for (const fed of partitions) {
        const { store, topic, partition } = fed;
        fed.records += columns.count;
        for (let i = 0; i < columns.count && !this.closed; i++) {
          if (i % SLICE_RECORDS === SLICE_RECORDS - 1) await yieldToIo(this.parts.clock);
          const schema = this.apply(store, topic, partition, i);
          if (schema !== undefined) await schema;
        }
      }
    }
    for (const partition of partitions) {
      partition.position = chunk.nextOffset;
      if (!partition.caughtUp) this.report('batch', partition);
    }
  }

  /** A promise only where a schema has to be asked for. */
  private apply(store: GlobalStore, topic: string, partition: number, i: number): Promise<void> | undefined {
    const { columns } = this;
    const rawKey = columns.key(i);
    // As Kafka Streams': a record without a key says nothing about any.
    if (rawKey === null) return undefined;
    const rawValue = columns.value(i);
    try {
      // Keys are kept as the serde writes them: that is how they are looked up.
      const key = detachBinary(store.keyCodec.toBinary(store.keyCodec.fromBinary(rawKey, columns.asciiKeys)));
      if (rawValue === null) {
        store.rows.delete(key);
        return undefined;
      }
      store.valueCodec.fromBinary(rawValue, columns.asciiValues);
      const timestamp = columns.timestamps[i]!;
      store.rows.set(key, { encoded: detachBinary(rawValue), timestamp, partition });
    } catch (error) {
      if (error instanceof SchemaPending)
        return this.lookUps.wait(error.ready).then(() => this.apply(store, topic, partition, i));
      this.onUndecodable(store, topic, partition, i, error);
    }
    return undefined;
  }

  private onUndecodable(
    store: GlobalStore,
    topic: string,
    partition: number,
    i: number,
    cause: unknown,
  ): void {
    const offset = this.columns.offsets[i]!;
    const timestamp = this.columns.timestamps[i]!;
    const error = new FatalError({
      code: 'MILLRACE_DESERIALIZATION_FAILED',
      message: `The record of ${topic}-${partition} at offset ${offset} cannot be decoded for the global store "${store.spec.name}": ${asError(cause).message}.`,
      remedy: 'Correct the serde, or set exceptionHandlers.deserialization to continue.',
      cause,
      context: { topic, partition, offset, store: store.spec.name },
    });
    const response = this.parts.deserialization({
      stage: 'deserialization',
      taskId: GLOBAL_TASK,
      error,
      topic,
      partition,
      offset,
      timestamp,
    });
    if (response === 'fail') throw error;
    // No transaction is at hand for a dead letter: the record is left out, and said to be.
    this.parts.logger.warn(`Skipped a record of a global store: ${error.message}`, error.context);
  }

  private findCaughtUp(reader: RecordReader): void {
    if (this.isReady) return;
    let all = true;
    for (const partitions of this.partitions.values()) {
      for (const partition of partitions) {
        if (partition.caughtUp) continue;
        // The end may lie behind control batches only: nothing more is delivered then.
        partition.position = reader.position(partition.topic, partition.partition);
        if (partition.position < partition.endOffset) {
          all = false;
          continue;
        }
        partition.caughtUp = true;
        this.report('end', partition);
      }
    }
    if (!all) return;
    this.isReady = true;
    this.settleReady();
  }

  /** The topic was trimmed past the position: what lies below may hold deletions, so the partition is read from its start anew. */
  private async readAnew(reader: RecordReader, error: unknown): Promise<void> {
    const { code, context } = error as { code?: unknown; context?: { topic?: unknown; partition?: unknown } };
    const key = formatTopicPartition(String(context?.topic), Number(context?.partition));
    const partitions = this.partitions.get(key);
    if (code !== 'MILLRACE_OFFSET_OUT_OF_RANGE' || partitions === undefined) throw error;
    const { topic, partition } = partitions[0]!;
    this.parts.logger.warn(`Topic partition ${key} no longer reaches back far enough; it is read anew`);
    const starts = await this.parts.client.admin.offsets(
      [{ topic, partition }],
      'earliest',
      'read_committed',
    );
    const start = starts.get(key) ?? 0;
    for (const { store } of partitions) {
      for (const [entryKey, entry] of store.rows)
        if (entry.partition === partition) store.rows.delete(entryKey);
    }
    for (const shared of partitions) {
      shared.startOffset = start;
      shared.position = start;
    }
    reader.assign(topic, partition, start);
  }

  private report(event: Parameters<RestoreListener>[0], partition: GlobalPartition): void {
    const { store, startOffset, position, endOffset } = partition;
    this.parts.listener?.(event, {
      taskId: GLOBAL_TASK,
      store: store.spec.name,
      role: 'active',
      startOffset,
      position,
      endOffset,
      records: partition.records,
      recordsPerSecond: Math.round(
        (partition.records * 1_000) / Math.max(1, this.parts.clock.monotonic() - partition.startedAt),
      ),
    });
  }
}

function asReadFailure(error: unknown): MillraceError {
  if (error instanceof FatalError) return error;
  return new FatalError({
    code: error instanceof MillraceError ? error.code : 'MILLRACE_STATE_FAILED',
    message: `A global store cannot be read: ${asError(error).message}`,
    remedy: 'See the cause.',
    cause: error,
  });
}
