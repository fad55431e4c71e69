// Owns the unsettled layers of a task's cache: the open epoch, the sealed ones, and the undo log of the current record.
// It never touches the database: a layer leaves here when it is committed (write-behind takes it) or abandoned.
//
//   open ─seal─► sealed ─commit─► handed to write-behind
//     └──────abandon──────┘
//
// 1. An entry's newest value and its newest epoch are in the entry; what it held before is in its chain of versions.
// 2. An entry is in a layer's list exactly once, and has exactly one version of that layer's epoch.
// 3. Layers are taken back newest first, so the version to restore is always the head of the chain.
import { assert } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { ChangelogVisitor } from './contract.ts';
import { Version, versionBytes } from './entry.ts';
import type { Entry } from './entry.ts';

/** Bytes held, as estimated; shared by all parts of a task's cache. */
export interface CacheAccount {
  /** All entries and versions. */
  cached: number;
  /** Of these what is no matter of the bound: the entries of resident stores. */
  fixed: number;
  /** Keys and values of unsettled layers. */
  dirty: number;
}

/** What one epoch changed. */
export class Layer {
  /** Internal, ascending, never reused: unlike epoch ids they are known before the epoch ends. */
  readonly epoch: number;
  readonly entries: Entry[] = [];
  /** Keys and values of `entries`. */
  bytes = 0;
  /** Set when the layer is sealed. */
  epochId = -1;

  constructor(epoch: number) {
    this.epoch = epoch;
  }
}

export class Layers {
  readonly account: CacheAccount;
  /** Counts records; a decoded object is shared within one only. */
  record = 0;
  /** Counts what made decoded objects untrustworthy: a record undone, an epoch abandoned. */
  era = 0;
  open: Layer = new Layer(1);
  /** Oldest first. */
  readonly sealed: Layer[] = [];
  /** The first thing this record has to wait for. Kept because the user's code may swallow what a look-up throws. */
  awaited: Error | null = null;

  // The record's undo log. Entries first changed by this record are the open layer's tail from `recordStart` on.
  private recordStart = 0;
  private readonly undoEntries: Entry[] = [];
  private readonly undoEncoded: (BinaryString | null)[] = [];
  private readonly undoTimestamps: number[] = [];

  constructor(account: CacheAccount) {
    this.account = account;
  }

  get hasUnsettled(): boolean {
    return this.open.entries.length > 0 || this.sealed.length > 0;
  }

  beginRecord(): void {
    this.record++;
    this.awaited = null;
    this.recordStart = this.open.entries.length;
    if (this.undoEntries.length > 0) this.clearUndo();
  }

  get recordChanged(): boolean {
    return this.undoEntries.length > 0 || this.open.entries.length > this.recordStart;
  }

  /** Notes what the record has to wait for, and gives it back to be thrown. */
  await<E extends Error>(signal: E): E {
    this.awaited ??= signal;
    return signal;
  }

  /** Gives the entry a value in the open epoch. */
  change(entry: Entry, encoded: BinaryString | null, timestamp: number): void {
    const open = this.open;
    const account = this.account;
    const before = entry.encoded === null ? 0 : entry.encoded.length;
    const after = encoded === null ? 0 : encoded.length;
    if (entry.epoch === open.epoch) {
      this.undoEntries.push(entry);
      this.undoEncoded.push(entry.encoded);
      this.undoTimestamps.push(entry.timestamp);
      open.bytes += after - before;
      account.dirty += after - before;
    } else {
      const version = new Version(entry.encoded, entry.timestamp, entry.epoch, entry.older);
      entry.older = version;
      entry.epoch = open.epoch;
      open.entries.push(entry);
      open.bytes += entry.key.length + after;
      account.dirty += entry.key.length + after;
      account.cached += versionBytes(version);
    }
    account.cached += after - before;
    entry.encoded = encoded;
    entry.timestamp = timestamp;
    entry.memo = undefined;
  }

