// Specifies what becomes of an application whose output topic is changed under it.
import { expect, it } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { formatTopicPartition, sleep, systemClock } from '#libs/core';
import { textsOf } from '../../support/bad-input.ts';
import { describeWithBroker } from '../../support/broker.ts';
import { failureOf, freshRuns } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';
import { KEYS, PARTITIONS } from '../../support/sums-input.ts';

const GROWN = PARTITIONS + 4;

describeWithBroker('an output', (broker) => {
  let run: FaultRun;
  freshRuns(broker, (given) => {
    run = given;
  });

  const kafka = (): Kafka =>
    new Kafka({ clientId: 'spec', brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });

  async function withAdmin(act: (admin: ReturnType<Kafka['admin']>) => Promise<unknown>): Promise<void> {
    const admin = kafka().admin();
    await admin.connect();
    await act(admin);
    await admin.disconnect();
  }

  async function endsOf(partitions: number): Promise<number[]> {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: run.output, partition }));
    const ends = await run.client.admin.offsets(places, 'latest', 'read_committed');
    return places.map(({ topic, partition }) => ends.get(formatTopicPartition(topic, partition))!);
  }

  it('that gets more partitions gets records there, by Kafka’s partitioner', async () => {
    const application = await run.start({ metadataMaxAgeMs: 200 });
    await run.more(500);
    await run.committed(application);
    await withAdmin((admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: run.output, count: GROWN }] }),
    );
    const wanted = new Set<number>();
    const choose = Partitioners.DefaultPartitioner();
    const partitionMetadata = Array.from({ length: GROWN }, (_, partitionId) => ({
      partitionId,
      leader: 0,
      partitionErrorCode: 0,
      replicas: [],
      isr: [],
      offlineReplicas: [],
    }));
    for (let key = 0; key < KEYS; key++) {
      const message = { key: `k${key}`, value: '' };
      wanted.add(choose({ topic: run.output, partitionMetadata, message }));
    }
    const added = [...wanted].filter((partition) => partition >= PARTITIONS).sort();
    expect(added.length).toBeGreaterThan(1);
    // Until the watch has looked, records go by the old count.
    while ((await endsOf(GROWN))[added[0]!] === 0) {
      await run.more(KEYS);
      await run.committed(application);
      await sleep(systemClock, 50);
    }
    const ends = await endsOf(GROWN);
    const filled = ends.map((end, partition) => (end > 0 ? partition : -1)).filter((p) => p >= PARTITIONS);
    expect(filled).toEqual(added);
    await application.close();
    // Each update is there once, wherever it went.
    expect(await textsOf(broker(), run.output)).toHaveLength(run.count);
  });

  it('that is made again with fewer partitions stops the application with a code', async () => {
    const application = await run.start({ metadataMaxAgeMs: 200 });
    await run.more(500);
    await run.committed(application);
    await withAdmin((admin) => admin.deleteTopics({ topics: [run.output] }));
    await withAdmin(async (admin) => {
      // A deleted topic's name is free after a while.
      for (;;) {
        try {
          await admin.createTopics({ topics: [{ topic: run.output, numPartitions: 1 }] });
          return;
        } catch {
          await sleep(systemClock, 100);
        }
      }
    });
    expect(await failureOf(application)).toMatchObject({
      code: 'MILLRACE_PARTITIONS_MISMATCH',
      message: expect.stringContaining(`"${run.output}" had ${PARTITIONS} and has 1`),
    });
    await application.close();
  });
});
