import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { rankOf } from '../src/ordered/row-key.ts';
import { SortedRows } from '../src/ordered/sorted-rows.ts';
import { bin } from './support.ts';

interface TestRow {
  readonly suffix: BinaryString;
}

type Burst =
  | { readonly kind: 'append' | 'scatter' | 'front' | 'middle' | 'back'; readonly count: number }
  | { readonly kind: 'look'; readonly at: number };

const bursts: fc.Arbitrary<Burst[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom('append', 'scatter', 'scatter', 'front', 'middle', 'back'),
      count: fc.integer({ min: 1, max: 900 }),
    }) as fc.Arbitrary<Burst>,
    fc.record({ kind: fc.constant('look' as const), at: fc.integer({ min: 0, max: 1_000_000 }) }),
  ),
  { minLength: 4, maxLength: 24, size: 'max' },
);

/** Some share a time, and so a rank. */
const suffixAt = (n: number): BinaryString => bin(orderedTime(n >> 1) + (n % 2 === 0 ? '' : 'x'));

class Comparison {
  readonly rows = new SortedRows<TestRow>();
  readonly model: TestRow[] = [];
  private seed = 7;
  private highest = 1_000_000;

  run(burst: Burst): void {
    if (burst.kind === 'look') {
      this.look(suffixAt(burst.at));
      return;
    }
    for (let i = 0; i < burst.count; i++) this.step(burst.kind);
  }

  private step(kind: Burst['kind']): void {
    if (kind === 'append' || kind === 'scatter') {
      const at = kind === 'append' ? ++this.highest : this.random() % 1_000_000;
      const suffix = suffixAt(at);
      const place = this.place(suffix);
      if (this.model[place]?.suffix === suffix) return;
      const row = { suffix };
      this.model.splice(place, 0, row);
      this.rows.insert(row, rankOf(suffix));
      return;
    }
    const last = this.model.length - 1;
    if (last < 0) return;
    const place = kind === 'front' ? 0 : kind === 'back' ? last : this.random() % (last + 1);
    const [row] = this.model.splice(place, 1);
    expect(this.rows.remove(row!, rankOf(row!.suffix))).toBe(true);
    expect(this.rows.remove(row!, rankOf(row!.suffix))).toBe(false);
  }

  private look(suffix: BinaryString): void {
    const rank = rankOf(suffix);
    const place = this.place(suffix);
    const position = this.rows.seek(suffix, rank);
    expect(this.rows.at(position)).toBe(this.model[place]);
    const found = this.model[place]?.suffix === suffix ? this.model[place] : undefined;
    expect(this.rows.find(suffix, rank)).toBe(found);
    const before = this.rows.previous(position);
    expect(before < 0 ? undefined : this.rows.at(before)).toBe(this.model[place - 1]);
  }

  check(): void {
    const { rows, model } = this;
    expect(rows.size).toBe(model.length);
    expect(rows.first).toBe(model[0]);
    expect(rows.firstRank).toBe(model.length === 0 ? Infinity : rankOf(model[0]!.suffix));
    const up: TestRow[] = [];
    for (let at = 0, row = rows.at(at); row !== undefined; at = rows.next(at), row = rows.at(at))
      up.push(row);
    expect(up).toEqual(model);
    const down: TestRow[] = [];
    for (let at = rows.previous(rows.end); at >= 0; at = rows.previous(at)) down.push(rows.at(at)!);
    expect(down.reverse()).toEqual(model);
  }

  private place(suffix: BinaryString): number {
    let low = 0;
    let high = this.model.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.model[middle]!.suffix < suffix) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private random(): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return this.seed >>> 8;
  }
}

describe('rows in order', () => {
  it('are what a sorted array is, through thousands of insertions and removals', () => {
    fc.assert(
      fc.property(bursts, (list) => {
        const comparison = new Comparison();
        for (const burst of list) {
          comparison.run(burst);
          comparison.check();
        }
      }),
      { numRuns: 20, interruptAfterTimeLimit: 15_000 },
    );
  }, 30_000);

  it('have ranks in the order of their suffixes, whatever bytes these are', () => {
    const suffix = fc
      .array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 })
      .map((bytes) => bin(String.fromCharCode(...bytes)));
    fc.assert(
      fc.property(suffix, suffix, (a, b) => {
        if (rankOf(a) < rankOf(b)) expect(a < b).toBe(true);
        if (a < b) expect(rankOf(a)).toBeLessThanOrEqual(rankOf(b));
      }),
    );
    expect(rankOf(orderedTime(5))).toBeLessThan(rankOf(orderedTime(6)));
    expect(rankOf(orderedTime(-5))).toBeLessThan(rankOf(orderedTime(-4)));
  });
});
