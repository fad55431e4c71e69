// Owns a broker client without a broker: logs in memory behind the contracts of libs/broker, for specs and profiles of the
// runtime alone. It has one member per group and no faults; what a broker does is tested on a broker.
import { EventEmitter, once } from 'node:events';
import {
  RecordBatchEncoder,
  RecordColumns,
  encodeHeaders,
  readRecordBatches,
  stampBatch,
} from '#libs/broker';
import type {
  BrokerAdmin,
  BrokerClient,
  CommittedOffset,
  CommittedTransaction,
  CommittableOffset,
  EncodedBatch,
  FetchedChunk,
  GroupMember,
  GroupMemberHandler,
  GroupMemberOptions,
  GroupMetadata,
  RecordBatchView,
  RecordReader,
  TransactionalWriter,
  WriterState,
} from '#libs/broker';
import { EpochAbortedError, formatTopicPartition, MillraceError } from '#libs/core';
import type { BinaryString, RecordHeader, TopicPartition } from '#libs/core';

const CHUNK_BYTES = 1024 * 1024;

interface Log {
  readonly batches: RecordBatchView[];
  end: number;
}

export interface StoredRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly offset: number;
  readonly headers: readonly { key: string; value: Uint8Array | null }[];
}

export class InProcessBroker {
  readonly logs = new Map<string, Log[]>();
  readonly configs = new Map<string, Readonly<Record<string, string>>>();
  readonly committed = new Map<string, CommittedOffset>();
  readonly events = new EventEmitter().setMaxListeners(0);
  /** Keep what is written to these topics; of others only the count (for profiles). `null`: keep all. */
  keepOnly: ReadonlySet<string> | null = null;
  readonly writtenRecords = new Map<string, number>();
  /** Called in a commit before it takes effect; a throw fails the commit. */
  onCommit: ((offsets: readonly CommittableOffset[]) => void | Promise<void>) | null = null;
  transactions = 0;
  readonly members: { expire(): Promise<void> }[] = [];
  writers = 0;

  createTopic(name: string, partitions: number): void {
    this.logs.set(
      name,
      Array.from({ length: partitions }, () => ({ batches: [], end: 0 })),
    );
  }

  log(topic: string, partition: number): Log {
    const log = this.logs.get(topic)?.[partition];
    if (log === undefined) throw new Error(`no ${topic}-${partition}`);
    return log;
  }

  /** Appends records as one batch. */
  produce(
    topic: string,
    partition: number,
    records: readonly {
      key: string | null;
      value: string | null;
      timestamp: number;
      headers?: readonly RecordHeader[];
    }[],
  ): void {
    const encoder = new RecordBatchEncoder();
    for (const { key, value, timestamp, headers = [] } of records) {
      const encoded = encodeHeaders(headers);
      const bytes = key === null ? null : (Buffer.from(key).toString('latin1') as BinaryString);
      if (value === null) encoder.append(timestamp, bytes, null, encoded);
      else encoder.appendText(timestamp, bytes, value, encoded);
    }
    this.append(topic, partition, encoder.finish()!);
    this.events.emit('data');
  }

  append(topic: string, partition: number, batch: EncodedBatch): number {
    const log = this.log(topic, partition);
    this.writtenRecords.set(topic, (this.writtenRecords.get(topic) ?? 0) + batch.recordCount);
    const end = log.end + batch.recordCount;
    if (this.keepOnly === null || this.keepOnly.has(topic)) {
      stampBatch(batch, { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true });
      const bytes = Buffer.from(batch.bytes);
      bytes.writeBigInt64BE(BigInt(log.end), 0);
      log.batches.push(...readRecordBatches(bytes));
    }
    batch.release();
    log.end = end;
    return end;
  }

  records(topic: string, partition: number): StoredRecord[] {
    const columns = new RecordColumns();
    const records: StoredRecord[] = [];
    for (const batch of this.log(topic, partition).batches) {
      columns.decode(batch, 0);
      for (let i = 0; i < columns.count; i++) {
        const text = (binary: string | null) =>
          binary === null ? null : Buffer.from(binary, 'latin1').toString();
        records.push({
          key: text(columns.key(i)),
          value: text(columns.value(i)),
          timestamp: columns.timestamps[i]!,
          offset: columns.offsets[i]!,
          headers: columns.readHeaders(i),
        });
      }
    }
    return records;
  }

  client(): BrokerClient {
    return new InProcessClient(this);
  }
}

class InProcessClient implements BrokerClient {
  readonly admin: BrokerAdmin;
  private readonly broker: InProcessBroker;

  constructor(broker: InProcessBroker) {
    this.broker = broker;
    this.admin = new InProcessAdmin(broker);
  }

