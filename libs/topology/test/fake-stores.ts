// Stores made of Maps, for the specs of this library only. Every value is decoded afresh, so that an operator that changes an object
// without setting it is found out.
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { OrderedStorePort, StoreEntry, StorePort, StoreSpec } from '#libs/topology';

export interface FakeEntry extends StoreEntry {
  encoded: BinaryString | null;
  timestamp: number;
}

abstract class FakeBase {
  protected readonly spec: StoreSpec;

  constructor(spec: StoreSpec) {
    this.spec = spec;
  }

  value(entry: StoreEntry): unknown {
    return entry.encoded === null
      ? undefined
      : compileCodec(this.spec.valueSerde).fromBinary(entry.encoded, false);
  }

  set(entry: StoreEntry, value: unknown, timestamp: number): void {
    if (value === undefined) throw new TypeError('undefined was set');
    const own = entry as FakeEntry;
    own.encoded = value === null ? null : compileCodec(this.spec.valueSerde).toBinary(value);
    own.timestamp = timestamp;
  }
}

export class FakeStore extends FakeBase implements StorePort {
  readonly entries = new Map<BinaryString, FakeEntry>();
  /** Keys asked for, in order. */
  readonly asked: BinaryString[] = [];

  entry(key: BinaryString): StoreEntry {
    this.asked.push(key);
    let entry = this.entries.get(key);
    if (entry === undefined) this.entries.set(key, (entry = { key, encoded: null, timestamp: -1 }));
    return entry;
  }

  require(): void {
    // Everything is in memory.
  }

  /** Decoded content, with timestamps. */
  content(): Map<unknown, readonly [value: unknown, timestamp: number]> {
    const keyCodec = compileCodec(this.spec.keySerde);
    return new Map(
      [...this.entries.values()]
        .filter(({ encoded }) => encoded !== null)
        .map((entry) => [keyCodec.fromBinary(entry.key, false), [this.value(entry), entry.timestamp]]),
    );
  }
}

interface FakeRow extends FakeEntry {
  readonly group: BinaryString;
  readonly suffix: BinaryString;
}

export class FakeOrderedStore extends FakeBase implements OrderedStorePort {
  readonly #groups = new Map<BinaryString, Map<BinaryString, FakeRow>>();

  row(group: BinaryString, suffix: BinaryString): StoreEntry {
    let rows = this.#groups.get(group);
    if (rows === undefined) this.#groups.set(group, (rows = new Map()));
    let row = rows.get(suffix);
    if (row === undefined) {
      const key = `${group}|${suffix}` as BinaryString;
      rows.set(suffix, (row = { key, group, suffix, encoded: null, timestamp: -1 }));
    }
    return row;
  }

  suffixOf(row: StoreEntry): BinaryString {
    return (row as FakeRow).suffix;
  }

  groupOf(row: StoreEntry): BinaryString {
    return (row as FakeRow).group;
  }

  range(
    group: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: (row: StoreEntry) => boolean | void,
    descending = false,
  ): void {
    const rows = [...(this.#groups.get(group)?.values() ?? [])]
      .filter(({ suffix }) => (from === null || suffix >= from) && (to === null || suffix < to))
      .sort((a, b) => (a.suffix < b.suffix ? -1 : 1));
    if (descending) rows.reverse();
    for (const row of rows) if (row.encoded !== null && visit(row) === false) return;
  }

  first(group: BinaryString): StoreEntry | null {
    let first: StoreEntry | null = null;
    this.range(group, null, null, (row) => {
      first = row;
      return false;
    });
    return first;
  }

  require(): void {
    // Everything is in memory.
  }

  /** Rows that exist, by group, then suffix. */
  rows(): { group: BinaryString; suffix: BinaryString; value: unknown; timestamp: number }[] {
    return [...this.#groups.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, rows]) => [...rows.values()].sort((a, b) => (a.suffix < b.suffix ? -1 : 1)))
      .filter(({ encoded }) => encoded !== null)
      .map((row) => ({
        group: row.group,
        suffix: row.suffix,
        value: this.value(row),
        timestamp: row.timestamp,
      }));
  }
}
