// Owns the standard framing of subscriptions and assignments in groups of protocol type `consumer` (ConsumerProtocol,
// versions 0 to 3), so that Kafka's own tools read our groups. What is inside `userData` is not looked at.
//
// Unknown newer versions are read as the newest known: the format promises to append fields only.
import { MillraceError } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import type { Assignment, Subscription } from '../contracts/group-member.ts';

export const PROTOCOL_TYPE = 'consumer';

const VERSION_WRITTEN = 3;
const VERSION_OWNED_PARTITIONS = 1;
const VERSION_GENERATION = 2;
const NO_BYTES = new Uint8Array(0);

export interface DecodedSubscription extends Subscription {
  /** -1 where the member's version has no such field. */
  readonly generationId: number;
}

export function encodeSubscription(subscription: Subscription, generationId: number): Buffer {
  const writer = new FrameWriter();
  writer.int16(VERSION_WRITTEN);
  writer.int32(subscription.topics.length);
  for (const topic of subscription.topics) writer.string(topic);
  writer.bytes(subscription.userData);
  writer.topicPartitions(subscription.ownedPartitions);
  writer.int32(generationId);
  writer.int16(-1); // rack: null
  return writer.finish();
}

/** @throws MillraceError MILLRACE_PROTOCOL_ERROR */
export function decodeSubscription(bytes: Buffer): DecodedSubscription {
  const reader = new FrameReader(bytes, 'subscription');
  const version = reader.int16();
  const topics: string[] = [];
  const count = reader.count(2);
  for (let i = 0; i < count; i++) topics.push(reader.string());
  const userData = reader.bytes();
  const ownedPartitions = version >= VERSION_OWNED_PARTITIONS ? reader.topicPartitions() : [];
  const generationId = version >= VERSION_GENERATION ? reader.int32() : -1;
  return { topics, userData, ownedPartitions, generationId };
}

export function encodeAssignment(assignment: Assignment): Buffer {
  const writer = new FrameWriter();
  writer.int16(VERSION_WRITTEN);
  writer.topicPartitions(assignment.partitions);
  writer.bytes(assignment.userData);
  return writer.finish();
}

/** No bytes at all are an empty assignment: what a leader that left a member out gives it. @throws MILLRACE_PROTOCOL_ERROR */
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return { partitions: [], userData: NO_BYTES };
  const reader = new FrameReader(bytes, 'assignment');
  reader.int16();
  const partitions = reader.topicPartitions();
  return { partitions, userData: reader.bytes() };
}

class FrameWriter {
  readonly #parts: Buffer[] = [];

  int16(value: number): void {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    this.#parts.push(part);
  }

  int32(value: number): void {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
  }

  string(value: string): void {
    const part = Buffer.from(value);
    this.int16(part.length);
    this.#parts.push(part);
  }

  bytes(value: Uint8Array): void {
    this.int32(value.length);
    this.#parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }

  topicPartitions(partitions: readonly TopicPartition[]): void {
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of partitions) {
      const list = topics.get(topic);
      if (list === undefined) topics.set(topic, [partition]);
      else list.push(partition);
    }
    this.int32(topics.size);
    for (const [topic, list] of topics) {
      this.string(topic);
      this.int32(list.length);
      for (const partition of list) this.int32(partition);
    }
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

class FrameReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  /** An array's length, checked against what is left: each element takes `elementBytesMin` or more. */
  count(elementBytesMin: number): number {
    const count = this.int32();
    if (count < 0 || count * elementBytesMin > this.#bytes.length - this.#at) this.#refuse();
    return count;
  }

  string(): string {
    const length = this.int16();
    if (length < 0) this.#refuse();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** Null reads as empty. */
  bytes(): Uint8Array {
    const length = this.int32();
    if (length < 0) return NO_BYTES;
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  topicPartitions(): TopicPartition[] {
    const partitions: TopicPartition[] = [];
    const topics = this.count(6);
    for (let i = 0; i < topics; i++) {
      const topic = this.string();
      const count = this.count(4);
      for (let j = 0; j < count; j++) partitions.push({ topic, partition: this.int32() });
    }
    return partitions;
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) this.#refuse();
    this.#at = at + length;
    return at;
  }

  #refuse(): never {
    throw new MillraceError({
      code: 'MILLRACE_PROTOCOL_ERROR',
      message: `A ${this.#what} of ${this.#bytes.length} bytes in the consumer group breaks the ConsumerProtocol format.`,
      remedy: 'Look for a client of another kind that uses the same group id.',
      context: { byte: this.#at },
    });
  }
}
