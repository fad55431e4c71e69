// Owns what every test of the suite needs: clients that are closed after it, topics of its own, records written and read in
// a line each. It never looks below the contracts.
import { RecordBatchEncoder, RecordColumns } from '#libs/broker';
import type {
  BrokerClient,
  EncodedBatch,
  GroupMetadata,
  IsolationLevel,
  RecordReader,
  TransactionalWriter,
  TransactionalWriterOptions,
} from '#libs/broker';
import { formatTopicPartition, sleep, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { ClientOptions, ContractEnvironment, Fault, FaultRule } from './environment.ts';

/** Short, so that a dropped answer is noticed soon; long enough for a busy machine. */
const REQUEST_TIMEOUT_MS = 2_000;
const READ_MS_MAX = 30_000;

/** Offsets committed without a group's membership: what a group without members accepts. */
export function ungrouped(groupId: string): GroupMetadata {
  return { groupId, generationId: -1, memberId: '', groupInstanceId: null };
}

export class Bench {
  readonly environment: ContractEnvironment;
  readonly #clients: BrokerClient[] = [];
  readonly #faults: Fault[] = [];
  #shared: BrokerClient | undefined;

  constructor(environment: ContractEnvironment) {
    this.environment = environment;
  }

  /** The client for setting up and checking. */
  get client(): BrokerClient {
    this.#shared ??= this.newClient({ requestTimeoutMs: 10_000 });
    return this.#shared;
  }

  newClient(options: ClientOptions = {}): BrokerClient {
    const client = this.environment.createClient({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options });
    this.#clients.push(client);
    return client;
  }

  fault(rule: FaultRule): Fault {
    const fault = this.environment.fault(rule);
    this.#faults.push(fault);
    return fault;
  }

  async topic(partitionCount = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = this.environment.uniqueName('contract');
    await this.client.admin.createTopics([{ name, partitionCount, configs }]);
    return name;
  }

  /** A writer that is ready. Its client has a name of its own, so that faults can be aimed at it. */
  async writer(
    options: Partial<TransactionalWriterOptions> & { clientId?: string } = {},
  ): Promise<TransactionalWriter> {
    const { clientId, ...writerOptions } = options;
    const client = this.newClient(clientId === undefined ? {} : { clientId });
    const writer = client.createTransactionalWriter({
      transactionalId: this.environment.uniqueName('writer'),
      deadlineMs: 20_000,
      ...writerOptions,
    });
    await writer.initialise();
    return writer;
  }

  /** Writes `values` in a transaction of their own and commits it. */
  async committed(writer: TransactionalWriter, topic: string, ...values: string[]): Promise<void> {
    writer.append(topic, 0, batch(...values));
    await writer.commit([], null);
  }

  /** All values of a partition up to its end, waiting for what is still in an open transaction. */
  async read(topic: string, partition = 0, isolation: IsolationLevel = 'read_committed'): Promise<string[]> {
    const ends = await this.client.admin.offsets([{ topic, partition }], 'latest', 'read_uncommitted');
    const end = ends.get(formatTopicPartition(topic, partition))!;
    return this.readTo(topic, partition, end, isolation);
  }

  async readTo(topic: string, partition: number, end: number, isolation: IsolationLevel): Promise<string[]> {
    const reader = this.client.createReader({ isolation, fetchMaxWaitMs: 50 });
    try {
      reader.assign(topic, partition, 0);
      return await this.drain(reader, topic, partition, end);
    } finally {
      await reader.close();
    }
  }

  /** Takes from `reader` until its position in a partition is `end`: the values of that partition. */
  async drain(reader: RecordReader, topic: string, partition: number, end: number): Promise<string[]> {
    const { clock } = this.environment;
    const columns = new RecordColumns();
    const values: string[] = [];
    const until = clock.monotonic() + READ_MS_MAX;
    while (reader.position(topic, partition) < end) {
      if (clock.monotonic() > until) {
        throw new Error(
          `position ${reader.position(topic, partition)} of ${topic}-${partition} did not reach ${end}`,
        );
      }
      const chunk = reader.take();
      if (chunk === undefined) {
        await reader.waitForChunk(100);
        continue;
      }
      if (chunk.topic !== topic || chunk.partition !== partition) continue;
      for (const view of chunk.batches) {
        const count = columns.decode(view, chunk.startOffset);
        for (let i = 0; i < count; i++)
          values.push(columns.text.substring(columns.valueStart[i]!, columns.valueEnd[i]));
      }
    }
    return values;
  }

  async committedOffset(groupId: string, topic: string, requireStable = true): Promise<number | undefined> {
    const partitions = [{ topic, partition: 0 }];
    const offsets = await this.client.admin.committedOffsets(groupId, partitions, { requireStable });
    return offsets.get(formatTopicPartition(topic, 0))?.offset;
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.environment.clock, ms);
  }

  /** Waits until `condition` holds. */
  async until(condition: () => boolean, what: string, limitMs = 20_000): Promise<void> {
    const { clock } = this.environment;
    const until = clock.monotonic() + limitMs;
    while (!condition()) {
      if (clock.monotonic() > until) throw new Error(`${what}: not within ${limitMs} ms`);
      await this.sleep(20);
    }
  }

  async close(): Promise<void> {
    for (const fault of this.#faults) {
      fault.remove();
      fault.release();
    }
    await Promise.allSettled(this.#clients.map((client) => client.close()));
  }
}

/** A batch of one record per value, keyed by its value. */
export function batch(...values: string[]): EncodedBatch {
  const encoder = new RecordBatchEncoder();
  for (const value of values) encoder.append(TIMESTAMP_MS, value as BinaryString, value as BinaryString);
  return encoder.finish()!;
}

/** One record with a key of its own. */
export function keyed(key: string | null, value: string): EncodedBatch {
  const encoder = new RecordBatchEncoder();
  encoder.append(TIMESTAMP_MS, key as BinaryString | null, value as BinaryString);
  return encoder.finish()!;
}

/** Of all records: recent, so that no retention takes them while the suite runs. */
const TIMESTAMP_MS = systemClock.now();

export function offsetAt(
  topic: string,
  offset: number,
): {
  topic: string;
  partition: number;
  offset: number;
  leaderEpoch: number;
  metadata: string;
} {
  return { topic, partition: 0, offset, leaderEpoch: 0, metadata: `at ${offset}` };
}

/** How a promise ended: its error, or undefined when it resolved. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}
