// Owns a test's view of a state store: what is committed of it, over all its tasks, with its keys as the DSL shows them. It changes nothing.
import { readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { windowRows } from '#libs/runtime';
import { bytesFromBinary, compileCodec } from '#libs/serde';
import type { Codec, Serde, Windowed } from '#libs/serde';
import { groupOfKey, rowKey, suffixOfKey } from '#libs/state';

export interface StoreEntry<K, V> {
  readonly key: K;
  readonly value: V;
  /** Of the record that set it, milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** The key of a row that is neither a window's nor a plain key's: of a join's buffer, of a list or a map of keyed state. */
export interface RowOfKey<K> {
  readonly key: K;
  /** What tells the rows of a key apart. */
  readonly row: Uint8Array;
}

export interface StoredValue {
  readonly value: BinaryString;
  readonly timestamp: number;
}

export interface StoredRow extends StoredValue {
  readonly key: BinaryString;
}

/** Where the bytes of a store are. */
export interface StoreSource {
  find(key: BinaryString): Promise<StoredValue | undefined>;
  /** All pairs, task by task, within each in the order of the keys' bytes. */
  scan(): Promise<readonly StoredRow[]>;
}

/** What is known of a store from the topology. */
export interface StoreShape {
  readonly name: string;
  readonly kind: 'keyValue' | 'ordered';
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly layout?: string;
}

/** Between the keys a test writes and those of the store. */
interface KeyShape {
  toBinary(key: unknown): BinaryString;
  fromBinary(binary: BinaryString): unknown;
}

export class TestStore<K = unknown, V = unknown> {
  readonly name: string;
  readonly #source: StoreSource;
  readonly #key: KeyShape;
  readonly #value: Codec<V>;

  constructor(shape: StoreShape, source: StoreSource) {
    this.name = shape.name;
    this.#source = source;
    this.#key = keyShapeOf(shape);
    this.#value = compileCodec(shape.valueSerde) as Codec<V>;
  }

  /** The committed value; `undefined`: no such key. A window's key is `{ key, window: { start, end } }`. */
  async get(key: K): Promise<V | undefined> {
    return (await this.entry(key))?.value;
  }

  /** As `get`, with the timestamp of the record that set it. */
  async entry(key: K): Promise<StoreEntry<K, V> | undefined> {
    const found = await this.#source.find(this.#key.toBinary(key));
    if (found === undefined) return undefined;
    return { key, value: this.#value.fromBinary(found.value, false), timestamp: found.timestamp };
  }

  /** All committed entries: task by task, within each in the order of the keys' bytes. */
  async entries(): Promise<StoreEntry<K, V>[]> {
    return (await this.#source.scan()).map(({ key, value, timestamp }) => ({
      key: this.#key.fromBinary(key) as K,
      value: this.#value.fromBinary(value, false),
      timestamp,
    }));
  }

  /** As `entries`, by key. Keys that are objects are not found again in a map: use `entries` or `get`. */
  async all(): Promise<Map<K, V>> {
    return new Map((await this.entries()).map(({ key, value }) => [key, value]));
  }
}

/** Is a row of an ordered store of a time before? Such rows are gone for whoever reads; when they are dropped says nothing. */
export function isExpired(shape: Pick<StoreShape, 'kind'>, key: BinaryString, expireBefore: number): boolean {
  return shape.kind === 'ordered' && readOrderedTime(suffixOfKey(key), 0) < expireBefore;
}

function keyShapeOf({ kind, keySerde, layout = '' }: StoreShape): KeyShape {
  const key = compileCodec(keySerde);
  if (kind === 'keyValue')
    return {
      toBinary: (plain) => key.toBinary(plain),
      fromBinary: (binary) => key.fromBinary(binary, false),
    };
  const window = windowRows(layout);
  if (window !== null) {
    return {
      toBinary: (windowed) => {
        const { key: inner, window: span } = windowed as Windowed<unknown>;
        return rowKey(key.toBinary(inner), window.suffixOf(span.start, span.end));
      },
      fromBinary: (binary) => ({
        key: key.fromBinary(groupOfKey(binary), false),
        window: window.windowOf(suffixOfKey(binary)),
      }),
    };
  }
  return {
    toBinary: (row) => {
      const { key: inner, row: bytes } = row as RowOfKey<unknown>;
      return rowKey(key.toBinary(inner), Buffer.from(bytes).toString('latin1') as BinaryString);
    },
    fromBinary: (binary) => ({
      key: key.fromBinary(groupOfKey(binary), false),
      row: bytesFromBinary(suffixOfKey(binary)),
    }),
  };
}
