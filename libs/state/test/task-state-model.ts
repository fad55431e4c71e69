// Owns the random comparison of a task's state with a naive model: maps, one per layer, and a list as the changelog.
// It runs against any backend. What the model calls committed must survive whatever happens to the real one.
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { StateMiss } from '#libs/state';
import type { StateBackend, TaskState, TaskStateOptions } from '#libs/state';
import type { ManualClock } from './manual-clock.ts';
import { turns } from './manual-clock.ts';
import { bin, counts, names, profiles, restoreBatch, rows, taskOptions } from './support.ts';

type StoreName = 'counts' | 'profiles' | 'names';
const STORES: readonly StoreName[] = ['counts', 'profiles', 'names'];
const KEYS = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? `k${i}` : `a-key-longer-than-a-slice-${i}`));

interface SetStep {
  readonly store: StoreName;
  readonly key: string;
  readonly value: number | null;
}

export type Step =
  | {
      readonly kind: 'record';
      readonly sets: readonly SetStep[];
      readonly undo: boolean;
      readonly ahead: boolean;
    }
  | { readonly kind: 'seal' | 'commit' | 'abandon' | 'flush' | 'due' | 'turn' | 'reopen' | 'kill' }
  | { readonly kind: 'check'; readonly store: StoreName };

const store = fc.constantFrom(...STORES);
const setStep = fc.record({
  store,
  key: fc.constantFrom(...KEYS),
  value: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { freq: 6 }),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('record' as const),
        sets: fc.array(setStep, { minLength: 1, maxLength: 4 }),
        undo: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
        ahead: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.constant({ kind: 'seal' as const }) },
    { weight: 4, arbitrary: fc.constant({ kind: 'commit' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'abandon' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'due' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'turn' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'kill' as const }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('check' as const), store }) },
  ),
  { maxLength: 80, size: 'max' },
);

/** Values of a store from a number, and as the changelog has them. */
const shapes = {
  counts: { value: (n: number): unknown => n, text: (n: number) => String(n) },
  profiles: { value: (n: number): unknown => ({ visits: n }), text: (n: number) => `{"visits":${n}}` },
  names: {
    value: (n: number): unknown => `a name of some length ${n}`,
    text: (n: number) => `a name of some length ${n}`,
  },
};

type Layer = Map<string, number | null>;

interface ModelRecord {
  readonly store: StoreName;
  readonly key: string;
  readonly value: number | null;
}

export interface ModelBackend {
  readonly backend: StateBackend;
  readonly clock: ManualClock;
  /** Ends the process that has the task open, as far as the backend can tell; the state object is given up. */
  kill(state: TaskState): Promise<void>;
}

export class ModelRun {
  private readonly under: ModelBackend;
  private readonly options: TaskStateOptions;
  private state!: TaskState;
  private open: Layer = new Map();
  private sealed: { epochId: number; layer: Layer }[] = [];
  private readonly committed: Layer = new Map();
  private readonly changelog: ModelRecord[] = [];
  private epochId = 0;

  constructor(under: ModelBackend, overrides: Partial<TaskStateOptions>) {
    this.under = under;
    this.options = taskOptions({
      stores: [counts, profiles, names],
      ...overrides,
    });
  }

  async run(list: readonly Step[]): Promise<void> {
    await this.start();
    for (const step of list) await this.step(step);
    await this.checkAll();
    await this.state.close();
  }

  private async start(): Promise<void> {
    this.state = await this.under.backend.open(this.options);
    const { checkpoint } = this.state;
    for (const name of STORES) {
      const from = checkpoint.changelogOffsets.get(name) ?? 0;
      expect(from).toBeLessThanOrEqual(this.changelog.length);
      const tail = this.changelog.slice(from).filter((record) => record.store === name);
      const batch = restoreBatch(
        tail.map(({ key, value }) => ({ key, value: value === null ? null : shapes[name].text(value) })),
      );
      await this.state.restore(name, batch, this.changelog.length);
    }
    await this.state.restored({ restored: true });
  }

