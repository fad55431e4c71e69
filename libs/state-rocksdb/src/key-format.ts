// Owns the bytes of a task's database: whose key is whose, and what stands before a value. Nothing else knows them.
//
//   key    store number (2 bytes, big-endian, from 1) ++ segment, where rows expire ++ key of the record; see store-keys.ts
//   value  timestamp (8 bytes, big-endian, two's complement, milliseconds) ++ value of the record
//   0x0000 ++ name: reserved. `format` one version byte; `identity`, `checkpoint` JSON in UTF-8.
//
// A store's number is given once, when its name is first seen, so that stores may come, go and be reordered.
import type { StateCheckpoint } from '#libs/state';
import { STORE_NUMBER_BYTES } from './store-keys.ts';
import type { StoreKeys } from './store-keys.ts';

export const FORMAT_VERSION = 1;
export const TIMESTAMP_BYTES = 8;
/** Highest number of a store: the range after it must exist, as the end of a scan. */
export const STORE_NUMBER_MAX = 0xfffe;

const TWO_32 = 2 ** 32;

export const RESERVED_KEYS = {
  format: reservedKey('format'),
  identity: reservedKey('identity'),
  checkpoint: reservedKey('checkpoint'),
} as const;

/** What a directory says of itself, besides its format. */
export interface DatabaseIdentity {
  readonly applicationId: string;
  readonly taskId: string;
  /** By store name. */
  readonly stores: Readonly<Record<string, KnownStore>>;
}

export interface KnownStore {
  readonly number: number;
  readonly identity: string;
  /** Milliseconds; absent: its rows are not in segments. */
  readonly segmentMs?: number;
}

function reservedKey(name: string): Uint8Array {
  return Buffer.concat([Buffer.from([0, 0]), Buffer.from(name, 'latin1')]);
}

export function writeTimestamp(bytes: Uint8Array, at: number, timestamp: number): void {
  const high = Math.floor(timestamp / TWO_32);
  const low = timestamp - high * TWO_32;
  bytes[at] = high >> 24;
  bytes[at + 1] = high >> 16;
  bytes[at + 2] = high >> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = low >>> 16;
  bytes[at + 6] = low >>> 8;
  bytes[at + 7] = low;
}

export function readTimestamp(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  const low =
    ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  return high * TWO_32 + low;
}

/** First key of a store, and the exclusive end of its range. */
export function storeRange(storeNumber: number): { readonly gte: Buffer; readonly lt: Buffer } {
  const gte = Buffer.allocUnsafe(STORE_NUMBER_BYTES);
  gte.writeUInt16BE(storeNumber, 0);
  const lt = Buffer.allocUnsafe(STORE_NUMBER_BYTES);
  lt.writeUInt16BE(storeNumber + 1, 0);
  return { gte, lt };
}

/** With the newest time of each store in segments, which says what cannot be on disk. */
export function encodeCheckpoint(checkpoint: StateCheckpoint, stores: readonly StoreKeys[]): Buffer {
  const newestTimes: [number, number][] = [];
  for (const { number, isSegmented, newestTime } of stores) {
    if (isSegmented && Number.isFinite(newestTime)) newestTimes.push([number, newestTime]);
  }
  return Buffer.from(
    JSON.stringify({
      epochId: checkpoint.epochId,
      changelogOffsets: [...checkpoint.changelogOffsets],
      metadata: checkpoint.metadata,
      newestTimes,
    }),
    'utf8',
  );
}

export interface StoredCheckpoint {
  readonly checkpoint: StateCheckpoint;
  /** By number of the store. */
  readonly newestTimes: ReadonlyMap<number, number>;
}

/** @throws Error the bytes are not a checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    readonly epochId: unknown;
    readonly changelogOffsets: unknown;
    readonly metadata: unknown;
    readonly newestTimes?: unknown;
  };
  const { epochId, changelogOffsets, metadata, newestTimes = [] } = parsed;
  if (!Number.isSafeInteger(epochId) || !Array.isArray(changelogOffsets) || !isObject(metadata)) {
    throw new Error('the checkpoint does not have its fields');
  }
  const offsets = new Map<string, number>();
  for (const pair of changelogOffsets as unknown[]) {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string' || !Number.isSafeInteger(pair[1])) {
      throw new Error('the checkpoint holds an offset that is none');
    }
    offsets.set(pair[0], pair[1] as number);
  }
  return {
    checkpoint: { epochId: epochId as number, changelogOffsets: offsets, metadata },
    newestTimes: new Map(newestTimes as [number, number][]),
  };
}

export function encodeIdentity(identity: DatabaseIdentity): Buffer {
  return Buffer.from(JSON.stringify(identity), 'utf8');
}

/** @throws Error the bytes are not an identity. */
export function decodeIdentity(bytes: Uint8Array): DatabaseIdentity {
  const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<DatabaseIdentity>;
  const { applicationId, taskId, stores } = parsed;
  if (typeof applicationId !== 'string' || typeof taskId !== 'string' || !isObject(stores)) {
    throw new Error('the identity does not have its fields');
  }
  const known: Record<string, KnownStore> = Object.create(null) as never;
  for (const [name, store] of Object.entries(stores)) {
    if (!isObject(store) || !Number.isSafeInteger(store.number) || typeof store.identity !== 'string') {
      throw new Error('the identity names a store without number or identity');
    }
    const { number, identity, segmentMs } = store;
    const isSegmented = segmentMs !== undefined;
    if (isSegmented && !(Number.isSafeInteger(segmentMs) && Number(segmentMs) > 0)) {
      throw new Error('the identity names a store with segments of no length');
    }
    known[name] = {
      number: Number(number),
      identity,
      ...(isSegmented ? { segmentMs: Number(segmentMs) } : {}),
    };
  }
  return { applicationId, taskId, stores: known };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
