// Owns the faces of key-value stores: the plain one, and the one whose keys are ordered by their bytes.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, binaryFromUtf8, compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { KeyValue } from '../options.ts';
import type {
  KeyValueStore,
  OrderedKeyValueStore,
  ReadOnlyGlobalStore,
  ReadOnlyKeyValueStore,
  StoreBuilder,
  ValueAndTimestamp,
} from '../options/stores.ts';
import type { StoreSpec } from '../plan.ts';
import type { GlobalStorePort, OrderedStorePort, RecordContext, StoreEntry, StorePort } from '../ports.ts';
import type { StoreSite } from './store-site.ts';
import { encodedKey, ONE_GROUP, storeCommons } from './store-spec.ts';
import type { LooseStoreOptions } from './store-spec.ts';

abstract class KeyValueFace implements KeyValueStore<unknown, unknown> {
  readonly name: string;
  protected readonly keyCodec: Codec<unknown>;
  readonly #context: RecordContext;

  constructor(spec: StoreSpec, context: RecordContext) {
    this.name = spec.name;
    this.keyCodec = compileCodec(spec.keySerde);
    this.#context = context;
  }

  protected abstract entryOf(key: BinaryString): StoreEntry;
  protected abstract valueOf(entry: StoreEntry): unknown;
  protected abstract setEntry(entry: StoreEntry, value: unknown, timestamp: number): void;

  get(key: unknown): unknown {
    return this.valueOf(this.entryOf(encodedKey(this.keyCodec, key))) ?? null;
  }

  getWithTimestamp(key: unknown): ValueAndTimestamp<unknown> | null {
    const entry = this.entryOf(encodedKey(this.keyCodec, key));
    const value = this.valueOf(entry);
    return value === undefined ? null : { value, timestamp: entry.timestamp };
  }

  put(key: unknown, value: unknown, timestamp = this.#context.timestamp): void {
    this.setEntry(this.entryOf(encodedKey(this.keyCodec, key)), value ?? null, timestamp);
  }

  putIfAbsent(key: unknown, value: unknown, timestamp = this.#context.timestamp): unknown {
    const entry = this.entryOf(encodedKey(this.keyCodec, key));
    const old = this.valueOf(entry);
    if (old !== undefined) return old;
    this.setEntry(entry, value ?? null, timestamp);
    return null;
  }

  putAll(entries: Iterable<KeyValue<unknown, unknown>>): void {
    for (const [key, value] of entries) this.put(key, value);
  }

  delete(key: unknown): unknown {
    const entry = this.entryOf(encodedKey(this.keyCodec, key));
    const old = this.valueOf(entry);
    if (old === undefined) return null;
    this.setEntry(entry, null, this.#context.timestamp);
    return old;
  }
}

class PlainKeyValueFace extends KeyValueFace {
  readonly #port: StorePort;

  constructor(spec: StoreSpec, site: StoreSite) {
    super(spec, site.context);
    this.#port = site.store(spec.name);
  }

  protected override entryOf(key: BinaryString): StoreEntry {
    return this.#port.entry(key);
  }

  protected override valueOf(entry: StoreEntry): unknown {
    return this.#port.value(entry);
  }

  protected override setEntry(entry: StoreEntry, value: unknown, timestamp: number): void {
    this.#port.set(entry, value, timestamp);
  }
}

class OrderedKeyValueFace extends KeyValueFace implements OrderedKeyValueStore<unknown, unknown> {
  readonly #port: OrderedStorePort;

  constructor(spec: StoreSpec, site: StoreSite) {
    super(spec, site.context);
    this.#port = site.orderedStore(spec.name);
  }

  protected override entryOf(key: BinaryString): StoreEntry {
    return this.#port.row(ONE_GROUP, key);
  }

  protected override valueOf(entry: StoreEntry): unknown {
    return this.#port.value(entry);
  }

  protected override setEntry(entry: StoreEntry, value: unknown, timestamp: number): void {
    this.#port.set(entry, value, timestamp);
  }

  range(from: unknown, to: unknown): KeyValue<unknown, unknown>[] {
    return this.#between(this.#bound(from), this.#boundAfter(to), false);
  }

  reverseRange(from: unknown, to: unknown): KeyValue<unknown, unknown>[] {
    return this.#between(this.#bound(from), this.#boundAfter(to), true);
  }

