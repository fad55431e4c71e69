// Owns what the face of a store is opened with: its ports in one task, guarded so that a miss that a processor catches by accident is
// not lost.
import type { BinaryString } from '#libs/core';
import type { OperatorClock, OrderedStorePort, RecordContext, StoreEntry, StorePort } from '../ports.ts';

export interface StoreSite {
  readonly context: RecordContext;
  /** The clock that a store's rows expire by. */
  clock(store: string): OperatorClock;
  store(name: string): StorePort;
  orderedStore(name: string): OrderedStorePort;
}

/** Notes what came out of stores and of operators downstream, so that a processor cannot catch it. */
export class Guard {
  error: unknown = null;
  isSet = false;

  /** The first one counts: others follow from it. */
  note(error: unknown): unknown {
    if (!this.isSet) {
      this.error = error;
      this.isSet = true;
    }
    return error;
  }

  reset(): void {
    this.isSet = false;
    this.error = null;
  }
}

export class GuardedStore implements StorePort {
  readonly #port: StorePort;
  readonly #guard: Guard;

  constructor(port: StorePort, guard: Guard) {
    this.#port = port;
    this.#guard = guard;
  }

  entry(key: BinaryString): StoreEntry {
    try {
      return this.#port.entry(key);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }

  value(entry: StoreEntry): unknown {
    return this.#port.value(entry);
  }

  set(entry: StoreEntry, value: unknown, timestamp: number): void {
    this.#port.set(entry, value, timestamp);
  }

  require(keys: readonly BinaryString[]): void {
    try {
      this.#port.require(keys);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }
}

export class GuardedOrderedStore implements OrderedStorePort {
  readonly #port: OrderedStorePort;
  readonly #guard: Guard;

  constructor(port: OrderedStorePort, guard: Guard) {
    this.#port = port;
    this.#guard = guard;
  }

  row(group: BinaryString, suffix: BinaryString): StoreEntry {
    try {
      return this.#port.row(group, suffix);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }

  value(row: StoreEntry): unknown {
    return this.#port.value(row);
  }

  set(row: StoreEntry, value: unknown, timestamp: number): void {
    this.#port.set(row, value, timestamp);
  }

  suffixOf(row: StoreEntry): BinaryString {
    return this.#port.suffixOf(row);
  }

  groupOf(row: StoreEntry): BinaryString {
    return this.#port.groupOf(row);
  }

  range(
    group: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: (row: StoreEntry) => boolean | void,
    descending?: boolean,
  ): void {
    try {
      this.#port.range(group, from, to, visit, descending);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }

  first(group: BinaryString): StoreEntry | null {
    try {
      return this.#port.first(group);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }

  require(groups: readonly BinaryString[], suffixes: readonly BinaryString[]): void {
    try {
      this.#port.require(groups, suffixes);
    } catch (error) {
      throw this.#guard.note(error);
    }
  }
}
