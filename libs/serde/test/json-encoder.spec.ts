// The speculating encoder against JSON.stringify, which it must never differ from.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonEncoder } from '../src/json/json-encoder.ts';
import { bytesFromBinary } from '#libs/serde';

/** An encoder that has seen `values` often enough to speculate on their keys. */
function trained(...values: unknown[]): JsonEncoder {
  const encoder = new JsonEncoder();
  for (const value of [...values, ...values]) encoder.encodeText(value);
  return encoder;
}

function expectLikeJsonStringify(encoder: JsonEncoder, value: unknown): void {
  const expected = JSON.stringify(value);
  expect(encoder.encodeText(value)).toBe(expected);
  expect(bytesFromBinary(encoder.encodeBinary(value)).toString()).toBe(expected);
  const buffer = Buffer.alloc(100_000, 0x7e);
  const end = encoder.writeTo(value, buffer, 5);
  if (end >= 0) {
    expect(buffer.toString('utf8', 5, end)).toBe(expected);
    expect(buffer.toString('latin1', 0, 5)).toBe('~~~~~');
  }
}

const scalar = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.float(),
  fc.integer().map((cents) => cents / 100),
  fc.maxSafeInteger().map((cents) => cents / 100),
  fc.integer().map((tenths) => tenths / 10),
  fc.integer().map((thousandths) => thousandths / 1000),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(
    0,
    -0,
    NaN,
    Infinity,
    1e21,
    1e-7,
    2 ** 31,
    2 ** 31 - 1,
    -(2 ** 31),
    999999999999999,
    1e15,
    0.005,
    0.015,
    1.005,
    4.35,
    0.1 + 0.2,
  ),
  fc.constantFrom(
    '\ud800',
    'a\udc00b',
    '"',
    '\\',
    '\n',
    '\u007f',
    '\u2028',
    'x'.repeat(14),
    'x'.repeat(15),
    `${'x'.repeat(20)}"`,
    `${'x'.repeat(20)}é`,
    'x'.repeat(5000),
  ),
);
const odd = fc.oneof(
  fc.constant(undefined),
  fc.constant(() => 1),
  fc.constant(Symbol('s')),
  fc.date({ noInvalidDate: true }),
  fc.array(scalar, { maxLength: 3 }),
  fc.array(fc.oneof(scalar, fc.array(scalar), fc.constant(undefined), fc.constant({ a: 1 })), {
    maxLength: 3,
  }),
  fc.constant(Object.assign([1, 2], { toJSON: () => 'own' })),
  // eslint-disable-next-line no-sparse-arrays -- a hole is what this case is about
  fc.constant([1, , 3]),
  fc.constant(Object.create(null)),
  fc.constant(new Number(5)),
  fc.constant({ toJSON: (key: string) => `called for ${key}` }),
  fc.dictionary(fc.constantFrom('x', 'y', 'z', '1'), scalar),
);
const value = fc.oneof({ weight: 5, arbitrary: scalar }, { weight: 1, arbitrary: odd });

describe('JsonEncoder', () => {
  it('equals JSON.stringify for any value of known keys', () => {
    const record = (v: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
      fc.record({ id: v, 'a key': v, nested: fc.record({ x: v, y: v }), last: v }, { noNullPrototype: true });
    fc.assert(
      fc.property(record(scalar), fc.array(record(value), { minLength: 1, maxLength: 5 }), (first, rest) => {
        const encoder = trained(first);
        expect(encoder.programCount).toBe(1);
        for (const each of rest) expectLikeJsonStringify(encoder, each);
      }),
    );
  });

  it('equals JSON.stringify for any JSON value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ stringUnit: 'binary' }), { minLength: 1, maxLength: 5 }),
        (values) => {
          const encoder = trained(...values);
          for (const each of values) expectLikeJsonStringify(encoder, each);
        },
      ),
    );
  });

  it('writes every number as JSON.stringify does', () => {
    const encoder = trained({ n: 1 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double(),
          fc.integer().map((n) => n / 100),
          fc.bigInt({ min: 0n, max: 2n ** 60n }).map((n) => Number(n) / 100),
        ),
        (n) => {
          const same =
            encoder.encodeText({ n }) === JSON.stringify({ n }) &&
            encoder.encodeText(n) === JSON.stringify(n);
          if (!same) throw new Error(`${n} became ${encoder.encodeText({ n })}`);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it.each<[string, () => unknown]>([
    ['another order of keys', () => ({ b: 'x', a: 1 })],
    ['a key more', () => ({ a: 1, b: 'x', c: 1 })],
    ['a key less', () => ({ a: 1 })],
    [
      'a class instance',
      () =>
        new (class Pair {
          a = 1;
          b = 'x';
        })(),
    ],
    [
      'an inherited property',
      () => Object.assign(Object.create({ inherited: 1 }) as object, { a: 1, b: 'x' }),
    ],
    ['no prototype', () => Object.assign(Object.create(null) as object, { a: 1, b: 'x' })],
    ['its own toJSON', () => Object.defineProperty({ a: 1, b: 'x' }, 'toJSON', { value: () => 'own' })],
    [
      'a getter',
      () => ({
        a: 1,
        get b() {
          return 'got';
        },
      }),
    ],
    ['a hidden property', () => Object.defineProperty({ a: 1, b: 'x' }, 'hidden', { value: 1 })],
    ['an array with the keys', () => Object.assign([], { a: 1, b: 'x' })],
    ['a boxed number with the keys', () => Object.assign(new Number(7), { a: 1, b: 'x' })],
    ['a proxy', () => new Proxy({ a: 1, b: 'x' }, {})],
  ])('equals JSON.stringify for %s', (_, make) => {
    const encoder = trained({ a: 1, b: 'x' });
    expect(encoder.programCount).toBe(1);
    expectLikeJsonStringify(encoder, make());
    expectLikeJsonStringify(trained(make()), make());
  });

  it('speculates: what has known keys is written in place', () => {
    const encoder = trained({ a: 1, b: 'x', c: { d: null, e: true } });
    const buffer = Buffer.alloc(8192);
    expect(encoder.writeTo({ a: -2.5, b: 'yy', c: { d: false, e: 'é' } }, buffer, 0)).toBe(44);
    expect(encoder.writeTo({ a: 1, b: 'yy' }, buffer, 0)).toBe(-1);
    expect(encoder.writeTo(-5, buffer, 3)).toBe(5);
    expect(encoder.writeTo('text', buffer, 0)).toBe(-1);
  });

  it('declines to write where there is too little room', () => {
    const encoder = trained({ a: 1, b: 'x' });
    for (const size of [0, 10, 3000, 3080]) {
      const buffer = Buffer.alloc(size);
      expect(encoder.writeTo({ a: 1, b: 'x'.repeat(3000) }, buffer, 0)).toBe(-1);
    }
  });

  it('gives up where values need JSON.stringify anyway', () => {
    const encoder = trained({ lines: ['a'] });
    expect(encoder.programCount).toBe(1);
    for (let i = 0; i < 300; i++) encoder.encodeText({ lines: ['a'] });
    expect(encoder.programCount).toBe(1);
    for (let i = 0; i < 600; i++) encoder.encodeText({ lines: [{ text: 'a' }] });
    expect(encoder.programCount).toBe(0);
    expectLikeJsonStringify(encoder, { lines: [{ text: 'a' }] });
  });
});
