// Owns the face of a versioned store: a group per key, the time from which a version is valid as suffix. A version without value is a row
// too: it says that the key had none from then on.
// Source of the rules: RocksDBVersionedStore of Kafka Streams (KIP-889).
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, createBinarySerde } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type {
  StoreBuilder,
  VersionedKeyValueStore,
  VersionedPutResult,
  VersionedRecord,
  VersionedStoreOptions,
} from '../options/stores.ts';
import type { OrderedStoreSpec, StoreSpec } from '../plan.ts';
import type { OperatorClock, OrderedStorePort, StoreEntry } from '../ports.ts';
import type { StoreSite } from './store-site.ts';
import { checkedTime, encodedKey, isSerde, retentionProblem, storeCommons } from './store-spec.ts';

/** The value of a version without value. */
export const NO_VALUE: unique symbol = Symbol('no value');

const EMPTY = '\0';
const FULL = '\x01';

/** One byte that says whether there is a value, then the value. */
export function versionSerde(values: AnySerde): AnySerde {
  const codec = compileCodec(values);
  return createBinarySerde<unknown>({
    name: `version(${values.name})`,
    inner: [{ serde: values }],
    toBinary: (value) => (value === NO_VALUE ? EMPTY : FULL + codec.toBinary(value)) as BinaryString,
    fromBinary: (binary) =>
      binary.charCodeAt(0) === 0 ? NO_VALUE : codec.fromBinary(binary.substring(1) as BinaryString, false),
  });
}

class VersionedFace implements VersionedKeyValueStore<unknown, unknown> {
  readonly name: string;
  readonly #keyCodec: Codec<unknown>;
  readonly #port: OrderedStorePort;
  readonly #clock: OperatorClock;
  readonly #historyMs: number;

  constructor(spec: StoreSpec, historyMs: number, site: StoreSite) {
    this.name = spec.name;
    this.#keyCodec = compileCodec(spec.keySerde);
    this.#port = site.orderedStore(spec.name);
    this.#clock = site.clock(spec.name);
    this.#historyMs = historyMs;
  }

  put(key: unknown, value: unknown, timestamp: number): VersionedPutResult {
    const group = encodedKey(this.#keyCodec, key);
    checkedTime('timestamp', timestamp);
    if (timestamp < this.#horizon()) return false;
    this.#clock.observe(timestamp);
    const row = this.#port.row(group, orderedTime(timestamp));
    this.#port.set(row, value ?? NO_VALUE, timestamp);
    this.#forget(group);
    return this.#nextAfter(group, timestamp);
  }

  delete(key: unknown, timestamp: number): VersionedRecord<unknown> | null {
    if (checkedTime('timestamp', timestamp) < this.#horizon()) return null;
    const before = this.get(key, timestamp);
    this.put(key, null, timestamp);
    return before;
  }

  get(key: unknown, asOf = Infinity): VersionedRecord<unknown> | null {
    const group = encodedKey(this.#keyCodec, key);
    const port = this.#port;
    let found: StoreEntry | null = null;
    port.range(
      group,
      null,
      asOf === Infinity ? null : orderedTime(checkedTime('time', asOf) + 1),
      (row) => {
        found = row;
        return false;
      },
      true,
    );
    if (found === null) return null;
    const value = port.value(found);
    const timestamp = readOrderedTime(port.suffixOf(found), 0);
    const validTo = asOf === Infinity ? null : this.#nextAfter(group, timestamp);
    // What is older than the history is told only of the newest version, which never expires.
    if (value === NO_VALUE || (validTo !== null && asOf < this.#horizon())) return null;
    return { value, timestamp, validTo };
  }

  #horizon(): number {
    return this.#clock.now - this.#historyMs;
  }

  #nextAfter(group: BinaryString, timestamp: number): number | null {
    const port = this.#port;
    let next: number | null = null;
    port.range(group, orderedTime(timestamp + 1), null, (row) => {
      next = readOrderedTime(port.suffixOf(row), 0);
      return false;
    });
    return next;
  }

  /** Deletes the versions that were followed by another one before the history begins. */
  #forget(group: BinaryString): void {
    const port = this.#port;
    const old: StoreEntry[] = [];
    port.range(group, null, orderedTime(this.#horizon() + 1), (row) => {
      old.push(row);
    });
    for (let index = 0; index < old.length - 1; index++) port.set(old[index]!, null, old[index]!.timestamp);
  }
}

export function versionedKeyValueStoreBuilder<K, V, N extends string>(
  name: N,
  options: VersionedStoreOptions<K, V>,
): StoreBuilder<VersionedKeyValueStore<K, V>, N> {
  const { historyRetentionMs = NaN } = (options ?? {}) as Partial<typeof options>;
  const commons = storeCommons(name, options ?? {});
  const spec: OrderedStoreSpec = {
    ...commons,
    // One that is no serde is told when the topology is built.
    valueSerde: isSerde(commons.valueSerde) ? versionSerde(commons.valueSerde) : commons.valueSerde,
    kind: 'ordered',
    resident: false,
    // A version may be valid long after its own time: `put` itself forgets.
    expiry: null,
    layout: 'versions',
  };
  return {
    name,
    spec,
    problem: retentionProblem('historyRetentionMs', historyRetentionMs),
    open: (site) => new VersionedFace(spec, historyRetentionMs, site) as VersionedKeyValueStore<K, V>,
  };
}
