// Owns a test's view of a state store: what is committed of it, over all its tasks. It changes nothing.
import { compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { TaskState } from '#libs/state';
import type { StoreSpec } from '#libs/topology';

export interface StoreEntry<K, V> {
  readonly key: K;
  readonly value: V;
  /** Of the record that set it, milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** What the driver does for its stores. */
export interface StorePort {
  /** Open state of the tasks that have the store, by task. @throws MillraceError MILLRACE_ILLEGAL_STATE nothing runs. */
  states(): readonly TaskState[];
  /** Gives what `promise` gives, letting the time pass that it needs. */
  run<T>(promise: Promise<T>): Promise<T>;
}

export class TestStore<K = unknown, V = unknown> {
  readonly name: string;
  readonly #port: StorePort;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(spec: StoreSpec, port: StorePort) {
    this.name = spec.name;
    this.#port = port;
    this.#key = compileCodec(spec.keySerde) as Codec<K>;
    this.#value = compileCodec(spec.valueSerde) as Codec<V>;
  }

  /** The committed value; `undefined`: no such key. */
  async get(key: K): Promise<V | undefined> {
    return (await this.entry(key))?.value;
  }

  /** As `get`, with the timestamp of the record that set it. */
  async entry(key: K): Promise<StoreEntry<K, V> | undefined> {
    const encoded = this.#key.toBinary(key);
    for (const state of this.#port.states()) {
      const found = await this.#port.run(state.committed(this.name, encoded));
      if (found !== undefined)
        return { key, value: this.#value.fromBinary(found.value, false), timestamp: found.timestamp };
    }
    return undefined;
  }

  /** All committed entries: task by task, within each in the order of the keys' bytes. */
  async entries(): Promise<StoreEntry<K, V>[]> {
    return this.#port.run(this.#scan());
  }

  /** As `entries`, by key. */
  async all(): Promise<Map<K, V>> {
    return new Map((await this.entries()).map(({ key, value }) => [key, value]));
  }

  async #scan(): Promise<StoreEntry<K, V>[]> {
    const entries: StoreEntry<K, V>[] = [];
    for (const state of this.#port.states()) {
      for await (const { key, value, timestamp } of state.scan(this.name)) {
        entries.push({
          key: this.#key.fromBinary(key, false),
          value: this.#value.fromBinary(value, false),
          timestamp,
        });
      }
    }
    return entries;
  }
}
