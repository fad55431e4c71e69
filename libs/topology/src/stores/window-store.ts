// Owns the face of a window store: a group per key, the window's start as suffix; with duplicates a number behind it.
// Source of the rules: RocksDBWindowStore and InMemoryWindowStore of Kafka Streams.
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { KeyValue } from '../options.ts';
import type { StoreBuilder, WindowStore, WindowStoreOptions } from '../options/stores.ts';
import type { StoreSpec } from '../plan.ts';
import type { OperatorClock, OrderedStorePort, StoreEntry } from '../ports.ts';
import type { StoreSite } from './store-site.ts';
import { checkedTime, encodedKey, expiringSpec, retentionProblem } from './store-spec.ts';

const TIME_BYTES = 8;

class WindowFace implements WindowStore<unknown, unknown> {
  readonly name: string;
  readonly #keyCodec: Codec<unknown>;
  readonly #port: OrderedStorePort;
  readonly #clock: OperatorClock;
  readonly #retentionMs: number;
  readonly #retainDuplicates: boolean;

  constructor(spec: StoreSpec, retentionMs: number, retainDuplicates: boolean, site: StoreSite) {
    this.name = spec.name;
    this.#keyCodec = compileCodec(spec.keySerde);
    this.#port = site.orderedStore(spec.name);
    this.#clock = site.clock(spec.name);
    this.#retentionMs = retentionMs;
    this.#retainDuplicates = retainDuplicates;
  }

  put(key: unknown, value: unknown, windowStart: number): void {
    const group = encodedKey(this.#keyCodec, key);
    checkedTime('window start', windowStart);
    if (this.#clock.observe(windowStart) - this.#retentionMs >= windowStart) return;
    const isNull = value === null || value === undefined;
    let suffix = orderedTime(windowStart);
    if (this.#retainDuplicates) {
      if (isNull) return;
      suffix = (suffix + orderedUint32(this.#nextNumber(group, windowStart))) as BinaryString;
    }
    this.#port.set(this.#port.row(group, suffix), isNull ? null : value, windowStart);
  }

  fetch(key: unknown, windowStart: number): unknown;
  fetch(key: unknown, from: number, to: number): KeyValue<number, unknown>[];
  fetch(key: unknown, from: number, to?: number): unknown {
    if (to !== undefined) return this.#between(key, from, to, false);
    if (this.#retainDuplicates) return this.#between(key, from, from, false)[0]?.[1] ?? null;
    const group = encodedKey(this.#keyCodec, key);
    if (from < this.#earliest()) return null;
    const row = this.#port.row(group, orderedTime(checkedTime('window start', from)));
    return this.#port.value(row) ?? null;
  }

  backwardFetch(key: unknown, from: number, to: number): KeyValue<number, unknown>[] {
    return this.#between(key, from, to, true);
  }

  /** Rows before it are forgotten. */
  #earliest(): number {
    return this.#clock.now - this.#retentionMs + 1;
  }

  #between(key: unknown, from: number, to: number, descending: boolean): KeyValue<number, unknown>[] {
    const group = encodedKey(this.#keyCodec, key);
    const first = Math.max(checkedTime('window start', from), this.#earliest());
    if (first > checkedTime('window start', to)) return [];
    const port = this.#port;
    const found: KeyValue<number, unknown>[] = [];
    const visit = (row: StoreEntry): void => {
      found.push([readOrderedTime(port.suffixOf(row), 0), port.value(row)]);
    };
    port.range(group, orderedTime(first), orderedTime(to + 1), visit, descending);
    return found;
  }

  #nextNumber(group: BinaryString, windowStart: number): number {
    const port = this.#port;
    let next = 0;
    port.range(
      group,
      orderedTime(windowStart),
      orderedTime(windowStart + 1),
      (row) => {
        next = readOrderedUint32(port.suffixOf(row), TIME_BYTES) + 1;
        return false;
      },
      true,
    );
    return next;
  }
}

export function windowStoreBuilder<K, V, N extends string>(
  name: N,
  options: WindowStoreOptions<K, V>,
): StoreBuilder<WindowStore<K, V>, N> {
  const {
    retentionMs = NaN,
    windowSizeMs = NaN,
    retainDuplicates = false,
  } = (options ?? {}) as Partial<typeof options>;
  const layout = `windows(size=${windowSizeMs}${retainDuplicates ? ', duplicates' : ''})`;
  const spec = expiringSpec(name, options ?? {}, retentionMs, layout);
  return {
    name,
    spec,
    problem: retentionProblem('retentionMs', retentionMs) ?? retentionProblem('windowSizeMs', windowSizeMs),
    open: (site) => new WindowFace(spec, retentionMs, retainDuplicates, site) as WindowStore<K, V>,
  };
}