  /** Takes back all changes since `beginRecord`. */
  undoRecord(): void {
    this.record++;
    this.era++;
    this.awaited = null;
    const open = this.open;
    for (let i = this.undoEntries.length - 1; i >= 0; i--) {
      const entry = this.undoEntries[i]!;
      const encoded = this.undoEncoded[i]!;
      const delta =
        (encoded === null ? 0 : encoded.length) - (entry.encoded === null ? 0 : entry.encoded.length);
      entry.encoded = encoded;
      entry.timestamp = this.undoTimestamps[i]!;
      entry.memo = undefined;
      open.bytes += delta;
      this.account.dirty += delta;
      this.account.cached += delta;
      entry.store.takenBack(entry, delta);
    }
    this.clearUndo();
    const entries = open.entries;
    for (let i = entries.length - 1; i >= this.recordStart; i--) {
      const entry = entries[i]!;
      const bytes = entry.key.length + (entry.encoded === null ? 0 : entry.encoded.length);
      open.bytes -= bytes;
      this.account.dirty -= bytes;
      this.restoreOlder(entry);
    }
    entries.length = this.recordStart;
  }

  /** Ends the open epoch. Nothing changed when the visitor throws. */
  seal(epochId: number, visit: ChangelogVisitor): void {
    const open = this.open;
    const previous = this.sealed.at(-1);
    assert(previous === undefined || previous.epochId < epochId, 'epoch ids ascend');
    const entries = open.entries;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (!entry.store.logged) continue;
      // Absent before the epoch and absent again, as a call in flight or a timer that came and went: no tombstone. Epochs are committed in
      // order and abandoned together, so what is below the open one is in the changelog before it, or neither is.
      if (entry.encoded === null && entry.older!.encoded === null && entry.store.losesNothing) continue;
      visit(entry.store.index, entry.key, entry.encoded, entry.timestamp);
    }
    open.epochId = epochId;
    this.sealed.push(open);
    this.open = new Layer(open.epoch + 1);
    this.recordStart = 0;
    this.clearUndo();
  }

  /** Hands out the oldest sealed layer: it is committed. */
  takeCommitted(epochId: number): Layer {
    const layer = this.sealed.shift();
    assert(
      layer !== undefined && layer.epochId === epochId,
      `epoch ${epochId} is committed, but the oldest sealed one is ${layer === undefined ? 'none' : layer.epochId}`,
    );
    this.account.dirty -= layer.bytes;
    return layer;
  }

  /** Drops the open epoch and all sealed ones, newest first. */
  abandon(): void {
    this.era++;
    this.record++;
    this.awaited = null;
    this.drop(this.open);
    for (let i = this.sealed.length - 1; i >= 0; i--) this.drop(this.sealed[i]!);
    this.sealed.length = 0;
    this.open = new Layer(this.open.epoch + 1);
    this.recordStart = 0;
    this.clearUndo();
    assert(this.account.dirty === 0, 'an abandoned cache holds no dirty bytes');
  }

  private drop(layer: Layer): void {
    const entries = layer.entries;
    for (let i = entries.length - 1; i >= 0; i--) this.restoreOlder(entries[i]!);
    this.account.dirty -= layer.bytes;
  }

  private restoreOlder(entry: Entry): void {
    const older = entry.older;
    assert(older !== null, 'a changed entry has the version it replaced');
    const delta =
      (older.encoded === null ? 0 : older.encoded.length) -
      (entry.encoded === null ? 0 : entry.encoded.length);
    this.account.cached += delta - versionBytes(older);
    entry.encoded = older.encoded;
    entry.timestamp = older.timestamp;
    entry.epoch = older.epoch;
    entry.older = older.older;
    entry.memo = undefined;
    entry.store.takenBack(entry, delta);
  }

  private clearUndo(): void {
    this.undoEntries.length = 0;
    this.undoEncoded.length = 0;
    this.undoTimestamps.length = 0;
  }
}
