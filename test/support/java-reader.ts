// Owns reading all of a topic by Kafka's own console consumer. That reader knows no end: it stops after a number of records, or when none
// came for a while. Silence would be a wait in every test and too short a wait on a busy machine, so it is told a number here.
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { consumeWithJavaConsole } from '#libs/broker-local';
import type { ConsoleRecord } from '#libs/broker-local';
import type { SharedBroker } from './broker.ts';

/** Without any record for so long something is missing. */
const PATIENCE_MS = 30_000;
const END = 'the end of the partition';

type Addressed = Pick<SharedBroker, 'bootstrapServers' | 'version'>;

function kafka({ bootstrapServers }: Addressed): Kafka {
  return new Kafka({ clientId: 'spec', brokers: [...bootstrapServers], logLevel: logLevel.NOTHING });
}

/**
 * The committed records of a topic that should have `count` of them, and whose writers have ended. An end is written to each partition, and
 * as many records are read as there should be with these: if there are more, an end is not among them and a record too many is; if there
 * are fewer, or a transaction hangs, those before it come after the wait for the others. So whoever compares what is returned with what
 * should be there notices.
 *
 * Once for each topic: the ends stay.
 */
export async function readToEnd(broker: Addressed, topic: string, count: number): Promise<ConsoleRecord[]> {
  const partitions = (await lengths(broker, topic)).length;
  const producer = kafka(broker).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  });
  await producer.connect();
  await producer.send({
    topic,
    messages: Array.from({ length: partitions }, (_, partition) => ({ partition, key: END, value: END })),
  });
  await producer.disconnect();
  const maxMessages = count + partitions;
  const records = await consumeWithJavaConsole(broker, topic, { maxMessages, timeoutMs: PATIENCE_MS });
  return records.filter(({ key }) => key !== END);
}

/** The records of a topic without transactions, of which nothing is compacted yet: its offsets say how many there are. */
export async function readPlain(broker: Addressed, topic: string): Promise<ConsoleRecord[]> {
  const maxMessages = (await lengths(broker, topic)).reduce((sum, length) => sum + length, 0);
  if (maxMessages === 0) return [];
  return consumeWithJavaConsole(broker, topic, { maxMessages, timeoutMs: PATIENCE_MS });
}

/** Of each partition. */
async function lengths(broker: Addressed, topic: string): Promise<number[]> {
  const admin = kafka(broker).admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return offsets.map(({ high, low }) => Number(high) - Number(low));
}
