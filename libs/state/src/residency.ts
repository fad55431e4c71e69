// Owns which entries stay in memory: the ring of all entries of a task, the clock's hand, the byte bound.
// It never evicts what is not in the database yet, nor what was used since the last seal or read-ahead.
import { WriteState, entryBytes } from './entry.ts';
import type { Entry } from './entry.ts';
import type { CacheAccount } from './layers.ts';

/** Steps of the hand in one go, so that one turn stays short; what is left to evict waits for the next. */
const STEPS_MAX = 20_000;

export class Residency {
  /** Number of the read-ahead in use; entries carry the number of their last use. */
  batch = 1;

  private readonly account: CacheAccount;
  private readonly bytesMax: number;
  private readonly ring: Entry[] = [];
  private hand = 0;
  /** Batch number at the last seal. */
  private sealedBatch = 0;
  /** So many of the newest batches stay whatever happens: a batch is read ahead store by store. */
  private readonly batchesKept: number;

  constructor(account: CacheAccount, bytesMax: number, storeCount: number) {
    this.account = account;
    this.bytesMax = bytesMax;
    this.batchesKept = storeCount * 2 + 2;
  }

  get entryCount(): number {
    return this.ring.length;
  }

  add(entry: Entry, bytes: number): void {
    this.ring.push(entry);
    this.account.cached += bytes;
  }

  /** A batch is read ahead. What was used since the last seal stays: a record that waits for a read may still need it. */
  nextBatch(): void {
    this.batch++;
    this.evict();
  }

  /** The epoch ended. */
  sealed(): void {
    this.sealedBatch = this.batch;
    this.nextBatch();
  }

  /** Forgets everything. Only when nothing is dirty, pending or being written. */
  clear(): void {
    for (const entry of this.ring) {
      entry.store.entries.delete(entry.key);
      entry.store.onEvict?.(entry);
      this.account.cached -= entryBytes(entry);
    }
    this.ring.length = 0;
    this.hand = 0;
  }

  // Second chance: the hand takes the mark of an entry when it passes, and the entry itself when it finds no mark.
  private evict(): void {
    const ring = this.ring;
    const account = this.account;
    const pinnedFrom = Math.min(this.sealedBatch, this.batch - this.batchesKept);
    let steps = Math.min(STEPS_MAX, ring.length * 2);
    while (account.cached > this.bytesMax && steps-- > 0 && ring.length > 0) {
      if (this.hand >= ring.length) this.hand = 0;
      const entry = ring[this.hand]!;
      if (entry.usedAt >= pinnedFrom || entry.older !== null || entry.writeState !== WriteState.CLEAN) {
        this.hand++;
      } else if (entry.usedAt > 0) {
        entry.usedAt = 0;
        this.hand++;
      } else {
        this.remove(entry);
      }
    }
  }

  private remove(entry: Entry): void {
    const ring = this.ring;
    const last = ring.pop()!;
    if (last !== entry) ring[this.hand] = last;
    entry.store.entries.delete(entry.key);
    // An absent key of a complete store is absent whether the cache says so or not.
    if (entry.encoded !== null) entry.store.complete = false;
    entry.store.onEvict?.(entry);
    this.account.cached -= entryBytes(entry);
  }
}
