// Owns bringing entries into the cache before their records run. It never overwrites what the cache knows.
//
// A key being read is not read again: a second read-ahead waits for the first one's answer. So a key enters the cache by
// one read only, and an answer cannot be older than a value that was set, written and evicted while it was under way. In an
// ordered store a scan may bring the key as well: there nothing of a group leaves while it is being read.
import type { BinaryString } from '#libs/core';
import { detachBinary } from '#libs/serde';
import type { StateDatabase } from './database.ts';
import type { EntryStore } from './entry-store.ts';

interface Reading {
  readonly answer: Promise<void>;
}

export class ReadAhead {
  private readonly database: StateDatabase;
  private readonly store: EntryStore;
  /** Keys under way. */
  private readonly reading = new Map<BinaryString, Reading>();
  /** Counts how often the cache was cleared; an answer from before is dropped. */
  private generation = 0;

  constructor(database: StateDatabase, store: EntryStore) {
    this.database = database;
    this.store = store;
  }

  /** `undefined`: all of the first `count` keys are in the cache. */
  fetch(keys: readonly BinaryString[], count: number, batch: number): Promise<void> | undefined {
    const { store } = this;
    let missing: BinaryString[] | null = null;
    let others: Set<Reading> | null = null;
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      if (store.touch(key, batch)) continue;
      const reading = this.reading.get(key);
      if (reading === undefined) {
        const copy = detachBinary(key);
        missing ??= [];
        missing.push(copy);
        // Claimed before the read starts, so that a key that repeats in this batch is read once.
        this.reading.set(copy, CLAIMED);
      } else if (reading !== CLAIMED) {
        others ??= new Set();
        others.add(reading);
      }
    }
    if (missing === null && others === null) return undefined;
    const answers: Promise<void>[] = [];
    if (missing !== null) {
      const reading: Reading = { answer: this.read(missing) };
      for (const key of missing) this.reading.set(key, reading);
      answers.push(reading.answer);
    }
    if (others !== null) for (const other of others) answers.push(other.answer);
    return answers.length === 1 ? answers[0]! : Promise.all(answers).then(() => undefined);
  }

  cleared(): void {
    this.generation++;
  }

  private async read(keys: readonly BinaryString[]): Promise<void> {
    const generation = this.generation;
    for (const key of keys) this.store.readStarted(key);
    try {
      const columns = await this.database.read(this.store.index, keys, keys.length);
      if (generation !== this.generation) return;
      for (let i = 0; i < keys.length; i++) {
        this.store.admit(keys[i]!, columns.values[i] ?? null, columns.timestamps[i]!);
      }
    } finally {
      for (const key of keys) {
        this.reading.delete(key);
        this.store.readEnded(key);
      }
    }
  }
}

/** Marks a key whose read is about to start in this very call. */
const CLAIMED: Reading = { answer: Promise.resolve() };
