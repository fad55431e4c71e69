// Owns the random comparison of committed reads with a naive model: reads begin at any moment of epochs, aborts and writes, go on while
// those do, and have to give what was committed when they began. It runs against any backend.
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StateMiss, groupEnd, groupOfKey, groupPrefix, rowKey, suffixOfKey } from '#libs/state';
import type { CommittedRange, OrderedStoreSpec, TaskState, TaskStateOptions } from '#libs/state';
import { turns } from './manual-clock.ts';
import { bin, counts, taskOptions } from './support.ts';
import type { ModelBackend } from './task-state-model.ts';

const windows: OrderedStoreSpec<string, number> = {
  kind: 'ordered',
  name: 'windows',
  keySerde: Serdes.string(),
  valueSerde: Serdes.json<number>(),
  logged: true,
  resident: false,
  // Long enough that nothing of the test is dropped; the rows lie in segments all the same.
  expiry: { retentionMs: 4_000 },
};

type StoreName = 'counts' | 'windows';
const PLAIN = Array.from({ length: 14 }, (_, i) => bin(`key-${String(i).padStart(2, '0')}`));
const GROUPS = ['a', 'bb', 'b'].map(bin);
const TIMES = [0, 1_000, 2_000, 3_500, 5_000, 9_000];
const ROWS = GROUPS.flatMap((group) => TIMES.map((time) => rowKey(group, orderedTime(time))));
const KEYS: Readonly<Record<StoreName, readonly BinaryString[]>> = { counts: PLAIN, windows: ROWS };

interface SetStep {
  readonly store: StoreName;
  readonly at: number;
  readonly value: number | null;
}

interface ReadStep {
  readonly kind: 'read';
  readonly store: StoreName;
  readonly descending: boolean;
  readonly limit: number;
  /** Keys that bound it, by position; `null`: none. */
  readonly from: number | null;
  readonly to: number | null;
  /** Of `windows`: within the group of the first bound. */
  readonly oneGroup: boolean;
  readonly times: readonly [number, number] | null;
}

export type ReadsStep =
  | { readonly kind: 'record'; readonly sets: readonly SetStep[]; readonly undo: boolean }
  | { readonly kind: 'seal' | 'commit' | 'abandon' | 'flush' | 'due' | 'turn' | 'many' | 'close' }
  | ReadStep;

const store = fc.constantFrom<StoreName>('counts', 'windows');
const bound = fc.option(fc.nat(20), { freq: 3 });
const just = <K extends string>(kind: K): fc.Arbitrary<{ kind: K }> => fc.constant({ kind });

export const readsSteps: fc.Arbitrary<ReadsStep[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('record' as const),
        sets: fc.array(fc.record({ store, at: fc.nat(20), value: fc.option(fc.nat(1_000), { freq: 3 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        undo: fc.nat(5).map((n) => n === 0),
      }),
    },
    { weight: 5, arbitrary: just('seal') },
    { weight: 5, arbitrary: just('commit') },
    { weight: 1, arbitrary: just('abandon') },
    { weight: 1, arbitrary: just('flush') },
    { weight: 1, arbitrary: just('close') },
    { weight: 4, arbitrary: just('due') },
    { weight: 3, arbitrary: just('turn') },
    { weight: 3, arbitrary: just('many') },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        store,
        descending: fc.boolean(),
        limit: fc.integer({ min: 1, max: 30 }),
        from: bound,
        to: bound,
        oneGroup: fc.boolean(),
        times: fc.option(fc.tuple(fc.nat(6_000), fc.nat(10_000))),
      }),
    },
  ),
  { maxLength: 90, size: 'max' },
);

type Layer = Map<BinaryString, number | null>;
type Layers = Record<StoreName, Layer>;
const layers = (): Layers => ({ counts: new Map(), windows: new Map() });

export class CommittedReadsRun {
  /** Reads that were compared while an epoch was open or sealed with other values. */
  compared = 0;
  private readonly under: ModelBackend;
  private readonly options: TaskStateOptions;
  private state!: TaskState;
  private open = layers();
  private sealed: { readonly epochId: number; readonly layers: Layers }[] = [];
  private readonly committed = layers();
  private readonly reading: Promise<void>[] = [];
  private epochId = 0;

  constructor(under: ModelBackend, overrides: Partial<TaskStateOptions>) {
    this.under = under;
    this.options = taskOptions({ stores: [counts, windows], ...overrides });
  }

  async run(list: readonly ReadsStep[]): Promise<void> {
    this.state = await this.under.backend.open(this.options);
    await this.state.restored({});
    for (const step of list) await this.step(step);
    await this.ended();
    await this.state.close();
  }

  private async step(step: ReadsStep): Promise<void> {
    switch (step.kind) {
      case 'record':
        return this.record(step.sets, step.undo);
      case 'seal':
        if (this.sealed.length === 2) return;
        this.state.seal(++this.epochId, () => undefined);
        this.sealed.push({ epochId: this.epochId, layers: this.open });
        this.open = layers();
        return;
      case 'commit':
        return this.commit();
      case 'abandon':
        this.state.abandon();
        this.open = layers();
        this.sealed = [];
        return;
      case 'flush':
        return this.state.flush();
      case 'due':
        this.under.clock.advance(this.options.writeBehindIntervalMs);
        return;
      case 'turn':
        return turns(1);
      case 'many':
        this.reading.push(this.readMany());
        return;
      case 'read':
        this.reading.push(this.readPages(step));
        return;
      case 'close':
        await this.ended();
        await this.state.close();
        this.open = layers();
        this.sealed = [];
        this.state = await this.under.backend.open(this.options);
        await this.state.restored({});
    }
  }

