// Owns a transactional writer on a scripted cluster: topic `out` with partitions on nodes 1, 2 and 1; all answers well.
import { silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type { TransactionalWriterOptions } from '../../src/contracts/index.ts';
import type { ProduceAnswer, ProduceRequest, RpcRequests } from '../../src/rpc/index.ts';
import { KafkaTransactionalWriter } from '../../src/writer/index.ts';
import { FakeClock } from './fake-clock.ts';
import { coordinators, metadataOf, ScriptedRpc } from './scripted-rpc.ts';

export const GROUP = {
  groupId: 'app',
  generationId: 7,
  memberId: 'member-1',
  groupInstanceId: null,
} as const;
export const OFFSETS = [
  { topic: 'in', partition: 0, offset: 42, leaderEpoch: 3, metadata: 'epoch 1' },
] as const;

/** Answers a Produce request with `errorCode` for each of its partitions. */
export function produced(errorCode = 0, baseOffset = 100): (request: ProduceRequest) => ProduceAnswer {
  return (request) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition }) => ({
        partition,
        errorCode,
        errorMessage: null,
        baseOffset: errorCode === 0 ? baseOffset : -1,
        logAppendTimeMs: -1,
        logStartOffset: 0,
        recordErrors: [],
      })),
    })),
  });
}

export function offsetsAnswer(errorCode: number): (request: RpcRequests['TxnOffsetCommit']) => {
  topics: { name: string; partitions: { partition: number; errorCode: number }[] }[];
} {
  return (request) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  });
}

/** EndTxn of transaction version 2: the same id, the next epoch. */
export function ended(request: RpcRequests['EndTxn']): {
  errorCode: number;
  producerId: bigint;
  producerEpoch: number;
} {
  return { errorCode: 0, producerId: request.producerId, producerEpoch: request.producerEpoch + 1 };
}

export interface WriterFixture {
  readonly clock: FakeClock;
  readonly rpc: ScriptedRpc;
  readonly writer: KafkaTransactionalWriter;
}

export function writerFixture(
  options: Partial<TransactionalWriterOptions> & { transactionVersion?: number } = {},
): WriterFixture {
  const { transactionVersion = 2, ...writerOptions } = options;
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock);
  rpc.features_ = { transactionVersion, apiVersions: {} };
  let epoch = 0;
  rpc
    .on('Metadata', metadataOf({ out: [1, 2, 1] }))
    .on('FindCoordinator', coordinators)
    .on('InitProducerId', () => ({ errorCode: 0, producerId: 4000n, producerEpoch: (epoch += 10) }))
    .on('Produce', produced())
    .on('AddPartitionsToTxn', (request) => ({
      errorCode: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((partition) => ({ partition, errorCode: 0 })),
      })),
    }))
    .on('AddOffsetsToTxn', { errorCode: 0 })
    .on('TxnOffsetCommit', offsetsAnswer(0))
    .on('EndTxn', transactionVersion >= 2 ? ended : { errorCode: 0, producerId: -1n, producerEpoch: -1 });
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const writer = new KafkaTransactionalWriter(cluster, { transactionalId: 'app-a-0', ...writerOptions });
  return { clock, rpc, writer };
}

export async function initialised(
  options: Partial<TransactionalWriterOptions> & { transactionVersion?: number } = {},
): Promise<WriterFixture> {
  const fixture = writerFixture(options);
  await fixture.clock.run(fixture.writer.initialise());
  return fixture;
}
