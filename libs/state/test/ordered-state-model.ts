// Owns the random comparison of ordered stores with a naive model: sorted maps, one per layer, and a list as the changelog. Visits in
// both directions, changes while visiting, misses, undo, abandon, crash, eviction, expiry, resident stores. It runs against any backend.
import { expect } from '@jest/globals';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { StateMiss, groupOfKey, rowKey, suffixOfKey } from '#libs/state';
import type { OrderedStoreCache, StateEntry, TaskState, TaskStateOptions } from '#libs/state';
import { turns } from './manual-clock.ts';
import { GROUPS, MAP_SUFFIXES, RETENTION_MS, STORES, TIMES, specs } from './ordered-state-steps.ts';
import type { Operation, OrderedStep, RangeStep, SetStep, StoreName } from './ordered-state-steps.ts';
import { bin, restoreBatch, taskOptions } from './support.ts';
import type { ModelBackend } from './task-state-model.ts';

/** By row key; `null`: deleted. */
type Layer = Record<StoreName, Map<BinaryString, number | null>>;
const layer = (): Layer => ({ maps: new Map(), windows: new Map(), buffer: new Map() });

interface ModelRecord {
  readonly store: StoreName;
  readonly key: BinaryString;
  readonly value: number | null;
}

export class OrderedModelRun {
  /** How often a look-up missed, so that a spec can tell that the way was taken. */
  misses = 0;
  private readonly under: ModelBackend;
  private readonly options: TaskStateOptions;
  private state!: TaskState;
  /** Changes of the record in process. */
  private record = layer();
  private open = layer();
  private sealed: { readonly epochId: number; readonly layer: Layer }[] = [];
  private readonly committed = layer();
  private readonly changelog: ModelRecord[] = [];
  private readonly racing: Promise<void>[] = [];
  private epochId = 0;
  private time = 0;
  /** What committed epochs said; earlier rows may be there or not. */
  private expiredBefore = bin('');

  constructor(under: ModelBackend, overrides: Partial<TaskStateOptions>) {
    this.under = under;
    this.options = taskOptions({ stores: specs, ...overrides });
  }

