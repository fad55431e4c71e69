// Owns what happens in the random comparison of ordered stores (ordered-state-model.ts): stores, groups, suffixes, steps.
import fc from 'fast-check';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import type { OrderedStoreSpec } from '#libs/state';
import { bin } from './support.ts';

export const RETENTION_MS = 15_000;

function spec(name: StoreName, overrides: Partial<OrderedStoreSpec> = {}): OrderedStoreSpec {
  return {
    kind: 'ordered',
    name,
    keySerde: Serdes.bytes(),
    valueSerde: Serdes.json(),
    logged: true,
    resident: false,
    expiry: null,
    ...overrides,
  };
}

/** Map state, windows, a buffer. */
export type StoreName = 'maps' | 'windows' | 'buffer';
export const STORES: readonly StoreName[] = ['maps', 'windows', 'buffer'];
export const specs: readonly OrderedStoreSpec[] = [
  spec('maps'),
  spec('windows', { expiry: { retentionMs: RETENTION_MS }, layout: 'window(5)' }),
  spec('buffer', { resident: true }),
];

export const GROUPS = ['', 'g', 'gg', 'a group longer than a slice', '\xff'].map(bin);
/** Short, equal in eight bytes, one beginning with another, longer than a slice. */
export const MAP_SUFFIXES = [
  '',
  'a',
  'a\0',
  'ab',
  'abcdefgh',
  'abcdefgh1',
  'abcdefgh\xff\xff',
  'abcdefgi',
  'abcdefghijklmnopqrstuvwxyz',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff',
].map(bin);
/** Seconds 0 to 39, some twice. */
export const TIMES = Array.from({ length: 48 }, (_, i) =>
  bin(orderedTime((i % 40) * 1_000) + (i < 24 ? '' : `a tail of some length ${i}`)),
);

const suffixFor = (store: StoreName): fc.Arbitrary<BinaryString> =>
  fc.constantFrom(...(store === 'maps' ? MAP_SUFFIXES : TIMES));

export interface SetStep {
  readonly kind: 'set';
  readonly suffix: BinaryString;
  readonly value: number | null;
}
export interface RangeStep {
  readonly kind: 'range';
  readonly from: BinaryString | null;
  readonly to: BinaryString | null;
  readonly descending: boolean;
  readonly limit: number;
  /** What happens to each visited row: nothing, set, deleted; or another row is added. */
  readonly change: 'none' | 'set' | 'delete' | 'add';
  readonly added: BinaryString;
}
export type Operation = (
  SetStep | RangeStep | { readonly kind: 'first' | 'take'; readonly count: number }
) & {
  readonly store: StoreName;
  readonly group: BinaryString;
};

export type OrderedStep =
  | {
      readonly kind: 'record';
      readonly operations: readonly Operation[];
      readonly undo: boolean;
      readonly ahead: 'no' | 'rows' | 'ranges' | 'require';
    }
  | { readonly kind: 'seal' | 'commit' | 'abandon' | 'flush' | 'due' | 'turn' | 'reopen' | 'kill' }
  | { readonly kind: 'advance'; readonly ms: number }
  | {
      /** A read ahead that goes on beside what follows. */
      readonly kind: 'race';
      readonly store: StoreName;
      readonly group: BinaryString;
      readonly suffix: BinaryString;
      readonly range: boolean;
    }
  | { readonly kind: 'check'; readonly store: StoreName };

const operation: fc.Arbitrary<Operation> = fc.constantFrom(...STORES).chain((store) =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        store: fc.constant(store),
        group: fc.constantFrom(...GROUPS),
        suffix: suffixFor(store),
        value: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { freq: 4 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('range' as const),
        store: fc.constant(store),
        group: fc.constantFrom(...GROUPS),
        from: fc.option(suffixFor(store)),
        to: fc.option(suffixFor(store)),
        descending: fc.boolean(),
        limit: fc.constantFrom(1, 2, 100, 100),
        change: fc.constantFrom(
          'none' as const,
          'none' as const,
          'set' as const,
          'delete' as const,
          'add' as const,
        ),
        added: suffixFor(store),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('first' as const, 'take' as const),
        count: fc.integer({ min: 1, max: 4 }),
        store: fc.constant(store),
        group: fc.constantFrom(...GROUPS),
      }),
    },
  ),
);

export const orderedSteps: fc.Arbitrary<OrderedStep[]> = fc.array(
  fc.oneof(
    {
      weight: 14,
      arbitrary: fc.record({
        kind: fc.constant('record' as const),
        operations: fc.array(operation, { minLength: 1, maxLength: 5 }),
        undo: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
        ahead: fc.constantFrom('no' as const, 'rows' as const, 'ranges' as const, 'require' as const),
      }),
    },
    { weight: 4, arbitrary: fc.constant({ kind: 'seal' as const }) },
    { weight: 4, arbitrary: fc.constant({ kind: 'commit' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('advance' as const),
        ms: fc.integer({ min: 1_000, max: 5_000 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom(...STORES).chain((store) =>
        fc.record({
          kind: fc.constant('race' as const),
          store: fc.constant(store),
          group: fc.constantFrom(...GROUPS),
          suffix: suffixFor(store),
          range: fc.boolean(),
        }),
      ),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'abandon' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'due' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'turn' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'reopen' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'kill' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('check' as const), store: fc.constantFrom(...STORES) }),
    },
  ),
  { maxLength: 80, size: 'max' },
);
