// Owns publishing the data set as any service around Millrace would: with kafkajs, which knows nothing of us.
//
// A load that was cut short is taken up where it stopped: each partition's records come in a fixed order, so its end
// offset says how many are there. A complete one is left alone.
import { setTimeout as delay } from 'node:timers/promises';

import { Partitioners } from 'kafkajs';
import type { Admin, Message, Producer } from 'kafkajs';

import { outsideClient, whileRetriable } from '../../../lesson-kit/src/index.ts';
import type { Dataset } from '../data/dataset.ts';
import { airportMessages, flightMessages } from './messages.ts';
import type { InputMessages } from './messages.ts';
import { createTopics, PARTITIONS, TOPICS } from './topics.ts';

export interface LoadOptions {
  readonly brokers: readonly string[];
  readonly dataset: Dataset;
  /** The data set as records. Default: as JSON. */
  readonly messages?: InputMessages;
  /** Told after each batch. `done` counts what earlier loads had published. */
  readonly onProgress?: (topic: string, done: number, total: number) => void;
  /** Flights to publish a second, so that there is something to watch; default as fast as it goes. */
  readonly flightsPerSecond?: number;
  /** Stops after the batch in hand. */
  readonly signal?: AbortSignal;
}

export interface LoadResult {
  /** Records published by this load; what was there already is not counted. */
  readonly airports: number;
  readonly flights: number;
}

const BATCH_RECORDS = 1000;

/** Creates the topics, publishes all airports, then all flights. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { brokers, dataset } = options;
  const { airports: airportRecords, flights: flightRecords } = options.messages ?? {
    airports: airportMessages(dataset),
    flights: flightMessages(dataset),
  };
  const kafka = outsideClient(brokers, 'flight-loader');
  const admin = kafka.admin();
  // Idempotent: a retry after a lost answer does not publish twice.
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await admin.connect();
  try {
    await createTopics(admin);
    await producer.connect();
    const airports = await publish(admin, producer, TOPICS.airports, airportRecords, options, undefined);
    const flights = await publish(
      admin,
      producer,
      TOPICS.flights,
      flightRecords,
      options,
      options.flightsPerSecond,
    );
    return { airports, flights };
  } finally {
    await producer.disconnect();
    await admin.disconnect();
  }
}

async function publish(
  admin: Admin,
  producer: Producer,
  topic: string,
  messages: readonly Message[],
  { onProgress, signal }: LoadOptions,
  perSecond: number | undefined,
): Promise<number> {
  const missing = await withoutPublished(admin, topic, messages);
  const present = messages.length - missing.length;
  onProgress?.(topic, present, messages.length);
  // A paced load sends twenty small batches a second.
  const batch = perSecond === undefined ? BATCH_RECORDS : Math.max(1, Math.round(perSecond / 20));
  let sent = 0;
  while (sent < missing.length && signal?.aborted !== true) {
    const part = missing.slice(sent, sent + batch);
    await producer.send({ topic, acks: -1, messages: part });
    sent += part.length;
    onProgress?.(topic, present + sent, messages.length);
    if (perSecond !== undefined) await delay((part.length / perSecond) * 1000);
  }
  return sent;
}

/** The messages that are not in the topic yet, each with its partition. */
async function withoutPublished(
  admin: Admin,
  topic: string,
  messages: readonly Message[],
): Promise<Message[]> {
  const remaining = new Map<number, number>();
  // A topic that was created this moment may be known to a broker that does not lead it yet.
  const offsets = await whileRetriable(() => admin.fetchTopicOffsets(topic));
  for (const { partition, high } of offsets) remaining.set(partition, Number(high));
  // The partitioner of Java clients (murmur2), so that tables and streams written by either meet.
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  const missing: Message[] = [];
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    const published = remaining.get(partition) ?? 0;
    if (published > 0) remaining.set(partition, published - 1);
    else missing.push({ ...message, partition });
  }
  for (const [partition, surplus] of remaining) {
    if (surplus > 0) {
      throw new Error(
        `Topic '${topic}' has ${surplus} records more in partition ${partition} than the data set: it is not ours. ` +
          'Delete the topic, or use another broker.',
      );
    }
  }
  return missing;
}
