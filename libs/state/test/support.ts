// Owns the fixtures of state specs: stores, restore batches, a hand-turned way through an epoch.
import { Serdes } from '#libs/serde';
import type { BinaryString } from '#libs/serde';
import type { KeyValueStoreSpec, RestoreBatch, TaskState, TaskStateOptions } from '#libs/state';

export const counts: KeyValueStoreSpec<string, number> = {
  kind: 'keyValue',
  name: 'counts',
  keySerde: Serdes.string(),
  valueSerde: Serdes.json<number>(),
  logged: true,
};

export const profiles: KeyValueStoreSpec<string, { visits: number }> = {
  kind: 'keyValue',
  name: 'profiles',
  keySerde: Serdes.string(),
  valueSerde: Serdes.json<{ visits: number }>(),
  logged: true,
};

export const names: KeyValueStoreSpec<string, string> = {
  kind: 'keyValue',
  name: 'names',
  keySerde: Serdes.string(),
  valueSerde: Serdes.string(),
  logged: true,
};

/** Options of a task with plenty of memory that writes only when flushed. */
export function taskOptions(overrides: Partial<TaskStateOptions> = {}): TaskStateOptions {
  return {
    taskId: '0_0',
    applicationId: 'app',
    stores: [counts, profiles, names],
    cacheBytesMax: 64 * 1024 * 1024,
    writeBehindBytes: 64 * 1024 * 1024,
    writeBehindIntervalMs: 1_000_000,
    ...overrides,
  };
}

export const bin = (text: string): BinaryString => text as BinaryString;

export function put<V>(state: TaskState, store: string, key: string, value: V | null, timestamp = 1): void {
  const cache = state.store<V>(store);
  cache.set(cache.entry(bin(key)), value, timestamp);
}

export function get<V>(state: TaskState, store: string, key: string): V | undefined {
  const cache = state.store<V>(store);
  return cache.value(cache.entry(bin(key)));
}

/** Seals and commits one epoch whose changelog offset is its id. */
export function commitEpoch(state: TaskState, epochId: number): Map<string, string | null> {
  const changed = sealEpoch(state, epochId);
  state.commit(epochId, { changelogOffsets: new Map([['counts', epochId]]), metadata: { epochId } });
  return changed;
}

/** What the changelog was given, by `store/key`. */
export function sealEpoch(state: TaskState, epochId: number): Map<string, string | null> {
  const changed = new Map<string, string | null>();
  state.seal(epochId, (store, key, value) => {
    changed.set(`${state.stores[store]!.name}/${key}`, value);
  });
  return changed;
}

export interface ChangelogRecord {
  readonly key: string;
  readonly value: string | null;
  readonly timestamp?: number;
}

/** Records as the restorer gets them: one section of bytes and columns into it. */
export function restoreBatch(records: readonly ChangelogRecord[]): RestoreBatch {
  const text = records.map(({ key, value }) => `#${key}=${value ?? ''}`).join('');
  const count = records.length;
  const batch = {
    count,
    bytes: Buffer.from(text, 'latin1'),
    keyStart: new Int32Array(count),
    keyEnd: new Int32Array(count),
    valueStart: new Int32Array(count),
    valueEnd: new Int32Array(count),
    timestamps: new Float64Array(count),
  };
  let at = 0;
  for (const [i, { key, value, timestamp = i }] of records.entries()) {
    batch.keyStart[i] = at + 1;
    batch.keyEnd[i] = at + 1 + key.length;
    batch.valueStart[i] = value === null ? -1 : at + 2 + key.length;
    batch.valueEnd[i] = value === null ? -1 : at + 2 + key.length + value.length;
    batch.timestamps[i] = timestamp;
    at += 2 + key.length + (value?.length ?? 0);
  }
  return batch;
}

export async function rows(state: TaskState, store: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of state.scan(store)) found[key] = value;
  return found;
}
