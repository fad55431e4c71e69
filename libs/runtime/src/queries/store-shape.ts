// Owns what a query has to know of a store: its kind, its serdes, how its rows are keyed, and which partition a key is in. From the topology
// alone: it reads nothing.
import { partitionForKey } from '#libs/broker';
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec, Serde, Window } from '#libs/serde';
import { groupOfKey, rowKey, suffixOfKey } from '#libs/state';
import type { GlobalStoreSpec, StoreSpec, SubTopology, Topology } from '#libs/topology';

import { queryInvalid, storeUnknown } from './query-error.ts';

/** `internal`: buffers, timers and state of operators, whose rows are nobody else's business. */
export type StoreKind = 'keyValue' | 'window' | 'session' | 'versioned' | 'global' | 'internal';

export interface WindowRows {
  readonly suffixOf: (start: number, end: number) => BinaryString;
  readonly windowOf: (suffix: BinaryString) => Window;
}

export interface StoreShape {
  readonly name: string;
  readonly kind: StoreKind;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly keyCodec: Codec<unknown>;
  readonly valueCodec: Codec<unknown>;
  /** Has a changelog, or is made of a topic. */
  readonly logged: boolean;
  /** `null`: of a global store, which every instance holds whole. */
  readonly subTopology: SubTopology | null;
  readonly global: GlobalStoreSpec | null;
  readonly spec: StoreSpec | null;
  /** Rows are in groups: windows and sessions by key, ordered stores all in one. */
  readonly rows: 'plain' | 'oneGroup' | 'byKey';
  /** Of windows and sessions. */
  readonly windows: WindowRows | null;
  /** Of a versioned store: suffixes are the time up to which a version was valid, not from which. */
  readonly untilTime: boolean;
  /** Suffixes begin with a time, and old rows are hidden. */
  readonly expires: boolean;
}

const TIME_BYTES = 8;
const ONE_GROUP = '' as BinaryString;
/** The suffix of the newest version of a versioned table. */
export const END_OF_TIME = orderedTime(2 ** 52 - 1);

/** @throws StoreQueryError MILLRACE_STORE_UNKNOWN, MILLRACE_QUERY_INVALID it is an operator's own */
export function queryableShape(shapes: ReadonlyMap<string, StoreShape>, name: string): StoreShape {
  const shape = shapes.get(name);
  if (shape === undefined) {
    const known = [...shapes.values()].filter(({ kind }) => kind !== 'internal');
    throw storeUnknown(
      name,
      known.map((store) => store.name),
    );
  }
  if (shape.kind !== 'internal') return shape;
  throw queryInvalid(name, 'it is the working state of an operator', 'Query the store of its result.');
}

/** By name, in the order of the topology. */
export function storeShapes(topology: Topology): ReadonlyMap<string, StoreShape> {
  const shapes = new Map<string, StoreShape>();
  for (const sub of topology.subTopologies)
    for (const spec of sub.stores) shapes.set(spec.name, shapeOf(spec, sub));
  for (const spec of topology.globalStores) shapes.set(spec.name, globalShape(spec));
  return shapes;
}

function shapeOf(spec: StoreSpec, subTopology: SubTopology): StoreShape {
  const { name, keySerde, valueSerde, logged, layout = '' } = spec;
  const common = {
    name,
    keySerde,
    valueSerde,
    keyCodec: compileCodec(keySerde),
    valueCodec: compileCodec(valueSerde),
    logged,
    subTopology,
    global: null,
    spec,
    windows: null,
    untilTime: false,
    expires: false,
  };
  if (spec.kind === 'keyValue') {
    // Keyed state is one value per key, as a table is.
    return { ...common, kind: 'keyValue', rows: 'plain' };
  }
  if (layout === 'keys in order') return { ...common, kind: 'keyValue', rows: 'oneGroup' };
  if (layout === 'versions') return { ...common, kind: 'versioned', rows: 'byKey' };
  if (layout === 'table-versions') return { ...common, kind: 'versioned', rows: 'byKey', untilTime: true };
  const windows = windowRows(layout);
  if (windows === null) return { ...common, kind: 'internal', rows: 'byKey' };
  return {
    ...common,
    kind: layout.startsWith('session') ? 'session' : 'window',
    rows: 'byKey',
    windows,
    expires: spec.expiry !== null,
  };
}

function globalShape(global: GlobalStoreSpec): StoreShape {
  const { name, keySerde, valueSerde } = global;
  return {
    name,
    kind: 'global',
    keySerde,
    valueSerde,
    keyCodec: compileCodec(keySerde),
    valueCodec: compileCodec(valueSerde),
    logged: true,
    subTopology: null,
    global,
    spec: null,
    rows: 'plain',
    windows: null,
    untilTime: false,
    expires: false,
  };
}

/** How the rows of a windowed store are told apart, by its layout; `null`: it has no windows of time. */
export function windowRows(layout: string): WindowRows | null {
  if (layout === 'session' || layout === 'sessions') {
    return {
      suffixOf: (start, end) => (orderedTime(end) + orderedTime(start)) as BinaryString,
      windowOf: (suffix) => ({ start: readOrderedTime(suffix, TIME_BYTES), end: readOrderedTime(suffix, 0) }),
    };
  }
  if (layout.startsWith('cumulative(')) {
    return {
      suffixOf: (start, end) => (orderedTime(start) + orderedTime(end)) as BinaryString,
      windowOf: (suffix) => ({ start: readOrderedTime(suffix, 0), end: readOrderedTime(suffix, TIME_BYTES) }),
    };
  }
  const lengthMs = layout.startsWith('unlimited(')
    ? Infinity
    : Number(
        /^(?:window\(size|windows\(size|sliding\(difference)=(\d+)(?:, duplicates)?\)$/.exec(layout)?.[1] ??
          Number.NaN,
      );
  if (Number.isNaN(lengthMs)) return null;
  return {
    suffixOf: (start) => orderedTime(start),
    windowOf: (suffix) => {
      const start = readOrderedTime(suffix, 0);
      return { start, end: start + lengthMs };
    },
  };
}

/** The key of a row as the store has it, without a window. */
export function keyOfRow(shape: StoreShape, key: BinaryString): BinaryString {
  if (shape.rows === 'plain') return key;
  return shape.rows === 'oneGroup' ? suffixOfKey(key) : groupOfKey(key);
}

/** The row of a key in a store whose keys have one row each. */
export function rowOfKey(shape: StoreShape, key: BinaryString): BinaryString {
  return shape.rows === 'plain' ? key : rowKey(ONE_GROUP, key);
}

/**
 * The partition of a key, as Kafka's clients choose it. `null`: a partitioner of the user's decides on the way to the store, and it may look
 * at more than the key.
 */
export function partitionOfKey(
  topology: Topology,
  shape: StoreShape,
  key: BinaryString,
  partitions: number,
): number | null {
  const { subTopology } = shape;
  if (subTopology === null || partitions <= 1) return 0;
  const repartitions = new Set(
    subTopology.sources.filter(({ kind }) => kind === 'repartition').map(({ topic }) => topic),
  );
  let suffixBytes = 0;
  for (const { sinks } of topology.subTopologies) {
    for (const { kind, topic, partitioner, keySuffixBytes = 0 } of sinks) {
      if (kind !== 'repartition' || typeof topic !== 'string' || !repartitions.has(topic)) continue;
      if (partitioner !== null) return null;
      suffixBytes = keySuffixBytes;
    }
  }
  const inner = suffixBytes === 0 ? key : (key.slice(0, -suffixBytes) as BinaryString);
  return partitionForKey(inner, partitions);
}
