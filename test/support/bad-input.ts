// Owns what the specs about bad input share: topics with hand-made records, and an application run to its end over the public API.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import type { Message } from 'kafkajs';
import { Serdes, StreamsApplication, readTopic, silentLogger } from '#libs/millrace';
import type { MillraceError, StreamsApplicationOptions, TopicRecord } from '#libs/millrace';
import { systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import type { SharedBroker } from './broker.ts';
import { FrameSplitter, readRequestHeader } from './kafka-frames.ts';

type Addressed = Pick<SharedBroker, 'bootstrapServers'>;

function kafka({ bootstrapServers }: Addressed): Kafka {
  return new Kafka({ clientId: 'spec', brokers: [...bootstrapServers], logLevel: logLevel.NOTHING });
}

export async function createTopic(
  broker: Addressed,
  topic: string,
  numPartitions = 1,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = kafka(broker).admin();
  await admin.connect();
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
  await admin.disconnect();
}

export async function publish(broker: Addressed, topic: string, messages: Message[]): Promise<void> {
  const producer = kafka(broker).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  });
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
}

export async function textsOf(broker: Addressed, topic: string): Promise<TopicRecord<string, string>[]> {
  const records: TopicRecord<string, string>[] = [];
  const options = { kafka: { brokers: broker.bootstrapServers }, topic };
  for await (const record of readTopic({
    ...options,
    keySerde: Serdes.string(),
    valueSerde: Serdes.string(),
  })) {
    records.push(record);
  }
  return records;
}

export interface DeadLetter {
  readonly key: Buffer;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Read by a client that is not ours, with headers. Ends at the first record, or never. */
export async function deadLettersIn(broker: Addressed, topic: string, count: number): Promise<DeadLetter[]> {
  const consumer = kafka(broker).consumer({ groupId: `reader-of-${topic}`, readUncommitted: false });
  const letters: DeadLetter[] = [];
  const done = Promise.withResolvers<undefined>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(message.headers ?? {})) headers[name] = String(value);
      letters.push({ key: message.key!, value: String(message.value), headers });
      if (letters.length === count) done.resolve(undefined);
      return Promise.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  return letters;
}

/** A server that agrees on versions as a broker of 2018 did, and knows nothing else. */
export async function startOldBroker(): Promise<{ readonly address: string; stop(): void }> {
  const versions = [
    [0, 0, 5], // Produce
    [1, 0, 7], // Fetch
    [3, 0, 5], // Metadata
    [18, 0, 1], // ApiVersions
  ] as const;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const splitter = new FrameSplitter();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const frame of splitter.push(chunk)) {
        const { apiVersion, correlationId } = readRequestHeader(frame);
        const body = Buffer.alloc(2 + 4 + versions.length * 6);
        // UNSUPPORTED_VERSION, in the form of version 0, is how a broker answers a request that is too new for it.
        body.writeInt16BE(apiVersion > 1 ? 35 : 0, 0);
        body.writeInt32BE(versions.length, 2);
        versions.flat().forEach((number, index) => body.writeInt16BE(number, 6 + 2 * index));
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + body.length, 0);
        head.writeInt32BE(correlationId, 4);
        socket.write(Buffer.concat([head, body]));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

export interface Run {
  /** What ended the application; `null`: it came to the end of its input. */
  readonly error: MillraceError | null;
  readonly droppedRecords: number;
}

/** Runs to the end of the input, or to the error. */
export async function runToEnd(options: StreamsApplicationOptions): Promise<Run> {
  const application = new StreamsApplication({
    state: 'memory',
    instanceId: 'one',
    until: 'latest',
    logger: silentLogger,
    ...options,
  });
  try {
    await application.start();
    await application.whenEnded();
  } catch {
    // Told by `error`.
  }
  return { error: application.error, droppedRecords: application.figures?.droppedRecords ?? 0 };
}

/** A clock on which an hour takes a minute or so: deadlines pass that nobody wants to wait for. */
export function fastClock(factor: number): Clock {
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() * factor,
    schedule: (delayMs, action, background) => systemClock.schedule(delayMs / factor, action, background),
  };
}
