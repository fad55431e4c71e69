// Owns the matchers for Jest (and whatever takes Jest's: Vitest's `expect.extend`). It imports neither: what it needs of them is
// handed to each call. `import 'millrace/testing/jest'` registers and types them.
import { MillraceError } from '#libs/core';
import { headersOf } from './test-records.ts';
import type { HeadersInput, TestRecord } from './test-records.ts';
import { TestOutputTopic } from './test-topics.ts';
import { TestStore } from './test-store.ts';

/**
 * An expected record: `[key, value]`, `[key, value, timestamp]`, or an object of which only the fields that are there are compared.
 * Jest's asymmetric matchers (`expect.any(Number)`) may stand for any part.
 */
export type ExpectedRecord<K, V> =
  | readonly [key: Matching<K | null>, value: Matching<V | null>, timestamp?: Matching<number>]
  | {
      readonly key?: Matching<K | null>;
      readonly value?: Matching<V | null>;
      readonly timestamp?: Matching<number>;
      readonly headers?: HeadersInput;
      readonly partition?: Matching<number>;
      readonly offset?: Matching<number>;
    };

/** A value, or what Jest's `expect.any` and its like give. */
export type Matching<T> = T | { asymmetricMatch(other: unknown): boolean };

/** Expected entries of a store: pairs, a map, or for text keys an object. */
export type ExpectedState<K, V> =
  | ReadonlyMap<K, V>
  | readonly (readonly [key: K, value: Matching<V>])[]
  | (unknown extends K
      ? Readonly<Record<string, Matching<V>>>
      : K extends string
        ? Readonly<Record<string, Matching<V>>>
        : never);

export interface MatcherOutcome {
  readonly pass: boolean;
  readonly message: () => string;
}

/** What a matcher is called on: Jest's and Vitest's `this`. */
export interface MatcherContext {
  readonly isNot?: boolean;
  equals(a: unknown, b: unknown, testers?: never[]): boolean;
  readonly utils: {
    stringify(value: unknown): string;
    diff(a: unknown, b: unknown): string | null | undefined;
  };
}

/** To be given to `expect.extend`. */
export const streamMatchers = {
  /** What a topic received since the test last read from it, all of it and in order. It counts as read then. */
  toHaveEmitted(
    this: MatcherContext,
    output: unknown,
    expected: readonly ExpectedRecord<unknown, unknown>[],
  ) {
    return compareRecords(
      this,
      topicOf(output, 'toHaveEmitted').readAll(),
      expected,
      'emitted since it was last read',
    );
  },

  /** What a topic received since the start, read or not, in order; it stays as unread as it was. */
  toHaveReceived(
    this: MatcherContext,
    output: unknown,
    expected: readonly ExpectedRecord<unknown, unknown>[],
  ) {
    return compareRecords(this, topicOf(output, 'toHaveReceived').history(), expected, 'received');
  },

  /** What a store holds, all of it, in any order. To be awaited. */
  async toHaveState(this: MatcherContext, store: unknown, expected: ExpectedState<unknown, unknown>) {
    if (!(store instanceof TestStore)) throw notFor('toHaveState', 'a store: `driver.store(name)`');
    const wanted = sorted(pairsOf(expected));
    const found = sorted(
      (await store.entries()).map(
        ({ key, value }: { key: unknown; value: unknown }) => [key, value] as const,
      ),
    );
    const pass = this.equals(found, wanted);
    return outcome(this, pass, `the store "${store.name}" to hold`, wanted, found);
  },
};

function compareRecords(
  context: MatcherContext,
  records: readonly TestRecord<unknown, unknown>[],
  expected: readonly ExpectedRecord<unknown, unknown>[],
  verb: string,
): MatcherOutcome {
  const wanted = expected.map((record) => (isTuple(record) ? record : withHeaders(record)));
  // Each in the shape of what is expected at its place, so that the difference shows nothing that was not asked for.
  const found = records.map((record, i) => inShapeOf(wanted[i], record));
  return outcome(context, context.equals(found, wanted), `the topic to have ${verb}`, wanted, found);
}

function inShapeOf(
  wanted: ExpectedRecord<unknown, unknown> | undefined,
  record: TestRecord<unknown, unknown>,
): unknown {
  if (wanted === undefined) return [record.key, record.value, record.timestamp];
  if (isTuple(wanted)) {
    const whole = [record.key, record.value, record.timestamp];
    return whole.slice(0, wanted.length);
  }
  const shaped: Record<string, unknown> = {};
  for (const field of Object.keys(wanted) as (keyof TestRecord<unknown, unknown>)[])
    shaped[field] = field === 'headers' ? readableHeaders(record.headers) : record[field];
  return shaped;
}

function withHeaders(record: Exclude<ExpectedRecord<unknown, unknown>, readonly unknown[]>): {
  readonly [field: string]: unknown;
} {
  return record.headers === undefined
    ? record
    : { ...record, headers: readableHeaders(headersOf(record.headers)) };
}

/** As pairs of texts where they are texts: a difference in bytes says little. */
function readableHeaders(headers: readonly { key: string; value: Uint8Array | null }[]): unknown[] {
  return headers.map(({ key, value }) => [key, value === null ? null : Buffer.from(value).toString('utf8')]);
}

function outcome(
  context: MatcherContext,
  pass: boolean,
  what: string,
  wanted: unknown,
  found: unknown,
): MatcherOutcome {
  return {
    pass,
    message: () =>
      pass
        ? `Expected ${what} something else than\n\n${context.utils.stringify(wanted)}`
        : `Expected ${what} what is marked with -, not what is marked with +\n\n${context.utils.diff(wanted, found) ?? context.utils.stringify(found)}`,
  };
}

function pairsOf(expected: ExpectedState<unknown, unknown>): (readonly [unknown, unknown])[] {
  if (Symbol.iterator in expected) return [...(expected as Iterable<readonly [unknown, unknown]>)];
  return Object.entries(expected);
}

function sorted(pairs: readonly (readonly [unknown, unknown])[]): (readonly [unknown, unknown])[] {
  const ranked = pairs.map((pair) => ({ pair, rank: JSON.stringify(pair[0]) ?? String(pair[0]) }));
  return ranked.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)).map(({ pair }) => pair);
}

function topicOf(output: unknown, matcher: string): TestOutputTopic<unknown, unknown> {
  if (output instanceof TestOutputTopic) return output as TestOutputTopic<unknown, unknown>;
  throw notFor(matcher, 'an output topic: `driver.outputTopic(name, …)`');
}

function notFor(matcher: string, wanted: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `The matcher ${matcher} was given something else than ${wanted}.`,
    remedy: 'Give it the object itself, not what it reads.',
  });
}

function isTuple<K, V>(
  record: ExpectedRecord<K, V>,
): record is Extract<ExpectedRecord<K, V>, readonly unknown[]> {
  return Array.isArray(record);
}
