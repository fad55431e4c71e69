// Owns the synchronous face of a key-value store: entries by key. One look-up finds the newest value.
import type { BinaryString } from '#libs/core';
import { detachBinary } from '#libs/serde';
import { StateMiss } from './contract.ts';
import type { KeyValueStoreCache } from './contract.ts';
import { Entry, entryBytes } from './entry.ts';
import { EntryStore } from './entry-store.ts';

export class StoreCache extends EntryStore implements KeyValueStoreCache {
  private readonly entries = new Map<BinaryString, Entry>();

  /** Keys in memory. */
  get size(): number {
    return this.entries.size;
  }

  entry(key: BinaryString): Entry {
    const entry = this.entries.get(key);
    if (entry === undefined) return this.absentEntry(key);
    entry.usedAt = this.residency.batch;
    return entry;
  }

  require(keys: readonly BinaryString[]): void {
    if (this.complete) return;
    let missing: BinaryString[] | null = null;
    for (let i = 0; i < keys.length; i++) {
      const entry = this.entries.get(keys[i]!);
      if (entry === undefined) (missing ??= []).push(keys[i]!);
      else entry.usedAt = this.residency.batch;
    }
    if (missing !== null) throw this.layers.await(new StateMiss(this.name, missing));
  }

  find(key: BinaryString): Entry | undefined {
    return this.entries.get(key);
  }

  knowsAbsent(): boolean {
    return this.complete;
  }

  touch(key: BinaryString, batch: number): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined) return this.complete;
    entry.usedAt = batch;
    return true;
  }

  admit(key: BinaryString, encoded: BinaryString | null, timestamp: number): void {
    if (this.entries.has(key)) return;
    this.insert(key, encoded, timestamp);
  }

  allEntries(): Iterable<Entry> {
    return this.entries.values();
  }

  forget(entry: Entry): void {
    this.entries.delete(entry.key);
    // An absent key of a complete store is absent whether the cache says so or not.
    if (entry.encoded !== null) this.complete = false;
  }

  clear(): void {
    for (const entry of this.entries.values()) {
      if (entry.encoded !== null) this.unknown();
      this.residency.drop(entry);
    }
    this.entries.clear();
  }

  private absentEntry(key: BinaryString): Entry {
    if (!this.complete) throw this.layers.await(new StateMiss(this.name, [key]));
    return this.insert(detachBinary(key), null, -1);
  }

  private insert(key: BinaryString, encoded: BinaryString | null, timestamp: number): Entry {
    const entry = new Entry(this, key, encoded, timestamp, this.residency.batch);
    this.entries.set(key, entry);
    this.residency.add(entry, entryBytes(entry));
    return entry;
  }
}
