// Owns what each query route means for each kind of store: a handle, a range of rows, and the partition where one key decides it.
import {
  AnyStore,
  QueryableSessionStore,
  QueryableStore,
  QueryableVersionedStore,
  QueryableWindowStore,
  StoreQueryError,
} from '#libs/millrace';
import type { ApplicationStores, RowRange, StoreShape } from '#libs/millrace';
import { keyOfText } from './query-json.ts';

export type AnyHandle =
  QueryableStore | QueryableWindowStore | QueryableSessionStore | QueryableVersionedStore;

export function handleOf(stores: ApplicationStores, { name, kind }: StoreShape): AnyHandle {
  switch (kind) {
    case 'window':
      return new QueryableWindowStore(stores, name);
    case 'session':
      return new QueryableSessionStore(stores, name);
    case 'versioned':
      return new QueryableVersionedStore(stores, name);
    default:
      return new QueryableStore(stores, name);
  }
}

/** Of the query string; the routes' schemas have checked the types. */
export interface RangeQuery {
  readonly lower?: string;
  readonly upper?: string;
  readonly prefix?: string;
  readonly fromTime?: number;
  readonly toTime?: number;
}

export interface Plan {
  readonly handle: AnyHandle;
  readonly range: RowRange;
  /** Rows of one key. */
  readonly key: unknown;
  readonly hasKey: boolean;
}

/** @throws StoreQueryError MILLRACE_STORE_UNKNOWN, MILLRACE_QUERY_INVALID */
export async function planEntries(
  stores: ApplicationStores,
  store: string,
  keyText: string | undefined,
  query: RangeQuery,
): Promise<Plan> {
  const shape = stores.shape(store);
  const handle = handleOf(stores, shape);
  const hasKey = keyText !== undefined;
  const key = hasKey ? keyOfText(shape, keyText) : undefined;
  const { lower, upper, prefix, ...times } = query;
  if (handle instanceof QueryableStore) {
    refuse(store, times, ['fromTime', 'toTime'], 'it has no windows');
    if (prefix !== undefined) return { handle, range: handle.prefixRange(prefix), key, hasKey };
    const bounds = {
      ...(lower === undefined ? {} : { lower: keyOfText(shape, lower) }),
      ...(upper === undefined ? {} : { upper: keyOfText(shape, upper) }),
    };
    return { handle, range: await handle.bounds(bounds), key, hasKey };
  }
  refuse(store, query, ['lower', 'upper', 'prefix'], 'its keys are not in one order');
  if (handle instanceof QueryableVersionedStore) {
    refuse(store, times, ['fromTime', 'toTime'], 'ask for versions by asOf');
    return { handle, range: hasKey ? await handle.keyRange(key) : {}, key, hasKey };
  }
  const range = hasKey ? await handle.keyRange(key, times) : handle.timeRange(times);
  return { handle, range, key, hasKey };
}

function refuse(store: string, query: object, names: readonly string[], why: string): void {
  for (const name of names) {
    if ((query as Readonly<Record<string, unknown>>)[name] === undefined) continue;
    throw new StoreQueryError({
      code: 'MILLRACE_QUERY_INVALID',
      message: `Store "${store}" cannot be asked by ${name}: ${why}.`,
      remedy: 'Leave it out.',
      context: { store },
    });
  }
}

/** The handle for where a key is. */
export function anyOf(stores: ApplicationStores, store: string): AnyStore {
  return new AnyStore(stores, store);
}