  createReader(): RecordReader {
    return new InProcessReader(this.broker);
  }

  createTransactionalWriter(options: { transactionalId: string }): TransactionalWriter {
    this.broker.writers++;
    return new InProcessWriter(this.broker, options.transactionalId);
  }

  createIdempotentWriter(): never {
    throw new Error('not offered');
  }

  createGroupMember(options: GroupMemberOptions, handler: GroupMemberHandler): GroupMember {
    const member = new InProcessMember(options.groupId, handler);
    this.broker.members.push(member);
    return member;
  }

  createStreamsGroupMember(): never {
    throw new Error('streams groups need a broker');
  }

  partitionCount(topic: string): Promise<number> {
    const log = this.broker.logs.get(topic);
    return log === undefined ? Promise.reject(new Error(`no topic ${topic}`)) : Promise.resolve(log.length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class InProcessReader implements RecordReader {
  readonly isolation = 'read_committed';
  readonly bufferedBytes = 0;
  private readonly broker: InProcessBroker;
  private readonly positions = new Map<
    string,
    { topic: string; partition: number; offset: number; paused: boolean }
  >();

  constructor(broker: InProcessBroker) {
    this.broker = broker;
  }

  assign(topic: string, partition: number, offset: number): void {
    this.positions.set(formatTopicPartition(topic, partition), { topic, partition, offset, paused: false });
  }

  unassign(topic: string, partition: number): void {
    this.positions.delete(formatTopicPartition(topic, partition));
  }

  pause(topic: string, partition: number): void {
    const position = this.positions.get(formatTopicPartition(topic, partition));
    if (position !== undefined) position.paused = true;
  }

  resume(topic: string, partition: number): void {
    const position = this.positions.get(formatTopicPartition(topic, partition));
    if (position !== undefined) position.paused = false;
  }

  take(): FetchedChunk | undefined {
    for (const [key, position] of this.positions) {
      const log = this.broker.log(position.topic, position.partition);
      if (position.paused || position.offset >= log.end) continue;
      const batches: RecordBatchView[] = [];
      let bytes = 0;
      let first = 0;
      let last = log.batches.length;
      while (first < last) {
        const middle = (first + last) >>> 1;
        if (log.batches[middle]!.lastOffset < position.offset) first = middle + 1;
        else last = middle;
      }
      for (let i = first; i < log.batches.length && bytes < CHUNK_BYTES; i++) {
        // A fresh view, as a fetch would give: the decoded section of a view is kept by it.
        batches.push(...readRecordBatches(log.batches[i]!.bytes));
        bytes += log.batches[i]!.bytes.length;
      }
      const nextOffset = batches.length === 0 ? log.end : batches[batches.length - 1]!.nextOffset;
      const startOffset = position.offset;
      position.offset = nextOffset;
      // Fair over partitions: to the end of the map.
      this.positions.delete(key);
      this.positions.set(key, position);
      return {
        topic: position.topic,
        partition: position.partition,
        startOffset,
        batches,
        nextOffset,
        leaderEpoch: 0,
        highWatermark: log.end,
        lastStableOffset: log.end,
        byteLength: bytes,
        heldBytes: bytes,
      };
    }
    return undefined;
  }

  async waitForChunk(timeoutMs: number): Promise<void> {
    for (const position of this.positions.values()) {
      if (!position.paused && position.offset < this.broker.log(position.topic, position.partition).end)
        return;
    }
    const signal = AbortSignal.timeout(timeoutMs);
    await once(this.broker.events, 'data', { signal }).catch(() => undefined);
  }

  wake(): void {
    this.broker.events.emit('data');
  }

  position(topic: string, partition: number): number {
    return this.positions.get(formatTopicPartition(topic, partition))?.offset ?? -1;
  }

  endOffsets(topic: string, partition: number): { highWatermark: number; lastStableOffset: number } {
    const end = this.broker.log(topic, partition).end;
    return { highWatermark: end, lastStableOffset: end };
  }

  endsKnownAt(): number {
    return Date.now();
  }

  close(): Promise<void> {
    this.positions.clear();
    return Promise.resolve();
  }
}

/** As strict about its states as the real one, so that a caller's defect shows without a broker. */
class InProcessWriter implements TransactionalWriter {
  state: WriterState = 'NEW';
  /** All is acknowledged at once. */
  readonly pendingBytes = 0;
  readonly transactionalId: string;
  private readonly broker: InProcessBroker;
  private pending: { topic: string; partition: number; batch: EncodedBatch }[] = [];
  /** Changes with each `initialise` and the close: a commit under way then takes no effect. */
  private incarnation = 0;
  private waiting = new Set<(error: Error) => void>();
  private initialising: Promise<void> = Promise.resolve();

  constructor(broker: InProcessBroker, transactionalId: string) {
    this.broker = broker;
    this.transactionalId = transactionalId;
  }

  initialise(): Promise<void> {
    if (this.state === 'CLOSED') return Promise.reject(this.illegal('initialise'));
    if (this.state !== 'INITIALISING') this.initialising = this.takeIdentity();
    return this.initialising;
  }

  private async takeIdentity(): Promise<void> {
    this.abandon('initialised anew');
    const { incarnation } = this;
    this.state = 'INITIALISING';
    await new Promise((resolve) => setImmediate(resolve));
    if (incarnation !== this.incarnation) throw epochAborted('closed');
    this.state = 'READY';
  }

  append(topic: string, partition: number, batch: EncodedBatch): void {
    if (this.state === 'FAILED' || this.state === 'FENCED') {
      batch.release();
      return;
    }
    this.refuseUnlessOpen('append');
    this.state = 'IN_TRANSACTION';
    this.pending.push({ topic, partition, batch });
  }

  async flush(): Promise<void> {
    this.refuseUnlessOpen('flush');
    await Promise.resolve();
  }

  async commit(
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
  ): Promise<CommittedTransaction> {
    this.refuseUnlessOpen('commit');
    if (offsets.length > 0 && group === null)
      throw new Error('offsets without the group they were read under');
    if (this.state === 'READY' && offsets.length === 0) return { endOffsets: new Map() };
    this.state = 'ENDING';
    return new Promise((resolve, reject) => {
      const waiting = this.waiting.add(reject);
      this.settle(offsets)
        .finally(() => waiting.delete(reject))
        .then(resolve, reject);
    });
  }

  private async settle(offsets: readonly CommittableOffset[]): Promise<CommittedTransaction> {
    const { incarnation } = this;
    try {
      await new Promise((resolve) => setImmediate(resolve));
      await this.broker.onCommit?.(offsets);
    } catch (error) {
      if (incarnation === this.incarnation) {
        this.pending = [];
        this.state = stateAfter(error);
      }
      throw error;
    }
    // Rejected already: it must take no effect either.
    if (incarnation !== this.incarnation) return { endOffsets: new Map() };
    const endOffsets = new Map<string, number>();
    for (const { topic, partition, batch } of this.pending) {
      endOffsets.set(formatTopicPartition(topic, partition), this.broker.append(topic, partition, batch));
    }
    this.pending = [];
    for (const { topic, partition, offset, leaderEpoch, metadata } of offsets) {
      this.broker.committed.set(formatTopicPartition(topic, partition), { offset, leaderEpoch, metadata });
    }
    this.broker.transactions++;
    this.state = 'READY';
    this.broker.events.emit('data');
    return { endOffsets };
  }

  async abort(): Promise<void> {
    this.refuseUnlessOpen('abort');
    this.pending = [];
    this.state = 'READY';
    await Promise.resolve();
  }

  close(): Promise<void> {
    if (this.state !== 'CLOSED') this.abandon('closed');
    this.state = 'CLOSED';
    return Promise.resolve();
  }

  private abandon(why: string): void {
    this.incarnation++;
    this.pending = [];
    const { waiting } = this;
    this.waiting = new Set();
    for (const reject of waiting) reject(epochAborted(why));
  }

  private refuseUnlessOpen(operation: string): void {
    if (this.state === 'READY' || this.state === 'IN_TRANSACTION') return;
    if (this.state === 'FAILED' || this.state === 'FENCED') throw epochAborted('used after a failure');
    throw this.illegal(operation);
  }

  private illegal(operation: string): MillraceError {
    return new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `\`${operation}\` was called on the writer of "${this.transactionalId}" in state ${this.state}.`,
    });
  }
}

/** As the real writer: a lost generation costs the transaction alone, a fencing the identity, everything else the epoch. */
function stateAfter(error: unknown): WriterState {
  const code = error instanceof MillraceError ? error.code : undefined;
  if (code === 'MILLRACE_GENERATION_LOST') return 'READY';
  return code === 'MILLRACE_PRODUCER_FENCED' ? 'FENCED' : 'FAILED';
}

function epochAborted(why: string): EpochAbortedError {
  return new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: `The writer was ${why}.` });
}

