// Owns a client that sends single requests, for specs of what a broker answers: no retries, no caches, no state machines.
import { RecordBatchEncoder, stampBatch } from '#libs/broker';
import type { ApiName, MetadataAnswer, RpcAnswers, RpcOptions, RpcRequests, RpcTarget } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster, MemoryClusterOptions } from '#libs/broker-memory';
import type { BinaryString } from '#libs/core';

export interface Bench {
  readonly clock: VirtualClock;
  readonly cluster: MemoryCluster;
  readonly client: RawClient;
}

export function newBench(options: Partial<MemoryClusterOptions> = {}): Bench {
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ clock, ...options });
  return { clock, cluster, client: new RawClient(cluster, clock, 'raw') };
}

export interface Numbers {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

const NOBODY: Numbers = { producerId: -1n, producerEpoch: -1 };

export class RawClient {
  readonly #clock: VirtualClock;
  readonly #rpc: ReturnType<MemoryCluster['rpc']>;

  constructor(cluster: MemoryCluster, clock: VirtualClock, clientId: string) {
    this.#clock = clock;
    this.#rpc = cluster.rpc(clientId);
    this.#rpc.learnNodes([1, 2, 3].map((nodeId) => ({ nodeId, host: 'simulated', port: 1 })));
  }

  /** Sends without waiting. */
  send<K extends ApiName>(
    api: K,
    request: RpcRequests[K],
    target: RpcTarget = 1,
    options: RpcOptions = {},
  ): Promise<RpcAnswers[K]> {
    const answer = this.#rpc.call(target, api, request, options);
    answer.catch(() => undefined);
    return answer;
  }

  /** Sends and lets time run until the answer is there. */
  call<K extends ApiName>(api: K, request: RpcRequests[K], target: RpcTarget = 1): Promise<RpcAnswers[K]> {
    return this.#clock.run(this.send(api, request, target));
  }

  async metadata(topic: string): Promise<MetadataAnswer['topics'][number]> {
    return (await this.call('Metadata', { topics: [topic] })).topics[0]!;
  }

  async init(
    transactionalId: string | null,
    numbers: Numbers = NOBODY,
    timeoutMs = 60_000,
  ): Promise<RpcAnswers['InitProducerId']> {
    return this.call('InitProducerId', { transactionalId, transactionTimeoutMs: timeoutMs, ...numbers });
  }

  /** Until it is no more told to wait for the markers of the last transaction. */
  async initPatiently(transactionalId: string): Promise<Numbers> {
    for (;;) {
      const { errorCode, ...numbers } = await this.init(transactionalId);
      if (errorCode === 0) return numbers;
      if (errorCode !== 51) throw new Error(`InitProducerId was answered with ${errorCode}`);
      await this.#clock.advance(1);
    }
  }

  async produce(
    topic: string,
    bytes: Uint8Array,
    options: ProduceOptions = {},
  ): Promise<RpcAnswers['Produce']['topics'][number]['partitions'][number]> {
    const { partition = 0, transactionalId = null, version2 = true, target = 1 } = options;
    const answer = await this.call(
      'Produce',
      {
        transactionalId,
        acks: -1,
        timeoutMs: 1_000,
        topics: [{ name: topic, partitions: [{ partition, records: [bytes] }] }],
        transactionVersion2: version2,
      },
      target,
    );
    return answer.topics[0]!.partitions[0]!;
  }

  async endTxn(
    transactionalId: string,
    numbers: Numbers,
    committed: boolean,
    version2 = true,
  ): Promise<RpcAnswers['EndTxn']> {
    return this.call('EndTxn', { transactionalId, ...numbers, committed, transactionVersion2: version2 });
  }
}

export interface ProduceOptions {
  readonly partition?: number;
  readonly transactionalId?: string | null;
  readonly version2?: boolean;
  readonly target?: number;
}

export interface BatchOptions {
  readonly numbers?: Numbers;
  readonly sequence?: number;
  readonly transactional?: boolean;
  readonly timestamp?: number;
}

/** A stamped batch of one record per key, valued like its key; a key of null has the value 'null'. */
export function batchOf(keys: readonly (string | null)[], options: BatchOptions = {}): Buffer {
  const { numbers = NOBODY, sequence = -1, transactional = false, timestamp = 1_000 } = options;
  return keyedBatch(
    keys.map((key) => [key, key ?? 'null'] as const),
    { numbers, sequence, transactional, timestamp },
  );
}

export function keyedBatch(
  records: readonly (readonly [string | null, string | null])[],
  options: BatchOptions = {},
): Buffer {
  const { numbers = NOBODY, sequence = -1, transactional = false, timestamp = 1_000 } = options;
  const encoder = new RecordBatchEncoder();
  for (const [key, value] of records)
    encoder.append(timestamp, key as BinaryString | null, value as BinaryString | null);
  const batch = encoder.finish()!;
  stampBatch(batch, {
    producerId: Number(numbers.producerId),
    producerEpoch: numbers.producerEpoch,
    baseSequence: sequence,
    isTransactional: transactional,
  });
  return Buffer.from(batch.bytes);
}

/** Keys of the committed records of a partition. */
export function keysIn(cluster: MemoryCluster, topic: string, partition = 0): string[] {
  return cluster.inspect.records(topic, partition).map(({ key }) => String(key));
}
