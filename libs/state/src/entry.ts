// Owns what the cache keeps of one key: its newest value and, only as long as they can be needed, older ones.
import type { BinaryString } from '#libs/core';
import type { StateEntry } from './contract.ts';
import type { EntryStore } from './entry-store.ts';
import type { Resident } from './resident.ts';

/** Whether the database has the newest committed value of an entry. */
export const WriteState = {
  /** It has: the entry may be evicted. */
  CLEAN: 0,
  /** Committed, to be written with the next batch. */
  PENDING: 1,
  /** In the batch being built or written, and not committed anew since. */
  WRITING: 2,
} as const;
export type WriteState = (typeof WriteState)[keyof typeof WriteState];

/** Bytes an entry takes besides key and value: the object, two string headers, a slot in the map and in the ring. */
export const ENTRY_BYTES = 240;
/** The same for an older version. */
export const VERSION_BYTES = 72;

/** What a key held before an epoch changed it. */
export class Version {
  readonly encoded: BinaryString | null;
  readonly timestamp: number;
  readonly epoch: number;
  older: Version | null;

  constructor(encoded: BinaryString | null, timestamp: number, epoch: number, older: Version | null) {
    this.encoded = encoded;
    this.timestamp = timestamp;
    this.epoch = epoch;
    this.older = older;
  }
}

export class Entry implements StateEntry, Resident {
  readonly store: EntryStore;
  readonly key: BinaryString;
  encoded: BinaryString | null;
  timestamp: number;
  /** Internal number of the epoch that wrote `encoded`; 0: it came from the database. */
  epoch = 0;
  /** Newest first; null once everything below is settled. */
  older: Version | null = null;
  writeState: WriteState = WriteState.CLEAN;
  usedAt: number;
  ringAt = -1;
  /** Decoded `encoded`, when it may be kept (see StoreCache.value). */
  memo: unknown = undefined;
  /** An object in `memo` is good in this era only. */
  memoEra = 0;

  constructor(
    store: EntryStore,
    key: BinaryString,
    encoded: BinaryString | null,
    timestamp: number,
    usedAt: number,
  ) {
    this.store = store;
    this.key = key;
    this.encoded = encoded;
    this.timestamp = timestamp;
    this.usedAt = usedAt;
  }

  get bytes(): number {
    return entryBytes(this);
  }

  mayLeave(): boolean {
    return this.older === null && this.writeState === WriteState.CLEAN && this.store.mayForget(this);
  }

  leave(): void {
    this.store.forget(this);
  }
}

/** Bytes of the entry with its newest value, without older versions. */
export function entryBytes(entry: Entry): number {
  return ENTRY_BYTES + entry.key.length + (entry.encoded === null ? 0 : entry.encoded.length);
}

export function versionBytes(version: Version): number {
  return VERSION_BYTES + (version.encoded === null ? 0 : version.encoded.length);
}

/** What the entry held at the end of internal epoch `epoch`. The chain reaches down to it as long as it is unsettled. */
export function versionAt(entry: Entry, epoch: number): Entry | Version | null {
  if (entry.epoch <= epoch) return entry;
  let version = entry.older;
  while (version !== null && version.epoch > epoch) version = version.older;
  return version;
}