class InProcessMember implements GroupMember {
  state: GroupMember['state'] = 'UNJOINED';
  metadata: GroupMetadata | null = null;
  rebalancing = false;
  losses = 0;
  private generation = 0;
  private readonly groupId: string;
  private readonly handler: GroupMemberHandler;

  constructor(groupId: string, handler: GroupMemberHandler) {
    this.groupId = groupId;
    this.handler = handler;
  }

  paceHeartbeats(): void {
    return undefined;
  }

  renewed(): Promise<null> {
    return Promise.resolve(null);
  }

  start(): void {
    this.requestRejoin();
  }

  requestRejoin(): void {
    this.join().catch((error: unknown) => this.handler.onFailed(error as Error));
  }

  /** The session runs out: the group gives the tasks away without asking, and the member joins again. */
  async expire(): Promise<void> {
    this.losses++;
    this.metadata = null;
    await this.handler.onLost('the session has expired');
    await this.join();
  }

  private async join(): Promise<void> {
    this.rebalancing = true;
    const subscription = await this.handler.beforeJoin();
    const member = { ...subscription, memberId: 'm', groupInstanceId: null, generationId: this.generation };
    this.generation++;
    const assignment = (await this.handler.assign([member])).get('m')!;
    this.metadata = {
      groupId: this.groupId,
      generationId: this.generation,
      memberId: 'm',
      groupInstanceId: null,
    };
    this.state = 'STABLE';
    this.rebalancing = false;
    await this.handler.onAssigned(assignment, this.metadata);
  }