  all(): KeyValue<unknown, unknown>[] {
    return this.#between(null, null, false);
  }

  reverseAll(): KeyValue<unknown, unknown>[] {
    return this.#between(null, null, true);
  }

  prefixScan(prefix: string | Uint8Array): KeyValue<unknown, unknown>[] {
    const from = typeof prefix === 'string' ? binaryFromUtf8(prefix) : binaryFromBytes(prefix);
    return this.#between(from, afterPrefix(from), false);
  }

  #bound(key: unknown): BinaryString | null {
    return key === null || key === undefined ? null : this.keyCodec.toBinary(key);
  }

  #boundAfter(key: unknown): BinaryString | null {
    const bound = this.#bound(key);
    return bound === null ? null : ((bound + '\0') as BinaryString);
  }

  #between(
    from: BinaryString | null,
    to: BinaryString | null,
    descending: boolean,
  ): KeyValue<unknown, unknown>[] {
    const port = this.#port;
    const found: KeyValue<unknown, unknown>[] = [];
    port.range(
      ONE_GROUP,
      from,
      to,
      (row) => {
        found.push([this.keyCodec.fromBinary(port.suffixOf(row), false), port.value(row)]);
      },
      descending,
    );
    return found;
  }
}

/** The first bytes that sort after all that begin with `prefix`; `null`: there are none. */
function afterPrefix(prefix: BinaryString): BinaryString | null {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--;
  if (end === 0) return null;
  return (prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1)) as BinaryString;
}

/** The face of a table's store for others than its operator, which alone may write. */
export class TableFace implements ReadOnlyKeyValueStore<unknown, unknown> {
  readonly name: string;
  readonly #codec: Codec<unknown>;
  readonly #port: StorePort;

  constructor(spec: StoreSpec, site: StoreSite) {
    this.name = spec.name;
    this.#codec = compileCodec(spec.keySerde);
    this.#port = site.store(spec.name);
  }

  get(key: unknown): unknown {
    return this.#port.value(this.#port.entry(encodedKey(this.#codec, key))) ?? null;
  }

  getWithTimestamp(key: unknown): ValueAndTimestamp<unknown> | null {
    const entry = this.#port.entry(encodedKey(this.#codec, key));
    const value = this.#port.value(entry);
    return value === undefined ? null : { value, timestamp: entry.timestamp };
  }
}

/** The read-only face of a table that every instance holds whole. */
export class GlobalKeyValueFace implements ReadOnlyGlobalStore<unknown, unknown> {
  readonly name: string;
  readonly #codec: Codec<unknown>;
  readonly #port: GlobalStorePort;

  constructor(name: string, codec: Codec<unknown>, port: GlobalStorePort) {
    this.name = name;
    this.#codec = codec;
    this.#port = port;
  }

  get(key: unknown): unknown {
    return this.#port.get(encodedKey(this.#codec, key)) ?? null;
  }

  getWithTimestamp(key: unknown): ValueAndTimestamp<unknown> | null {
    const encoded = encodedKey(this.#codec, key);
    const value = this.#port.get(encoded);
    return value === undefined ? null : { value, timestamp: this.#port.timestampOf(encoded) };
  }

  *all(): Generator<KeyValue<unknown, unknown>> {
    for (const [key, value] of this.#port.entries()) yield [this.#codec.fromBinary(key, false), value];
  }
}

export function keyValueStoreBuilder<N extends string>(
  name: N,
  options: LooseStoreOptions,
): StoreBuilder<KeyValueStore<unknown, unknown>, N> {
  const spec: StoreSpec = { ...storeCommons(name, options), kind: 'keyValue' };
  return { name, spec, problem: null, open: (site) => new PlainKeyValueFace(spec, site) };
}

export function orderedKeyValueStoreBuilder<N extends string>(
  name: N,
  options: LooseStoreOptions,
): StoreBuilder<OrderedKeyValueStore<unknown, unknown>, N> {
  const spec: StoreSpec = {
    ...storeCommons(name, options),
    kind: 'ordered',
    resident: false,
    expiry: null,
    layout: 'keys in order',
  };
  return { name, spec, problem: null, open: (site) => new OrderedKeyValueFace(spec, site) };
}
