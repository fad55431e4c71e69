// Owns what stands in the place of a store's handle in a test: its reads of single keys, of windows and of everything, answered by the test
// driver over all its instances. Pages are never cut; ranges, prefixes and the feed of changes are for a running application.
import { MillraceError } from '#libs/millrace';
import type { StoreEntry, TestStore } from '#libs/testing';

interface Windowed {
  readonly key: unknown;
  readonly window: { readonly start: number; readonly end: number };
}

interface Times {
  readonly fromTime?: number;
  readonly toTime?: number;
}

/** As `StoredEntry`; which partition a row is in, the driver does not tell. */
const PARTITION_NOT_TOLD = -1;

export class DriverStore {
  readonly name: string;
  private readonly store: () => TestStore;

  constructor(name: string, store: () => TestStore) {
    this.name = name;
    this.store = store;
  }

  async get(key: unknown, windowStart?: unknown): Promise<unknown> {
    if (typeof windowStart !== 'number') return (await this.entry(key))?.value ?? null;
    const { entries } = await this.fetch(key, { fromTime: windowStart, toTime: windowStart });
    return entries[0]?.value ?? null;
  }

  async entry(key: unknown): Promise<(StoreEntry<unknown, unknown> & { readonly partition: number }) | null> {
    const entry = await this.store().entry(key);
    return entry === undefined ? null : { ...entry, partition: PARTITION_NOT_TOLD };
  }

  async getMany(keys: readonly unknown[]): Promise<unknown[]> {
    const values: unknown[] = [];
    for (const key of keys) values.push(await this.get(key));
    return values;
  }

  async all(): Promise<object> {
    const entries = await this.store().entries();
    return page(entries.map((entry) => ({ ...entry, partition: PARTITION_NOT_TOLD })));
  }

  async *entries(): AsyncGenerator<object> {
    for (const entry of await this.store().entries()) yield { ...entry, partition: PARTITION_NOT_TOLD };
  }

  async count(): Promise<number> {
    return (await this.store().entries()).length;
  }

  async fetch(
    key: unknown,
    times: Times = {},
  ): Promise<{ readonly entries: readonly { readonly value: unknown }[] }> {
    const wanted = JSON.stringify(key);
    return page((await this.windows(times)).filter((entry) => JSON.stringify(entry.key) === wanted));
  }

  async fetchAll(times: Times = {}): Promise<object> {
    return page(await this.windows(times));
  }

  range(): never {
    throw notOffered(this.name, 'range');
  }

  prefix(): never {
    throw notOffered(this.name, 'prefix');
  }

  changes(): never {
    throw notOffered(this.name, 'changes');
  }

  private async windows({
    fromTime = -Infinity,
    toTime = Infinity,
  }: Times): Promise<{ readonly key: unknown; readonly value: unknown }[]> {
    const entries = (await this.store().entries()) as StoreEntry<Windowed, unknown>[];
    return entries
      .filter(({ key: { window } }) => window.start >= fromTime && window.start <= toTime)
      .map(({ key: { key, window }, value, timestamp }) => ({
        key,
        window,
        value,
        timestamp,
        partition: PARTITION_NOT_TOLD,
      }));
  }
}

function page<E>(entries: readonly E[]): {
  readonly entries: readonly E[];
  readonly cursor: null;
  readonly sources: readonly never[];
  readonly missing: readonly never[];
} {
  return { entries, cursor: null, sources: [], missing: [] };
}

function notOffered(store: string, method: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `The test driver does not answer \`${method}\` of the store "${store}".`,
    remedy:
      'Read it by get, entry, all or fetch, or test against a broker: startKafka() of millrace/testing.',
  });
}
