// Owns what the two tables of a foreign-key join send one another, and its bytes: subscriptions there, responses back.
// Source of the meaning: SubscriptionWrapper and SubscriptionResponseWrapper of Kafka Streams; the bytes are our own.
import { orderedUint32, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, createBinarySerde, SerdeError } from '#libs/serde';
import type { AnySerde } from '../graph.ts';

/** What is to be done with a subscription, and what is to come back. */
export const Instruction = {
  /** Forget it; no response. */
  DELETE: 0,
  /** Forget it; respond that there is nothing. */
  DELETE_AND_RESPOND: 1,
  /** Keep it; respond with the value, or that there is none. */
  ALWAYS_RESPOND: 2,
  /** Keep it; respond if there is a value. */
  RESPOND_IF_VALUE: 3,
} as const;
export type Instruction = (typeof Instruction)[keyof typeof Instruction];

/** A row of this table wants to know the other table's value of its foreign key. */
export interface Subscription {
  readonly instruction: Instruction;
  readonly primaryKey: unknown;
  /** Of the row's value, by which a response is known to be stale; `null`: the row is gone. */
  readonly hash: BinaryString | null;
  /** Where the response has to go. */
  readonly partition: number;
}

/** What is kept of a subscription by foreign and primary key. */
export type StoredSubscription = Pick<Subscription, 'hash' | 'partition'>;

export interface SubscriptionResponse {
  readonly hash: BinaryString | null;
  /** `null`: there is none. */
  readonly foreignValue: unknown;
  /** For the partitioner only: it is not written. */
  readonly partition: number;
}

const VERSION = 0x10;
const HAS_HASH = 1;
const HAS_VALUE = 2;
const HASH_BYTES = 16;
const PARTITION_BYTES = 4;

function checked(name: string, binary: BinaryString, bytesMin: number): number {
  const flags = binary.charCodeAt(0) - VERSION;
  const hashBytes = flags & HAS_HASH ? HASH_BYTES : 0;
  if (flags >= 0 && flags <= (HAS_HASH | HAS_VALUE) && binary.length >= bytesMin + hashBytes) return flags;
  throw new SerdeError('MILLRACE_DESERIALIZATION_FAILED', name, {
    why: 'it is no message of a foreign-key join in a format of this version',
    payload: binary,
  });
}

const flagged = (flags: number): string => String.fromCharCode(VERSION | flags);
const hashFlag = (hash: BinaryString | null): number => (hash === null ? 0 : HAS_HASH);

/** Flags, hash if there is one, partition, instruction, primary key. */
export function subscriptionSerde(primaryKeys: AnySerde): AnySerde {
  const codec = compileCodec(primaryKeys);
  const name = `subscription(${primaryKeys.name})`;
  return createBinarySerde<unknown>({
    name,
    inner: [{ serde: primaryKeys, role: 'primary-key' }],
    toBinary(given) {
      const { instruction, primaryKey, hash, partition } = given as Subscription;
      const head = flagged(hashFlag(hash)) + (hash ?? '') + orderedUint32(partition);
      return (head + String.fromCharCode(instruction) + codec.toBinary(primaryKey)) as BinaryString;
    },
    fromBinary(binary): Subscription {
      const flags = checked(name, binary, 1 + PARTITION_BYTES + 1);
      const at = flags & HAS_HASH ? 1 + HASH_BYTES : 1;
      return {
        hash: flags & HAS_HASH ? (binary.substring(1, at) as BinaryString) : null,
        partition: readOrderedUint32(binary, at),
        instruction: binary.charCodeAt(at + PARTITION_BYTES) as Instruction,
        primaryKey: codec.fromBinary(binary.substring(at + PARTITION_BYTES + 1) as BinaryString, false),
      };
    },
  });
}

/** Flags, hash if there is one, partition. */
export const storedSubscriptionSerde: AnySerde = createBinarySerde<unknown>({
  name: 'stored-subscription',
  toBinary(given) {
    const { hash, partition } = given as StoredSubscription;
    return (flagged(hashFlag(hash)) + (hash ?? '') + orderedUint32(partition)) as BinaryString;
  },
  fromBinary(binary): StoredSubscription {
    const flags = checked('stored-subscription', binary, 1 + PARTITION_BYTES);
    const at = flags & HAS_HASH ? 1 + HASH_BYTES : 1;
    return {
      hash: flags & HAS_HASH ? (binary.substring(1, at) as BinaryString) : null,
      partition: readOrderedUint32(binary, at),
    };
  },
});

/** Flags, hash if there is one, foreign value if there is one. */
export function responseSerde(foreignValues: AnySerde): AnySerde {
  const codec = compileCodec(foreignValues);
  const name = `subscription-response(${foreignValues.name})`;
  return createBinarySerde<unknown>({
    name,
    inner: [{ serde: foreignValues }],
    toBinary(given) {
      const { hash, foreignValue } = given as SubscriptionResponse;
      const head = (flags: number): string => flagged(flags | hashFlag(hash)) + (hash ?? '');
      if (foreignValue === null) return head(0) as BinaryString;
      return (head(HAS_VALUE) + codec.toBinary(foreignValue)) as BinaryString;
    },
    fromBinary(binary): SubscriptionResponse {
      const flags = checked(name, binary, 1);
      const at = flags & HAS_HASH ? 1 + HASH_BYTES : 1;
      return {
        hash: flags & HAS_HASH ? (binary.substring(1, at) as BinaryString) : null,
        foreignValue:
          flags & HAS_VALUE ? codec.fromBinary(binary.substring(at) as BinaryString, false) : null,
        partition: -1,
      };
    },
  });
}
