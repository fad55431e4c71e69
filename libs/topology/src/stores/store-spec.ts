// Owns what all user-declared stores have in common: the parts of their specs, and the checks of their keys.
import type { BinaryString } from '#libs/core';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { StoreOptions } from '../options/stores.ts';
import type { OrderedStoreSpec } from '../plan.ts';

export type LooseStoreOptions = Omit<StoreOptions<never, never>, 'keySerde' | 'valueSerde'> & {
  readonly keySerde: object;
  readonly valueSerde: object;
};

/** All rows of an ordered key-value store are in this group. */
export const ONE_GROUP = '' as BinaryString;

const DAY_MS = 24 * 60 * 60 * 1000;

export function storeCommons(
  name: string,
  options: Partial<LooseStoreOptions>,
): Omit<OrderedStoreSpec, 'kind' | 'resident' | 'expiry' | 'layout'> {
  return {
    name,
    keySerde: options.keySerde as AnySerde,
    valueSerde: options.valueSerde as AnySerde,
    logged: options.loggingEnabled ?? true,
    changelogConfig: { ...options.changelogConfig },
    persistence: options.storeType === 'inMemory' ? 'memory' : 'default',
  };
}

/** Rows that expire: the changelog forgets them too, a day later. */
export function expiringSpec(
  name: string,
  options: Partial<LooseStoreOptions>,
  retentionMs: number,
  layout: string,
): OrderedStoreSpec {
  return {
    ...storeCommons(name, options),
    kind: 'ordered',
    changelogConfig: {
      'cleanup.policy': 'compact,delete',
      'retention.ms': String(retentionMs + DAY_MS),
      ...options.changelogConfig,
    },
    resident: false,
    expiry: { clock: `store/${name}`, retentionMs },
    layout,
  };
}

export function encodedKey(codec: Codec<unknown>, key: unknown): BinaryString {
  if (key === null || key === undefined) throw new TypeError('the key is null');
  return codec.toBinary(key);
}

export function checkedTime(what: string, time: number): number {
  if (Number.isSafeInteger(time)) return time;
  throw new TypeError(`the ${what} is ${String(time)}, not a whole number of milliseconds`);
}

export function isSerde(given: unknown): boolean {
  const { serialize, deserialize } = (given ?? {}) as Partial<AnySerde>;
  return typeof serialize === 'function' && typeof deserialize === 'function';
}

/** What is wrong with a retention; `null`: nothing. */
export function retentionProblem(option: string, ms: number): string | null {
  return Number.isSafeInteger(ms) && ms > 0
    ? null
    : `${option} is ${String(ms)}, not a whole number of milliseconds above 0.`;
}
