// Owns reading topics from outside, with kafkajs: committed records only, from the beginning on.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';

export interface OutsideRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string;
  /** Parsed JSON; `null`: a tombstone. */
  readonly value: unknown;
  readonly timestamp: number;
}

export interface OutsideReader extends AsyncDisposable {
  /** Of the topic, in the order of each of its partitions. */
  records(topic: string): readonly OutsideRecord[];
  /**
   * Resolves when `isThere` holds, and holds still after a moment in which nothing came: more than was expected is to be seen too.
   * False: it did not within the time.
   */
  settled(isThere: () => boolean, timeoutMs?: number): Promise<boolean>;
}

const MOMENT_MS = 1_000;

/** Follows the topics until it is disposed of. `onRecord` is told each record once. */
export async function readFromOutside(
  kafka: Kafka,
  topics: readonly string[],
  onRecord: (record: OutsideRecord) => void = () => undefined,
): Promise<OutsideReader> {
  const records = new Map<string, OutsideRecord[]>(topics.map((topic) => [topic, []]));
  let lastAt = performance.now();
  /** By partition. The group may be joined anew, and then begins again. */
  const seen = new Map<string, bigint>();
  // A group of its own, which nobody joins again. `readUncommitted` is false unless one says otherwise.
  const consumer = kafka.consumer({ groupId: `outside-${randomUUID()}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ topic, partition, message: { key, value, offset, timestamp } }) => {
      const place = `${topic}-${partition}`;
      if (BigInt(offset) <= (seen.get(place) ?? -1n)) return Promise.resolve();
      seen.set(place, BigInt(offset));
      const record = {
        ...{ topic, partition, offset },
        key: key?.toString() ?? '',
        value: value === null ? null : (JSON.parse(value.toString()) as unknown),
        timestamp: Number(timestamp),
      };
      records.get(topic)!.push(record);
      lastAt = performance.now();
      onRecord(record);
      return Promise.resolve();
    },
  });
  return {
    records: (topic) => records.get(topic) ?? [],
    async settled(isThere, timeoutMs = 60_000) {
      const until = performance.now() + timeoutMs;
      while (performance.now() < until) {
        if (isThere() && performance.now() - lastAt >= MOMENT_MS) return true;
        await delay(50);
      }
      return false;
    },
    [Symbol.asyncDispose]: () => consumer.disconnect(),
  };
}
