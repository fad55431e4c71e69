// Owns what an encoded row of a changelog says: its key, its window or version, its value. By the topology's own serdes where there is one, else by formats and
// by the layout that is named.
import type { BinaryString } from '#libs/core';
import { FatalError, readOrderedTime } from '#libs/core';
import { END_OF_TIME, keyOfRow, queryableShape, storeShapes } from '#libs/runtime';
import type { StoreShape } from '#libs/millrace';
import { Serdes } from '#libs/millrace';
import { suffixOfKey } from '#libs/state';
import type { Topology } from '#libs/topology';
import { shown } from './formats.ts';
import type { Show } from './formats.ts';

/** As a query answers an entry. */
export interface ToldRow {
  readonly partition: number;
  readonly key: unknown;
  readonly window?: { readonly start: number; readonly end: number };
  readonly validTo?: number | null;
  readonly value: unknown;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

export interface EncodedRow {
  readonly partition: number;
  readonly key: BinaryString;
  readonly value: BinaryString;
  readonly timestamp: number;
}

/** Of versions: one that says that there was no value. */
const NO_VALUE = 0;

export class RowReader {
  private readonly shape: StoreShape;
  private readonly key: Show;
  private readonly value: Show;

  /** `key`, `value`: instead of the shape's own. */
  constructor(shape: StoreShape, key: Show | null, value: Show | null) {
    this.shape = shape;
    this.key = key ?? ((encoded) => shape.keyCodec.fromBinary(encoded, false));
    this.value = value ?? ((encoded) => shape.valueCodec.fromBinary(encoded, false));
  }

  /** Where rows expire, and the topology says when. */
  get expiry(): { readonly clock: string; readonly retentionMs: number } | undefined {
    const { spec } = this.shape;
    return spec?.kind === 'ordered' ? (spec.expiry ?? undefined) : undefined;
  }

  /** The encoded key without window or version. */
  keyOf(row: BinaryString): BinaryString {
    return keyOfRow(this.shape, row);
  }

  /** @throws what a serde refuses with */
  async read({ partition, key, value, timestamp }: EncodedRow): Promise<ToldRow> {
    const { shape } = this;
    const told = { partition, key: await shown(this.key, this.keyOf(key)) };
    if (shape.kind === 'versioned') return { ...told, ...(await this.version(key, value, timestamp)) };
    const read = { value: await shown(this.value, value), timestamp };
    if (shape.windows === null) return { ...told, ...read };
    const { start, end } = shape.windows.windowOf(suffixOfKey(key));
    return { ...told, window: { start, end }, ...read };
  }

  private async version(row: BinaryString, value: BinaryString, timestamp: number) {
    const suffix = suffixOfKey(row);
    const time = readOrderedTime(suffix, 0);
    const { untilTime } = this.shape;
    return {
      value: value.charCodeAt(0) === NO_VALUE ? null : await shown(this.value, value),
      timestamp: untilTime ? timestamp : time,
      validTo: untilTime && suffix !== END_OF_TIME ? time : null,
    };
  }
}

/** @throws FatalError MILLRACE_STORE_UNKNOWN, MILLRACE_QUERY_INVALID an operator's own */
export function shapeOfTopology(topology: Topology, store: string): StoreShape {
  return queryableShape(storeShapes(topology), store);
}

/**
 * Of a store whose topology is not at hand. `layout` as its identity has it: `plain`, `keys in order`, `window(size=60000)`, `session`, `versions`, …
 * @throws FatalError MILLRACE_INVALID_CONFIG
 */
export function shapeOfLayout(store: string, layout: string): StoreShape {
  const bytes = Serdes.bytes();
  const common = { name: store, keySerde: bytes, valueSerde: bytes, logged: true };
  const spec =
    layout === 'plain'
      ? { ...common, kind: 'keyValue' }
      : { ...common, kind: 'ordered', resident: false, expiry: null, layout };
  const pseudo = { subTopologies: [{ stores: [spec] }], globalStores: [] } as unknown as Topology;
  const shape = storeShapes(pseudo).get(store)!;
  if (shape.kind !== 'internal') return shape;
  throw new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `--layout "${layout}" is not known.`,
    remedy:
      'Give plain, keys in order, window(size=<ms>), sliding(difference=<ms>), cumulative(…), session or versions; `millrace verify` shows a store’s layout.',
  });
}
