// Owns a stand-in for the simulated cluster while that is being built: logs in memory behind the contracts of libs/broker, one
// member per group, no faults. To be replaced by libs/broker-memory behind the same port (driver-cluster.ts).
import { readRecordBatches, stampBatch } from '#libs/broker';
import type {
  BrokerAdmin,
  BrokerClient,
  CommittableOffset,
  CommittedOffset,
  CommittedTransaction,
  EncodedBatch,
  FetchedChunk,
  GroupMember,
  GroupMemberHandler,
  GroupMetadata,
  IdempotentWriter,
  RecordBatchView,
  RecordReader,
  TransactionalWriter,
  WriterState,
} from '#libs/broker';
import { EpochAbortedError, formatTopicPartition } from '#libs/core';
import type { Clock, TopicPartition } from '#libs/core';
import type { CommittedBatches, DriverCluster } from './driver-cluster.ts';
import type { InstanceLife } from './instance-life.ts';

const CHUNK_BYTES = 1024 * 1024;

interface Log {
  readonly batches: RecordBatchView[];
  end: number;
}

export class InProcessCluster implements DriverCluster {
  readonly logs = new Map<string, Log[]>();
  readonly configs = new Map<string, Readonly<Record<string, string>>>();
  readonly offsets = new Map<string, CommittedOffset>();
  readonly waiting = new Set<() => void>();
  openTransactions = 0;

  createTopic(name: string, partitions: number): void {
    this.logs.set(
      name,
      Array.from({ length: partitions }, () => ({ batches: [], end: 0 })),
    );
  }

  partitionCount(topic: string): number | undefined {
    return this.logs.get(topic)?.length;
  }

  topics(): readonly string[] {
    return [...this.logs.keys()];
  }

  log(topic: string, partition: number): Log {
    const log = this.logs.get(topic)?.[partition];
    if (log === undefined) throw new Error(`no ${topic}-${partition}`);
    return log;
  }

  append(topic: string, partition: number, batch: EncodedBatch): number {
    const end = this.write(topic, partition, batch);
    this.changed();
    return end;
  }

  write(topic: string, partition: number, batch: EncodedBatch): number {
    const log = this.log(topic, partition);
    stampBatch(batch, { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: false });
    const bytes = Buffer.from(batch.bytes);
    bytes.writeBigInt64BE(BigInt(log.end), 0);
    log.batches.push(...readRecordBatches(bytes));
    log.end += batch.recordCount;
    batch.release();
    return log.end;
  }

  changed(): void {
    for (const wake of [...this.waiting]) wake();
  }

  read(topic: string, partition: number, from: number): CommittedBatches {
    const log = this.log(topic, partition);
    if (log.end <= from) return { batches: [], nextOffset: from };
    return { batches: log.batches.slice(firstBatchAt(log, from)), nextOffset: log.end };
  }

  isConsumed(_group: string, topic: string, partition: number): boolean {
    const end = this.log(topic, partition).end;
    return end === 0 || (this.offsets.get(formatTopicPartition(topic, partition))?.offset ?? -1) >= end;
  }

  hasOpenTransaction(): boolean {
    return this.openTransactions > 0;
  }

  committed(_group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.offsets.get(formatTopicPartition(topic, partition));
  }

  client(_clientId: string, clock: Clock, life: InstanceLife): BrokerClient {
    return new InProcessClient(this, clock, life);
  }
}

function firstBatchAt(log: Log, offset: number): number {
  let first = 0;
  let last = log.batches.length;
  while (first < last) {
    const middle = (first + last) >>> 1;
    if (log.batches[middle]!.lastOffset < offset) first = middle + 1;
    else last = middle;
  }
  return first;
}

class InProcessClient implements BrokerClient {
  readonly admin: BrokerAdmin;
  private readonly broker: InProcessCluster;
  private readonly clock: Clock;
  private readonly life: InstanceLife;

  constructor(broker: InProcessCluster, clock: Clock, life: InstanceLife) {
    this.broker = broker;
    this.clock = clock;
    this.life = life;
    this.admin = new InProcessAdmin(broker);
  }

  createReader(): RecordReader {
    return new InProcessReader(this.broker, this.clock, this.life);
  }

  createTransactionalWriter(options: { transactionalId: string }): TransactionalWriter {
    return new InProcessWriter(this.broker, this.clock, this.life, options.transactionalId);
  }

  createIdempotentWriter(): IdempotentWriter {
    const { broker } = this;
    let pending: { topic: string; partition: number; batch: EncodedBatch }[] = [];
    return {
      pendingBytes: 0,
      append: (topic, partition, batch) => pending.push({ topic, partition, batch }),
      flush: () => {
        const endOffsets = new Map<string, number>();
        for (const { topic, partition, batch } of pending)
          endOffsets.set(formatTopicPartition(topic, partition), broker.append(topic, partition, batch));
        pending = [];
        return Promise.resolve({ endOffsets });
      },
      abandon: () => {
        pending = [];
      },
      close: () => Promise.resolve(),
    };
  }