  /** `stored`: each group has rows from before, of which nothing is in memory if the cache is small. */
  async run(list: readonly OrderedStep[], stored = false): Promise<void> {
    await this.start();
    if (stored) await this.store();
    for (const step of list) {
      await this.step(step);
      this.checkInside();
    }
    while (this.sealed.length > 0) this.commit();
    for (const name of STORES) await this.checkStore(name);
    await this.racesEnded();
    await this.checkNothingDeadStays();
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
        tail.map(({ key, value }) => ({ key, value: value === null ? null : String(value) })),
      );
      await this.state.restore(name, batch, this.changelog.length);
    }
    await this.state.restored({});
    expect(this.state.isResident('buffer')).toBe(true);
  }

  private async store(): Promise<void> {
    for (const store of STORES) {
      const suffixes = store === 'maps' ? MAP_SUFFIXES : TIMES;
      for (const [i, group] of GROUPS.entries()) {
        const operations = [0, 3, 4, 7].map((at): Operation => ({
          kind: 'set',
          store,
          group,
          suffix: suffixes[(at + i) % 9]!,
          value: at,
        }));
        await this.process(operations, false, 'no');
      }
    }
    for (const kind of ['seal', 'commit', 'reopen'] as const) await this.step({ kind });
  }

  private async step(step: OrderedStep): Promise<void> {
    switch (step.kind) {
      case 'record':
        await this.process(step.operations, step.undo, step.ahead);
        break;
      case 'seal':
        if (this.sealed.length < 2) this.seal();
        break;
      case 'commit':
        this.commit();
        break;
      case 'advance':
        this.time += step.ms;
        break;
      case 'race':
        this.racing.push(
          (step.range
            ? this.state.readAheadRanges(step.store, [{ group: step.group, from: step.suffix }])
            : this.state.readAhead(step.store, [rowKey(step.group, step.suffix)], 1)) ?? Promise.resolve(),
        );
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
        await this.racesEnded();
        await this.state.close();
        this.forgetUnsettled();
        await this.start();
        break;
      case 'kill':
        await this.racesEnded();
        await this.under.kill(this.state);
        this.forgetUnsettled();
        await this.start();
        break;
      case 'check':
        await this.checkStore(step.store);
        break;
    }
  }

  private async process(
    operations: readonly Operation[],
    undo: boolean,
    ahead: 'no' | 'rows' | 'ranges' | 'require',
  ): Promise<void> {
    const { state } = this;
    if (ahead === 'rows' || ahead === 'ranges') {
      for (const { store, group, ...rest } of operations) {
        const suffix = 'suffix' in rest ? rest.suffix : 'from' in rest ? (rest.from ?? bin('')) : bin('');
        const key = rowKey(group, suffix);
        if (ahead === 'rows') await state.readAhead(store, [key, key], 2);
        else
          await state.readAheadRanges(store, [
            { group, from: suffix },
            { group, from: suffix },
          ]);
      }
    }
    for (let attempt = 0; ; attempt++) {
      expect(attempt).toBeLessThan(30);
      this.record = layer();
      state.beginRecord();
      try {
        if (ahead === 'require') this.require(operations);
        for (const one of operations) this.operate(one);
      } catch (error) {
        if (!(error instanceof StateMiss)) throw error;
        expect(error.store).not.toBe('buffer');
        this.misses++;
        state.undoRecord();
        await state.read(error);
        continue;
      }
      if (undo) {
        state.undoRecord();
      } else {
        for (const name of STORES) {
          for (const [key, value] of this.record[name]) this.open[name].set(key, value);
        }
      }
      this.record = layer();
      return;
    }
  }

  private require(operations: readonly Operation[]): void {
    for (const name of STORES) {
      const sets = operations.filter((one) => one.kind === 'set' && one.store === name);
      const groups = sets.map(({ group }) => group);
      const suffixes = sets.map((one) => (one as SetStep).suffix);
      this.state.orderedStore(name).require(groups, suffixes);
    }
  }

  private operate(one: Operation): void {
    const { store: name, group } = one;
    const store = this.state.orderedStore<number>(name);
    switch (one.kind) {
      case 'set':
        this.set(store, name, group, one.suffix, one.value);
        break;
      case 'range':
        this.range(store, name, group, one);
        break;
      case 'first':
        this.first(store, name, group);
        break;
      case 'take':
        for (let i = 0; i < one.count; i++) {
          const row = this.first(store, name, group);
          if (row === null) break;
          this.change(store, name, row, null);
        }
        break;
    }
  }

  private first(
    store: OrderedStoreCache<number>,
    name: StoreName,
    group: BinaryString,
  ): StateEntry<number> | null {
    const row = store.first(group);
    const expected = this.visible(name, group)[0];
    // Expired rows may stand before the others, or not.
    if (row === null || !this.isExpired(name, store.suffixOf(row))) {
      expect(row === null ? undefined : store.suffixOf(row)).toBe(expected?.suffix);
    }
    if (row !== null) expect(row.encoded).not.toBeNull();
    return row;
  }

  private set(
    store: OrderedStoreCache<number>,
    name: StoreName,
    group: BinaryString,
    suffix: BinaryString,
    value: number | null,
  ): void {
    const row = store.row(group, suffix);
    expect(store.row(group, suffix)).toBe(row);
    expect(row.key).toBe(rowKey(group, suffix));
    expect(store.groupOf(row)).toBe(group);
    expect(store.suffixOf(row)).toBe(suffix);
    if (!this.isExpired(name, suffix)) {
      expect(store.value(row)).toBe(this.current(name, row.key) ?? undefined);
    }
    this.change(store, name, row, value);
  }

  private change(
    store: OrderedStoreCache<number>,
    name: StoreName,
    row: StateEntry<number>,
    value: number | null,
  ): void {
    store.set(row, value, value ?? 0);
    if (value !== null) expect(store.encodingOf(value)).toBe(String(value));
    this.record[name].set(row.key, value);
  }

  private range(
    store: OrderedStoreCache<number>,
    name: StoreName,
    group: BinaryString,
    { from, to, descending, limit, change, added }: RangeStep,
  ): void {
    const before = this.visible(name, group).filter(
      ({ suffix }) => (from === null || suffix >= from) && (to === null || suffix < to),
    );
    if (descending) before.reverse();
    const visited: { suffix: BinaryString; value: number }[] = [];
    let left = limit;
    let last: BinaryString | null = null;
    store.range(
      group,
      from,
      to,
      (row) => {
        const suffix = store.suffixOf(row);
        if (last !== null) expect(descending ? suffix < last : suffix > last).toBe(true);
        last = suffix;
        // What was added while visiting may be visited.
        const isNew = change === 'add' && suffix === added;
        if (!isNew && !this.isExpired(name, suffix)) visited.push({ suffix, value: store.value(row)! });
        if (change === 'set') this.change(store, name, row, 7);
        if (change === 'delete') this.change(store, name, row, null);
        if (change === 'add') this.change(store, name, store.row(group, added), 8);
        return --left > 0;
      },
      descending,
    );
    const expected = before.filter(({ suffix }) => change !== 'add' || suffix !== added);
    if (left > 0) expect(visited).toEqual(expected);
    else expect(expected.slice(0, visited.length)).toEqual(visited);
  }

  private isExpired(name: StoreName, suffix: BinaryString): boolean {
    return name === 'windows' && suffix < this.expiredBefore;
  }

  private layersNewestFirst(): Layer[] {
    return [this.record, this.open, ...this.sealed.map((sealed) => sealed.layer).reverse(), this.committed];
  }

  private current(name: StoreName, key: BinaryString): number | null {
    for (const one of this.layersNewestFirst()) {
      const value = one[name].get(key);
      if (value !== undefined) return value;
    }
    return null;
  }

  /** As of the newest sealed epoch. */
  private beforeOpen(name: StoreName, key: BinaryString): number | null {
    for (const one of this.layersNewestFirst().slice(2)) {
      const value = one[name].get(key);
      if (value !== undefined) return value;
    }
    return null;
  }

  /** The rows of a group that must be there, in order. */
  private visible(name: StoreName, group: BinaryString): { suffix: BinaryString; value: number }[] {
    const keys = new Set(this.layersNewestFirst().flatMap((one) => [...one[name].keys()]));
    return [...keys]
      .filter((key) => groupOfKey(key) === group && !this.isExpired(name, suffixOfKey(key)))
      .map((key) => ({ suffix: suffixOfKey(key), value: this.current(name, key) }))
      .filter((row): row is { suffix: BinaryString; value: number } => row.value !== null)
      .sort((a, b) => (a.suffix < b.suffix ? -1 : 1));
  }

  private seal(): void {
    const epochId = ++this.epochId;
    const visited = layer();
    this.state.seal(epochId, (index, key, value) => {
      const name = STORES[index]!;
      expect(visited[name].has(key)).toBe(false);
      visited[name].set(key, value === null ? null : Number(value));
    });
    for (const name of STORES) {
      // A row that was absent before the epoch and is absent after it is left out, unless it may only have expired here.
      const expected = [...this.open[name]].filter(
        ([key, value]) => value !== null || name === 'windows' || this.beforeOpen(name, key) !== null,
      );
      expect([...visited[name]].sort()).toEqual(expected.sort());
    }
    this.sealed.push({ epochId, layer: this.open });
    this.open = layer();
  }

  private commit(): void {
    const oldest = this.sealed.shift();
    if (oldest === undefined) return;
    for (const name of STORES) {
      for (const [key, value] of oldest.layer[name]) {
        this.committed[name].set(key, value);
        this.changelog.push({ store: name, key, value });
      }
    }
    const expireBefore = this.time - RETENTION_MS;
    if (expireBefore > 0) this.expiredBefore = orderedTime(expireBefore);
    this.state.commit(oldest.epochId, {
      changelogOffsets: new Map(STORES.map((name) => [name, this.changelog.length])),
      metadata: {},
      expireBefore: new Map([['windows', expireBefore]]),
    });
  }

  private async racesEnded(): Promise<void> {
    await Promise.all(this.racing.splice(0));
  }

  private forgetUnsettled(): void {
    this.open = layer();
    this.sealed = [];
  }

  private async checkStore(name: StoreName): Promise<void> {
    const expected: Record<string, string> = {};
    for (const [key, value] of this.committed[name]) {
      if (this.isExpired(name, suffixOfKey(key))) continue;
      const stored = await this.state.committed(name, key);
      expect(stored?.value).toBe(value === null ? undefined : String(value));
      if (value !== null) expected[key] = String(value);
    }
    const found: Record<string, string> = {};
    let last = '';
    for await (const { key, value } of this.state.scan(name)) {
      expect(key > last || last === '').toBe(true);
      last = key;
      if (!this.isExpired(name, suffixOfKey(key))) found[key] = value;
    }
    expect(found).toEqual(expected);
    expect(this.state.failure).toBeNull();
  }

  private get inside(): Inside {
    return this.state as unknown as Inside;
  }

  // Estimates are what rows and groups say, or they would grow or shrink without end; the index is in order.
  private checkInside(): void {
    let cached = 0;
    let fixed = 0;
    for (const cache of this.inside.caches) {
      for (const [key, group] of cache.groups) {
        const bytes = 400 + 2 * key.length;
        cached += bytes;
        if (cache.resident) fixed += bytes;
        expect(group.key).toBe(key);
      }
      let previous: CachedRow | null = null;
      for (const row of cache.allEntries()) {
        const bytes = 240 + row.key.length + (row.encoded?.length ?? 0);
        cached += bytes;
        if (cache.resident) fixed += bytes;
        for (let version = row.older; version !== null; version = version.older) {
          cached += 72 + (version.encoded?.length ?? 0);
        }
        if (previous !== null && previous.group === row.group) {
          expect(previous.suffix < row.suffix).toBe(true);
        }
        previous = row;
      }
    }
    expect(this.inside.account.cached).toBe(cached);
    expect(this.inside.account.fixed).toBe(fixed);
  }

  private async checkNothingDeadStays(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      this.seal();
      this.commit();
      await this.state.flush();
    }
    const buffer = this.inside.caches[2]!;
    for (const row of buffer.allEntries()) expect(row.encoded).not.toBeNull();
    for (const { size } of buffer.groups.values()) expect(size).toBeGreaterThan(0);
  }
}

interface CachedVersion {
  readonly encoded: string | null;
  readonly older: CachedVersion | null;
}

interface CachedRow extends CachedVersion {
  readonly key: string;
  readonly suffix: string;
  readonly group: object;
}

interface Inside {
  readonly account: { readonly cached: number; readonly fixed: number };
  readonly caches: readonly {
    readonly resident: boolean;
    readonly groups: Map<string, { readonly key: string; readonly size: number }>;
    allEntries(): Iterable<CachedRow>;
  }[];
}
