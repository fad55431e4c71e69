// Owns which entries stay in memory: the ring of all evictable ones of a task, the clock's hand, the byte bound.
// It never evicts what is not in the database yet, nor what was used since the last seal or read-ahead.
import type { CacheAccount } from './layers.ts';
import type { Resident } from './resident.ts';

/** Steps of the hand in one go, so that one turn stays short; what is left to evict waits for the next. */
const STEPS_MAX = 20_000;

export class Residency {
  /** Number of the read-ahead in use; entries carry the number of their last use. */
  batch = 1;
  /** What was used in this batch or later stays whatever happens. */
  pinnedFrom = 0;

  private readonly account: CacheAccount;
  private readonly bytesMax: number;
  private readonly ring: Resident[] = [];
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

  add(resident: Resident, bytes: number): void {
    resident.ringAt = this.ring.length;
    this.ring.push(resident);
    this.account.cached += bytes;
  }

  /** Keeps it in memory until it is dropped, beside the bound. */
  addFixed(bytes: number): void {
    this.account.cached += bytes;
    this.account.fixed += bytes;
  }

  /** The bytes of what was added by `addFixed` changed. */
  changeFixed(delta: number): void {
    this.account.fixed += delta;
  }

  /** It leaves by its store's wish. */
  drop(resident: Resident): void {
    const { bytes } = resident;
    this.account.cached -= bytes;
    if (resident.ringAt < 0) this.account.fixed -= bytes;
    else this.takeOut(resident);
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

  // Second chance: the hand takes the mark of an entry when it passes, and the entry itself when it finds no mark.
  private evict(): void {
    const ring = this.ring;
    const account = this.account;
    this.pinnedFrom = Math.min(this.sealedBatch, this.batch - this.batchesKept);
    let steps = Math.min(STEPS_MAX, ring.length * 2);
    while (account.cached - account.fixed > this.bytesMax && steps-- > 0 && ring.length > 0) {
      if (this.hand >= ring.length) this.hand = 0;
      const resident = ring[this.hand]!;
      if (resident.usedAt >= this.pinnedFrom || !resident.mayLeave()) {
        this.hand++;
      } else if (resident.usedAt > 0) {
        resident.usedAt = 0;
        this.hand++;
      } else {
        this.drop(resident);
        resident.leave();
      }
    }
  }

  private takeOut(resident: Resident): void {
    const at = resident.ringAt;
    const last = this.ring.pop()!;
    if (last !== resident) {
      this.ring[at] = last;
      last.ringAt = at;
    }
    resident.ringAt = -1;
  }
}
