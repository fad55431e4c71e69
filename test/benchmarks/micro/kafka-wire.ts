// The wire layer alone against a real broker: how fast finished batches go out and come back, and what they cost this
// process. No encoding of records, no checksum, no decoding.
// node --conditions=millrace-source test/benchmarks/micro/kafka-wire.ts [megabytes] [batch-kilobytes] [partitions]
import { RecordBatchEncoder, stampBatch } from '#libs/broker';
import { startLocalBroker } from '#libs/broker-local';
import { silentLogger, sleep, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';

const megabytes = Number(process.argv[2] ?? 500);
const batchBytes = Number(process.argv[3] ?? 500) * 1000;
const partitionCount = Number(process.argv[4] ?? 4);
const VALUE = 'v'.repeat(90);
const REPEAT = 5;
/** A producer keeps at most this many requests without an answer. */
const IN_FLIGHT = 5;

const broker = await startLocalBroker();
const rpc = createKafkaRpc(
  { brokers: broker.bootstrapServers },
  { clock: systemClock, logger: silentLogger },
);
try {
  const metadata = await rpc.call('bootstrap', 'Metadata', { topics: [] });
  rpc.learnNodes(metadata.brokers);
  const node = metadata.brokers[0]!.nodeId;

  const encoder = new RecordBatchEncoder();
  while (encoder.size < batchBytes)
    encoder.appendText(systemClock.now(), 'key-000000001' as BinaryString, VALUE);
  const batch = encoder.finish()!;
  stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
  const requests = Math.max(1, Math.round((megabytes * 1e6) / (batch.bytes.length * partitionCount)));
  const records = requests * partitionCount * batch.recordCount;
  const bytes = requests * partitionCount * batch.bytes.length;
  console.log(
    `${requests} requests of ${partitionCount} batches of ${batch.bytes.length} bytes, ${batch.recordCount} records each`,
  );

  for (let round = 1; round <= REPEAT; round++) {
    const name = `wire-${round}`;
    const topicId = await createTopic(name);
    await measure(`produce ${round}`, async () => {
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next++ < requests) {
          const answer = await rpc.call(node, 'Produce', produceRequest(name), { lane: 'produce' });
          for (const { errorCode } of answer.topics[0]!.partitions) {
            if (errorCode !== 0) throw new Error(`produce was answered with error code ${errorCode}`);
          }
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    });
    await measure(`fetch   ${round}`, () => fetchAll(name, topicId));
    await rpc.call(node, 'DeleteTopics', { timeoutMs: 10_000, names: [name] });
  }

  function produceRequest(name: string) {
    return {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      transactionVersion2: false,
      topics: [
        {
          name,
          partitions: Array.from({ length: partitionCount }, (_, partition) => ({
            partition,
            records: [batch.bytes],
          })),
        },
      ],
    } as const;
  }

  async function fetchAll(name: string, topicId: string): Promise<void> {
    const positions = new Array<number>(partitionCount).fill(0);
    const end = requests * batch.recordCount;
    let session = { sessionId: 0, sessionEpoch: 0 };
    let moved = positions.map((_, partition) => partition);
    while (positions.some((position) => position < end)) {
      const answer = await rpc.call(
        node,
        'Fetch',
        {
          maxWaitMs: 500,
          minBytes: 1,
          maxBytes: 8_000_000,
          isolation: 'read_committed',
          ...session,
          topics: [
            {
              name,
              topicId,
              partitions: moved.map((partition) => ({
                partition,
                currentLeaderEpoch: -1,
                fetchOffset: positions[partition]!,
                lastFetchedEpoch: -1,
                logStartOffset: -1,
                partitionMaxBytes: 2_000_000,
              })),
            },
          ],
          forgottenTopics: [],
          rackId: '',
        },
        { lane: 'fetch' },
      );
      if (answer.errorCode !== 0) throw new Error(`fetch was answered with error code ${answer.errorCode}`);
      session = { sessionId: answer.sessionId, sessionEpoch: session.sessionEpoch + 1 };
      moved = [];
      for (const { partition, records: batches } of answer.topics[0]?.partitions ?? []) {
        // Every batch is the same: whole ones are counted by their size.
        const whole = Math.floor((batches?.length ?? 0) / batch.bytes.length);
        positions[partition]! += whole * batch.recordCount;
        moved.push(partition);
      }
    }
  }

  async function createTopic(name: string): Promise<string> {
    await rpc.call(node, 'CreateTopics', {
      timeoutMs: 10_000,
      validateOnly: false,
      topics: [
        {
          name,
          numPartitions: partitionCount,
          replicationFactor: 1,
          configs: [{ name: 'max.message.bytes', value: '20000000' }],
        },
      ],
    });
    // Metadata may name the leader before it leads: the topic is there when all its partitions answer for themselves.
    for (;;) {
      const offsets = await rpc.call(node, 'ListOffsets', {
        isolation: 'read_committed',
        topics: [
          {
            name,
            partitions: Array.from({ length: partitionCount }, (_, partition) => ({
              partition,
              currentLeaderEpoch: -1,
              timestamp: -1,
            })),
          },
        ],
      });
      if (offsets.topics[0]!.partitions.every(({ errorCode }) => errorCode === 0)) break;
      await sleep(systemClock, 20);
    }
    return (await rpc.call(node, 'Metadata', { topics: [name] })).topics[0]!.topicId;
  }

  async function measure(what: string, work: () => Promise<void>): Promise<void> {
    const started = systemClock.monotonic();
    const cpu = process.cpuUsage();
    await work();
    const seconds = (systemClock.monotonic() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1e6;
    console.log(
      `${what}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${(records / 1e6 / seconds).toFixed(2)} M records/s, ` +
        `${((cpuSeconds / bytes) * 1e12).toFixed(0)} µs of CPU per MB (${((user / bytes) * 1e6).toFixed(0)} of it user), peak RSS ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
    );
  }
} finally {
  await rpc.close();
  await broker.stop();
}
