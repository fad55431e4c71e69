// Owns how an aggregation is kept with its history: its operator sees the newest aggregates as in any store, and each one that it sets
// becomes a version. Source of the rules: KStreamAggregate over a versioned store of Kafka Streams.
import { compileCodec } from '#libs/serde';
import type { BinaryString } from '#libs/core';
import type { StoreEntry, StorePort } from '../ports.ts';
import type { AggregateStore } from './aggregate.ts';
import type { Operator, Site, StreamFunction, TableFunction } from './operator.ts';
import { changeOrder, openVersionedRows, Put, readsOfStore } from './versioned-store.ts';
import type { VersionedRows } from './versioned-store.ts';

/** The store as an aggregation sees it: one value a key. An aggregate is decoded afresh each time, since it may be changed in place. */
class NewestVersions implements StorePort {
  #lastPut: Put = Put.LATEST;
  readonly #rows: VersionedRows;
  readonly #decode: (encoded: BinaryString) => unknown;

  constructor(rows: VersionedRows, store: AggregateStore) {
    const codec = compileCodec(store.valueSerde);
    this.#rows = rows;
    this.#decode = (encoded) => codec.fromBinary(encoded, false);
  }

  entry(key: BinaryString): StoreEntry {
    const encoded = this.#rows.latestEncoded(key);
    return { key, encoded, timestamp: this.#rows.timestamp };
  }

  value(entry: StoreEntry): unknown {
    return entry.encoded === null ? undefined : this.#decode(entry.encoded);
  }

  set(entry: StoreEntry, value: unknown, timestamp: number): void {
    this.#lastPut = this.#rows.put(entry.key, value, timestamp);
  }

  get lastPut(): Put {
    return this.#lastPut;
  }

  begin(): void {
    this.#lastPut = Put.LATEST;
  }

  require(): void {
    // What is read ahead covers the key's history.
  }
}

/** The operator over a store that keeps history; as it is, if the store keeps none. It sets a value, then forwards the change. */
export function withVersions(operator: Operator, store: AggregateStore): Operator {
  const { versioned } = store;
  if (versioned === undefined || operator.takes !== 'stream' || operator.gives !== 'table') return operator;
  return {
    ...operator,
    value: 'kept',
    reads: readsOfStore(store),
    fold(site: Site, children: readonly TableFunction[]) {
      const newest = new NewestVersions(openVersionedRows(site, store.name, versioned), store);
      const order = changeOrder.of(site);
      const forward = (child: TableFunction): TableFunction => {
        return (key, newValue, oldValue, timestamp) => {
          if (newest.lastPut === Put.TOO_OLD) return;
          const before = order.isLatest;
          order.isLatest = newest.lastPut === Put.LATEST;
          try {
            child(key, newValue, oldValue, timestamp);
          } finally {
            order.isLatest = before;
          }
        };
      };
      const storeOf: Site['store'] = (name) => (name === store.name ? newest : site.store(name));
      const inner = operator.fold({ ...site, store: storeOf }, children.map(forward));
      const process: StreamFunction = (key, value, timestamp) => {
        newest.begin();
        inner(key, value, timestamp);
        if (newest.lastPut === Put.TOO_OLD) {
          site.drop('MILLRACE_LATE_RECORD', 'older than a versioned table keeps history');
        }
      };
      return process;
    },
  };
}