  leave(): Promise<void> {
    this.state = 'LEFT';
    this.metadata = null;
    return Promise.resolve();
  }
}

class InProcessAdmin implements BrokerAdmin {
  private readonly broker: InProcessBroker;

  constructor(broker: InProcessBroker) {
    this.broker = broker;
  }

  describeTopics(names: readonly string[]): ReturnType<BrokerAdmin['describeTopics']> {
    const found = names.flatMap((name) => {
      const log = this.broker.logs.get(name);
      return log === undefined ? [] : [[name, { name, topicId: name, partitionCount: log.length }] as const];
    });
    return Promise.resolve(new Map(found));
  }

  describeGroup(): never {
    throw new Error('the in-process broker shows no group');
  }

  removeMembers(): never {
    throw new Error('the in-process broker puts nobody out');
  }

  listTopics(): Promise<readonly string[]> {
    return Promise.resolve([...this.broker.logs.keys()]);
  }

  createTopics(topics: Parameters<BrokerAdmin['createTopics']>[0]): Promise<void> {
    for (const topic of topics) {
      if (!this.broker.logs.has(topic.name)) this.broker.createTopic(topic.name, topic.partitionCount);
      this.broker.configs.set(topic.name, topic.configs ?? {});
    }
    return Promise.resolve();
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    for (const name of names) this.broker.logs.delete(name);
    return Promise.resolve();
  }

  topicConfigs(names: readonly string[]): ReturnType<BrokerAdmin['topicConfigs']> {
    return Promise.resolve(new Map(names.map((name) => [name, this.broker.configs.get(name) ?? {}])));
  }

  deleteRecords(): Promise<void> {
    return Promise.resolve();
  }

  offsets(
    partitions: readonly TopicPartition[],
    spec: Parameters<BrokerAdmin['offsets']>[1],
  ): ReturnType<BrokerAdmin['offsets']> {
    return Promise.resolve(
      new Map(
        partitions.map(({ topic, partition }) => [
          formatTopicPartition(topic, partition),
          spec === 'earliest' ? 0 : this.broker.log(topic, partition).end,
        ]),
      ),
    );
  }

  describeStreamsGroup(): Promise<null> {
    return Promise.resolve(null);
  }

  committedOffsets(
    _group: string,
    partitions: readonly TopicPartition[] | null,
  ): ReturnType<BrokerAdmin['committedOffsets']> {
    if (partitions === null) return Promise.resolve(this.broker.committed);
    const found = partitions.flatMap(({ topic, partition }) => {
      const key = formatTopicPartition(topic, partition);
      const offset = this.broker.committed.get(key);
      return offset === undefined ? [] : [[key, offset] as const];
    });
    return Promise.resolve(new Map(found));
  }

  pendingOffsets(): Promise<never[]> {
    return Promise.resolve([]);
  }

  transactions(): Promise<never[]> {
    return Promise.resolve([]);
  }

  openTransactionalIds(): Promise<never[]> {
    return Promise.resolve([]);
  }

  abortTransaction(): Promise<boolean> {
    return Promise.resolve(false);
  }

  commitOffsets(_group: string, offsets: Parameters<BrokerAdmin['commitOffsets']>[1]): Promise<void> {
    for (const { topic, partition, ...committed } of offsets) {
      this.broker.committed.set(formatTopicPartition(topic, partition), committed);
    }
    return Promise.resolve();
  }
}