  private async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'record':
        await this.record(step.sets, step.undo, step.ahead);
        break;
      case 'seal':
        if (this.sealed.length < 2) this.seal();
        break;
      case 'commit':
        this.commit();
        break;
      case 'abandon':
        this.state.abandon();
        this.forgetUnsettled();
        break;
      case 'flush':
        await this.state.flush();
        break;
      case 'due':
        this.under.clock.advance(this.options.writeBehindIntervalMs);
        break;
      case 'turn':
        await turns(2);
        break;
      case 'reopen':
        await this.state.close();
        this.forgetUnsettled();
        await this.start();
        break;
      case 'kill':
        await this.under.kill(this.state);
        this.forgetUnsettled();
        await this.start();
        break;
      case 'check':
        await this.checkStore(step.store);
        break;
    }
    this.checkAccounts();
  }

  private current(id: string): number | null {
    for (const layer of [this.open, ...this.sealed.map((sealed) => sealed.layer).reverse(), this.committed]) {
      const value = layer.get(id);
      if (value !== undefined) return value;
    }
    return null;
  }

  /** As of the newest sealed epoch. */
  private beforeOpen(id: string): number | null {
    for (const layer of [...this.sealed.map((sealed) => sealed.layer).reverse(), this.committed]) {
      const value = layer.get(id);
      if (value !== undefined) return value;
    }
    return null;
  }

  private async record(sets: readonly SetStep[], undo: boolean, ahead: boolean): Promise<void> {
    const { state } = this;
    if (ahead) {
      for (const { store, key } of sets) await state.readAhead(store, [bin(key), bin(key)], 2);
    }
    for (let attempt = 0; ; attempt++) {
      expect(attempt).toBeLessThan(20);
      const changed: Layer = new Map();
      state.beginRecord();
      try {
        for (const { store, key, value } of sets) this.set(store, key, value, changed);
      } catch (error) {
        if (!(error instanceof StateMiss)) throw error;
        state.undoRecord();
        await state.read(error);
        continue;
      }
      if (undo) state.undoRecord();
      else for (const [id, value] of changed) this.open.set(id, value);
      return;
    }
  }

  private set(store: StoreName, key: string, value: number | null, changed: Layer): void {
    const id = `${store}/${key}`;
    const cache = this.state.store(store);
    const entry = cache.entry(bin(key));
    const before = changed.get(id) ?? (changed.has(id) ? null : this.current(id));
    const found = cache.value(entry);
    expect(found).toEqual(before === null ? undefined : shapes[store].value(before));
    // What a careless operator does: it changes the object it was given, without setting it.
    if (typeof found === 'object') (found as { visits: number }).visits = -1;
    const given = value === null ? null : shapes[store].value(value);
    cache.set(entry, given, value ?? 0);
    if (typeof given === 'object' && given !== null) (given as { visits: number }).visits = -2;
    changed.set(id, value);
  }

  private seal(): void {
    const epochId = ++this.epochId;
    const visited: Layer = new Map();
    this.state.seal(epochId, (index, key, value) => {
      const store = STORES[index]!;
      const id = `${store}/${key}`;
      expect(visited.has(id)).toBe(false);
      visited.set(id, value === null ? null : Number(/\d+/.exec(value)![0]));
    });
    // A key that was absent before the epoch and is absent after it is none of the changelog's business.
    const expected = [...this.open].filter(([id, value]) => value !== null || this.beforeOpen(id) !== null);
    expect([...visited].sort()).toEqual(expected.sort());
    this.sealed.push({ epochId, layer: this.open });
    this.open = new Map();
  }

  private commit(): void {
    const oldest = this.sealed.shift();
    if (oldest === undefined) return;
    for (const [id, value] of oldest.layer) {
      const [store, key] = id.split('/') as [StoreName, string];
      this.committed.set(id, value);
      this.changelog.push({ store, key, value });
    }
    this.state.commit(oldest.epochId, {
      changelogOffsets: new Map(STORES.map((name) => [name, this.changelog.length])),
      metadata: { epochId: oldest.epochId },
    });
  }

  private forgetUnsettled(): void {
    this.open = new Map();
    this.sealed = [];
  }

  private async checkAll(): Promise<void> {
    for (const name of STORES) await this.checkStore(name);
  }

  private async checkStore(name: StoreName): Promise<void> {
    const expected: Record<string, string> = {};
    for (const [id, value] of this.committed) {
      const [of, key] = id.split('/') as [StoreName, string];
      if (of !== name || value === null) continue;
      expected[key] = shapes[name].text(value);
      expect((await this.state.committed(name, bin(key)))?.value).toBe(expected[key]);
    }
    expect(await rows(this.state, name)).toEqual(expected);
    expect(this.state.failure).toBeNull();
  }

  // The cache's estimate must be what its entries say, or it would grow or shrink without end.
  private checkAccounts(): void {
    const inside = this.state as unknown as {
      readonly cachedBytes: number;
      readonly account: { readonly dirty: number };
      readonly caches: readonly { allEntries(): Iterable<CachedEntry> }[];
    };
    let cached = 0;
    for (const cache of inside.caches) {
      for (const entry of cache.allEntries()) {
        cached += 240 + entry.key.length + (entry.encoded?.length ?? 0);
        for (let version = entry.older; version !== null; version = version.older) {
          cached += 72 + (version.encoded?.length ?? 0);
        }
      }
    }
    expect(inside.cachedBytes).toBe(cached);
    let dirty = 0;
    for (const layer of [this.open, ...this.sealed.map((sealed) => sealed.layer)]) {
      for (const [id, value] of layer) {
        const [store, key] = id.split('/') as [StoreName, string];
        dirty += key.length + (value === null ? 0 : shapes[store].text(value).length);
      }
    }
    expect(inside.account.dirty).toBe(dirty);
    expect(this.state.unwrittenBytes).toBeGreaterThanOrEqual(dirty);
  }
}

interface CachedVersion {
  readonly encoded: string | null;
  readonly older: CachedVersion | null;
}

interface CachedEntry extends CachedVersion {
  readonly key: string;
}
