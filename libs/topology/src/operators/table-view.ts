// Owns how a table's value of a key is read by another operator: from a store, or made of other tables on the way, then through the
// unmaterialized steps in between. Source of the rules: the KTableValueGetters of Kafka Streams.
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata } from '../ports.ts';
import type { OperatorRead, Site } from './operator.ts';
import { byKey } from './operator.ts';
import { afterTime, openVersionedRows } from './versioned-store.ts';
import type { VersionedSpec } from './versioned-store.ts';
import type { RecordPredicate, ValueMapper } from './stateless.ts';

/** One step between a store and the table that is read: an unmaterialized filter or mapValues. */
export type ViewStep =
  | { readonly kind: 'filter'; readonly predicate: RecordPredicate; readonly negate: boolean }
  | { readonly kind: 'mapValues'; readonly mapper: ValueMapper };

export type TableJoiner = (
  value: unknown,
  otherValue: unknown,
  key: unknown,
  metadata: RecordMetadata,
) => unknown;

/** A join that is kept nowhere: its value of a key is made of the two tables when it is asked for. */
export interface JoinedView {
  readonly left: TableView;
  readonly right: TableView;
  readonly kind: 'inner' | 'left' | 'outer';
  readonly joiner: TableJoiner;
}

export interface TableView {
  /** Of a table that is kept; '' with `joined`. */
  readonly store: string;
  readonly keySerde: AnySerde;
  readonly steps: readonly ViewStep[];
  readonly joined?: JoinedView;
  /** The store keeps history. */
  readonly versioned?: VersionedSpec;
  /** The table is kept nowhere and cannot be made of others: notes the fault that somebody wants to look it up. */
  readonly unkept?: () => void;
  /** Read by other means than a key-value store: windows, what is suppressed. */
  readonly custom?: {
    readonly stores: readonly string[];
    readonly open: (site: Site) => TableReader;
  };
}

/** The value of a key, as of now. */
export interface TableReader {
  /** `null`: none. Every look-up may throw a miss. */
  get(key: unknown): unknown;
  /** Of the value last got; -1 without. */
  timestamp: number;
  /** The value that was valid at a time; only of a versioned table. */
  getAsOf?(key: unknown, time: number): unknown;
}

/** The stores that a view reads, each once. */
export function storesOfView(view: TableView): string[] {
  const { joined, custom, unkept } = view;
  if (unkept !== undefined) {
    unkept();
    return [];
  }
  if (custom !== undefined) return [...custom.stores];
  if (joined === undefined) return [view.store];
  return [...new Set([...storesOfView(joined.left), ...storesOfView(joined.right)])];
}

/** What is read ahead when records look up their own key. */
export function readsOfView(view: TableView): OperatorRead[] {
  const { joined, versioned } = view;
  if (joined !== undefined) return [...readsOfView(joined.left), ...readsOfView(joined.right)];
  if (view.custom !== undefined) return [];
  const { store: name, keySerde } = view;
  return versioned === undefined
    ? [byKey({ name, keySerde })]
    : [{ keySerde, ahead: { kind: 'range', store: name, from: afterTime } }];
}

/** `ownKey`: the keys asked for are those of the records that `site` is given. */
export function openView(site: Site, view: TableView, ownKey = true): TableReader {
  const base = baseReader(site, view, ownKey);
  return view.steps.length === 0 ? base : stepReader(site, view.steps, base);
}

function baseReader(site: Site, view: TableView, ownKey: boolean): TableReader {
  if (view.custom !== undefined) return view.custom.open(site);
  if (view.versioned !== undefined) return versionedReader(site, view, view.versioned, ownKey);
  return view.joined === undefined
    ? storeReader(site, view, ownKey)
    : joinedReader(site, view.joined, ownKey);
}

function versionedReader(
  site: Site,
  view: TableView,
  versioned: VersionedSpec,
  ownKey: boolean,
): TableReader {
  const rows = openVersionedRows(site, view.store, versioned);
  const { fromSource, codec } = site.keyEncoder(view.keySerde);
  const { context } = site;
  const isSourceKey = fromSource && ownKey;
  return {
    timestamp: -1,
    get(key) {
      const value = rows.latest(isSourceKey ? context.rawKey! : codec.toBinary(key));
      this.timestamp = rows.timestamp;
      return value;
    },
    getAsOf(key, time) {
      const value = rows.asOf(isSourceKey ? context.rawKey! : codec.toBinary(key), time);
      this.timestamp = rows.timestamp;
      return value;
    },
  };
}

function storeReader(site: Site, view: TableView, ownKey: boolean): TableReader {
  const store = site.store(view.store);
  const { fromSource, codec } = site.keyEncoder(view.keySerde);
  const { context } = site;
  const isSourceKey = fromSource && ownKey;
  return {
    timestamp: -1,
    get(key) {
      const entry = store.entry(isSourceKey ? context.rawKey! : codec.toBinary(key));
      const value = store.value(entry) ?? null;
      this.timestamp = value === null ? -1 : entry.timestamp;
      return value;
    },
  };
}

function stepReader(site: Site, steps: readonly ViewStep[], base: TableReader): TableReader {
  const { context } = site;
  const through = (key: unknown, found: unknown): unknown => {
    let value = found;
    try {
      for (let index = 0; index < steps.length && value !== null; index++) {
        const step = steps[index]!;
        if (step.kind === 'mapValues') value = step.mapper(value, key, context) ?? null;
        else if (step.predicate(key, value, context) === step.negate) value = null;
      }
    } catch (error) {
      throw site.blame(error);
    }
    return value;
  };
  const reader: TableReader = {
    timestamp: -1,
    get(key) {
      const value = through(key, base.get(key));
      this.timestamp = value === null ? -1 : base.timestamp;
      return value;
    },
  };
  if (base.getAsOf !== undefined) {
    reader.getAsOf = (key, time) => {
      const value = through(key, base.getAsOf!(key, time));
      reader.timestamp = value === null ? -1 : base.timestamp;
      return value;
    };
  }
  return reader;
}

function joinedReader(site: Site, joined: JoinedView, ownKey: boolean): TableReader {
  const { kind, joiner } = joined;
  const left = openView(site, joined.left, ownKey);
  const right = openView(site, joined.right, ownKey);
  const { context } = site;
  return {
    timestamp: -1,
    get(key) {
      this.timestamp = -1;
      const leftValue = left.get(key);
      if (leftValue === null && kind !== 'outer') return null;
      const rightValue = right.get(key);
      if (rightValue === null && (kind === 'inner' || leftValue === null)) return null;
      let value: unknown;
      try {
        value = joiner(leftValue, rightValue, key, context) ?? null;
      } catch (error) {
        throw site.blame(error);
      }
      if (value !== null) this.timestamp = Math.max(left.timestamp, right.timestamp);
      return value;
    },
  };
}
