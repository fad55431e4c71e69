// Owns the time of a window store that several operators share: each of them goes by its own event time, the store by the newest row it
// was given. So a row is forgotten for all of them at the same moment, whoever reads it.
// Source of the rule: the observed stream time of Kafka Streams' window stores.
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { OperatorClock, OrderedStorePort, StoreEntry } from '../ports.ts';
import type { Site } from './operator.ts';

/** A row that is too old to be kept. */
class ForgottenRow implements StoreEntry {
  readonly key = '' as BinaryString;
  readonly encoded = null;
  readonly timestamp = -1;
  readonly group: BinaryString;
  readonly suffix: BinaryString;

  constructor(group: BinaryString, suffix: BinaryString) {
    this.group = group;
    this.suffix = suffix;
  }
}

/** The site with rows of `store` hidden that are `retentionMs` or more older than its newest one. Suffixes begin with a time. */
export function withStoreTime(site: Site, store: string, retentionMs: number): Site {
  if (!Number.isFinite(retentionMs)) return site;
  const clock = site.storeClock(store);
  return {
    ...site,
    orderedStore: (name) =>
      name === store ? new TimedStore(site.orderedStore(name), clock, retentionMs) : site.orderedStore(name),
  };
}

class TimedStore implements OrderedStorePort {
  readonly #port: OrderedStorePort;
  readonly #clock: OperatorClock;
  readonly #retentionMs: number;

  constructor(port: OrderedStorePort, clock: OperatorClock, retentionMs: number) {
    this.#port = port;
    this.#clock = clock;
    this.#retentionMs = retentionMs;
  }

  row(group: BinaryString, suffix: BinaryString): StoreEntry {
    return readOrderedTime(suffix, 0) < this.#earliest()
      ? new ForgottenRow(group, suffix)
      : this.#port.row(group, suffix);
  }

  value(row: StoreEntry): unknown {
    return row instanceof ForgottenRow ? undefined : this.#port.value(row);
  }

  /** What would be forgotten at once is not kept. */
  set(row: StoreEntry, value: unknown, timestamp: number): void {
    if (row instanceof ForgottenRow) return;
    this.#clock.observe(readOrderedTime(this.#port.suffixOf(row), 0));
    this.#port.set(row, value, timestamp);
  }

  suffixOf(row: StoreEntry): BinaryString {
    return row instanceof ForgottenRow ? row.suffix : this.#port.suffixOf(row);
  }

  groupOf(row: StoreEntry): BinaryString {
    return row instanceof ForgottenRow ? row.group : this.#port.groupOf(row);
  }

  range(
    group: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: (row: StoreEntry) => boolean | void,
    descending?: boolean,
  ): void {
    const earliest = orderedTime(this.#earliest());
    this.#port.range(group, from === null || from < earliest ? earliest : from, to, visit, descending);
  }

  first(group: BinaryString): StoreEntry | null {
    let first: StoreEntry | null = null;
    this.range(group, null, null, (row) => {
      first = row;
      return false;
    });
    return first;
  }

  require(groups: readonly BinaryString[], suffixes: readonly BinaryString[]): void {
    this.#port.require(groups, suffixes);
  }

  #earliest(): number {
    return this.#clock.now - this.#retentionMs + 1;
  }
}
