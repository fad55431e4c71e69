// Owns how a table of windows is read by another operator: the row of a windowed key, unless its time is over.
// Source of the rules: the value getters of KStreamWindowAggregate and KStreamSessionWindowAggregate of Kafka Streams.
import { orderedTime, orderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Window, Windowed } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { FixedWindows, SessionWindows } from '../options/windows.ts';
import type { Site } from './operator.ts';
import type { TableReader, TableView } from './table-view.ts';
import type { WindowStore } from './window-fold.ts';

type Kind = FixedWindows['kind'] | SessionWindows['kind'];

/** `keySerde`: of the windowed keys. */
export function windowView(kind: Kind, spec: WindowStore, keySerde: AnySerde): TableView {
  return {
    store: spec.name,
    keySerde,
    steps: [],
    custom: { stores: [spec.name], open: (site) => windowReader(site, kind, spec) },
  };
}

function windowReader(site: Site, kind: Kind, spec: WindowStore): TableReader {
  const store = site.orderedStore(spec.name);
  const storeClock = site.storeClock(spec.name);
  const codec = compileCodec(spec.keySerde);
  return {
    timestamp: -1,
    get(asked) {
      const { key, window } = asked as Windowed<unknown>;
      this.timestamp = -1;
      const time = kind === 'session' ? window.end : window.start;
      if (time <= storeClock.now - spec.retentionMs) return null;
      const row = store.row(codec.toBinary(key), suffixOf(kind, window));
      const value = store.value(row) ?? null;
      if (value === null) return null;
      this.timestamp = row.timestamp;
      return kind === 'count' ? (value as { readonly aggregate: unknown }).aggregate : value;
    },
  };
}

function suffixOf(kind: Kind, { start, end }: Window): BinaryString {
  if (kind === 'count') return orderedUint64(start);
  if (kind === 'session') return (orderedTime(end) + orderedTime(start)) as BinaryString;
  return kind === 'cumulative'
    ? ((orderedTime(start) + orderedTime(end)) as BinaryString)
    : orderedTime(start);
}