  createGroupMember(options: { groupId: string }, handler: GroupMemberHandler): GroupMember {
    return new InProcessMember(options.groupId, handler);
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
  private readonly broker: InProcessCluster;
  private readonly clock: Clock;
  private readonly life: InstanceLife;
  private end: (() => void) | null = null;
  private readonly positions = new Map<
    string,
    { topic: string; partition: number; offset: number; paused: boolean }
  >();

  constructor(broker: InProcessCluster, clock: Clock, life: InstanceLife) {
    this.broker = broker;
    this.clock = clock;
    this.life = life;
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
      for (let i = firstBatchAt(log, position.offset); i < log.batches.length && bytes < CHUNK_BYTES; i++) {
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
      };
    }
    return undefined;
  }

  async waitForChunk(timeoutMs: number): Promise<void> {
    for (const position of this.positions.values()) {
      if (!position.paused && position.offset < this.broker.log(position.topic, position.partition).end)
        return;
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => this.life.reach(() => this.end?.());
      const timer = this.clock.schedule(timeoutMs, wake);
      this.broker.waiting.add(wake);
      this.end = () => {
        this.end = null;
        timer.cancel();
        this.broker.waiting.delete(wake);
        resolve();
      };
    });
  }

  wake(): void {
    this.end?.();
  }

  position(topic: string, partition: number): number {
    return this.positions.get(formatTopicPartition(topic, partition))?.offset ?? -1;
  }

  endOffsets(topic: string, partition: number): { highWatermark: number; lastStableOffset: number } {
    const end = this.broker.log(topic, partition).end;
    return { highWatermark: end, lastStableOffset: end };
  }

  close(): Promise<void> {
    this.positions.clear();
    return Promise.resolve();
  }
}

class InProcessWriter implements TransactionalWriter {
  state: WriterState = 'NEW';
  readonly pendingBytes = 0;
  readonly transactionalId: string;
  private readonly broker: InProcessCluster;
  private readonly clock: Clock;
  private readonly life: InstanceLife;
  private pending: { topic: string; partition: number; batch: EncodedBatch }[] = [];
  private incarnation = 0;

  constructor(broker: InProcessCluster, clock: Clock, life: InstanceLife, transactionalId: string) {
    this.broker = broker;
    this.clock = clock;
    this.life = life;
    this.transactionalId = transactionalId;
  }

  async initialise(): Promise<void> {
    this.incarnation++;
    this.pending = [];
    this.state = 'INITIALISING';
    await new Promise<void>((resolve) => this.clock.defer(resolve));
    this.state = 'READY';
  }

  append(topic: string, partition: number, batch: EncodedBatch): void {
    this.state = 'IN_TRANSACTION';
    this.pending.push({ topic, partition, batch });
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  async commit(offsets: readonly CommittableOffset[]): Promise<CommittedTransaction> {
    const { incarnation } = this;
    this.state = 'ENDING';
    this.broker.openTransactions++;
    await new Promise<void>((resolve) => {
      this.clock.defer(() => {
        this.broker.openTransactions--;
        this.life.reach(resolve);
      });
    });
    if (incarnation !== this.incarnation)
      throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'The epoch was abandoned.' });
    const endOffsets = new Map<string, number>();
    for (const { topic, partition, batch } of this.pending) {
      endOffsets.set(formatTopicPartition(topic, partition), this.broker.write(topic, partition, batch));
    }
    this.pending = [];
    for (const { topic, partition, offset, leaderEpoch, metadata } of offsets) {
      this.broker.offsets.set(formatTopicPartition(topic, partition), { offset, leaderEpoch, metadata });
    }
    this.state = 'READY';
    this.broker.changed();
    return { endOffsets };
  }

  abort(): Promise<void> {
    this.pending = [];
    this.state = 'READY';
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.incarnation++;
    this.state = 'CLOSED';
    return Promise.resolve();
  }
}

class InProcessMember implements GroupMember {
  state: GroupMember['state'] = 'UNJOINED';
  metadata: GroupMetadata | null = null;
  rebalancing = false;
  private generation = 0;
  private readonly groupId: string;
  private readonly handler: GroupMemberHandler;

  constructor(groupId: string, handler: GroupMemberHandler) {
    this.groupId = groupId;
    this.handler = handler;
  }

  start(): void {
    this.requestRejoin();
  }

  requestRejoin(): void {
    this.join().catch((error: unknown) => this.handler.onFailed(error as Error));
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
  private readonly broker: InProcessCluster;

  constructor(broker: InProcessCluster) {
    this.broker = broker;
  }

  describeTopics(names: readonly string[]): ReturnType<BrokerAdmin['describeTopics']> {
    const found = names.flatMap((name) => {
      const log = this.broker.logs.get(name);
      return log === undefined ? [] : [[name, { name, topicId: name, partitionCount: log.length }] as const];
    });
    return Promise.resolve(new Map(found));
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

  committedOffsets(
    _group: string,
    partitions: readonly TopicPartition[] | null,
  ): ReturnType<BrokerAdmin['committedOffsets']> {
    if (partitions === null) return Promise.resolve(this.broker.offsets);
    const found = partitions.flatMap(({ topic, partition }) => {
      const key = formatTopicPartition(topic, partition);
      const offset = this.broker.offsets.get(key);
      return offset === undefined ? [] : [[key, offset] as const];
    });
    return Promise.resolve(new Map(found));
  }

  commitOffsets(_group: string, offsets: Parameters<BrokerAdmin['commitOffsets']>[1]): Promise<void> {
    for (const { topic, partition, ...committed } of offsets) {
      this.broker.offsets.set(formatTopicPartition(topic, partition), committed);
    }
    return Promise.resolve();
  }
}