  private async ended(): Promise<void> {
    await Promise.all(this.reading.splice(0));
  }

  private async record(sets: readonly SetStep[], undo: boolean): Promise<void> {
    const { state } = this;
    for (let attempt = 0; attempt < 20; attempt++) {
      state.beginRecord();
      try {
        for (const { store: name, at, value } of sets) this.set(name, keyAt(name, at), value);
      } catch (error) {
        if (!(error instanceof StateMiss)) throw error;
        state.undoRecord();
        await state.read(error);
        continue;
      }
      if (undo) state.undoRecord();
      else for (const { store: name, at, value } of sets) this.open[name].set(keyAt(name, at), value);
      return;
    }
    throw new Error('a record missed its state over and over');
  }

  private set(name: StoreName, key: BinaryString, value: number | null): void {
    if (name === 'counts') {
      const cache = this.state.store(name);
      cache.set(cache.entry(key), value, value ?? 0);
    } else {
      const cache = this.state.orderedStore(name);
      cache.set(cache.row(groupOfKey(key), suffixOfKey(key)), value, value ?? 0);
    }
  }

  private commit(): void {
    const oldest = this.sealed.shift();
    if (oldest === undefined) return;
    for (const name of ['counts', 'windows'] as const)
      for (const [key, value] of oldest.layers[name]) this.committed[name].set(key, value);
    const { epochId } = oldest;
    this.state.commit(epochId, {
      changelogOffsets: new Map([
        ['counts', epochId],
        ['windows', epochId],
      ]),
      metadata: {},
    });
  }

  private expected(name: StoreName): (readonly [BinaryString, number])[] {
    return [...this.committed[name]]
      .filter((pair): pair is [BinaryString, number] => pair[1] !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  private async readMany(): Promise<void> {
    const expected = KEYS.counts.map((key) => this.committed.counts.get(key) ?? null);
    const rows = KEYS.windows.map((key) => this.committed.windows.get(key) ?? null);
    this.noteDifference();
    const [found, foundRows] = await Promise.all([
      this.state.committedMany('counts', KEYS.counts),
      this.state.committedMany('windows', KEYS.windows),
    ]);
    expect(found.map((one) => (one === null ? null : Number(one.value)))).toEqual(expected);
    expect(foundRows.map((one) => (one === null ? null : Number(one.value)))).toEqual(rows);
  }

  /** Each page is one moment of its own: of each is told what was committed when it began. */
  private async readPages(step: ReadStep): Promise<void> {
    const { state } = this;
    let range: CommittedRange | null = rangeOf(step);
    for (let pages = 0; range !== null; pages++) {
      expect(pages).toBeLessThan(50);
      const asked: CommittedRange = range;
      const expected = this.expected(step.store).filter(([key]) => isIn(key, asked));
      if (step.descending) expected.reverse();
      this.noteDifference();
      const offset = state.committedOffset(step.store) ?? null;
      const page = await state.committedPage(step.store, asked);
      expect(page.rows.length).toBeLessThanOrEqual(asked.limit);
      const given = page.rows.map(({ key, value }) => [key, Number(value)]);
      expect(given).toEqual(expected.slice(0, given.length));
      expect(page.offset).toBe(offset);
      const { next } = page;
      if (next === null) {
        expect(given.length).toBe(expected.length);
        return;
      }
      // What was passed over is not there.
      const rest = expected.slice(given.length).map(([key]) => key);
      for (const key of rest) expect(step.descending ? key < next : key >= next).toBe(true);
      range = step.descending ? { ...asked, to: next } : { ...asked, from: next };
    }
  }

  private noteDifference(): void {
    const layered = [this.open, ...this.sealed.map(({ layers: sealed }) => sealed)];
    if (layered.some(({ counts: a, windows: b }) => a.size + b.size > 0)) this.compared++;
  }
}

function keyAt(name: StoreName, at: number): BinaryString {
  return KEYS[name][at % KEYS[name].length]!;
}

function rangeOf({ store: name, descending, limit, from, to, oneGroup, times }: ReadStep): CommittedRange {
  const bounds = { from: from === null ? null : keyAt(name, from), to: to === null ? null : keyAt(name, to) };
  if (name === 'windows' && oneGroup) {
    const group = groupOfKey(bounds.from ?? ROWS[0]!);
    bounds.from ??= groupPrefix(group);
    if (bounds.to === null || groupOfKey(bounds.to) !== group) bounds.to = groupEnd(group);
  }
  return {
    ...(bounds.from === null ? {} : { from: bounds.from }),
    ...(bounds.to === null ? {} : { to: bounds.to }),
    ...(name === 'windows' && times !== null ? { fromTime: times[0], toTime: times[1] } : {}),
    descending,
    limit,
  };
}

function isIn(
  key: BinaryString,
  { from, to, fromTime = -Infinity, toTime = Infinity }: CommittedRange,
): boolean {
  if ((from !== undefined && key < from) || (to !== undefined && key >= to)) return false;
  if (fromTime === -Infinity && toTime === Infinity) return true;
  const time = TIMES.find((one) => suffixOfKey(key) === orderedTime(one))!;
  return time >= fromTime && time < toTime;
}
