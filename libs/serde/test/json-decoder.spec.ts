// The speculating decoder against JSON.parse, which it must never differ from.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonDecoder } from '../src/json/json-decoder.ts';
import { learnShape } from '../src/json/shape.ts';

const SUFFIXES = ['', '"', '}', ',"a":1}', '0', '\u0000', '"}]}', '\\', '9e9'];

/** A decoder that has seen `texts` often enough to speculate on their shapes. */
function trained(...texts: string[]): JsonDecoder {
  const decoder = new JsonDecoder();
  for (const text of [...texts, ...texts]) decode(decoder, text);
  return decoder;
}

/** Decodes `text` from the middle of a batch. */
function decode(decoder: JsonDecoder, text: string, suffix = ''): unknown {
  const bytes = Buffer.from(`}"1${text}${suffix}`);
  return decoder.decodeRange(bytes, bytes.toString('latin1'), 3, 3 + Buffer.byteLength(text));
}

function codeThrownBy(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

function expectLikeJsonParse(decoder: JsonDecoder, text: string): void {
  let expected: unknown;
  let valid = true;
  try {
    expected = JSON.parse(text);
  } catch {
    valid = false;
  }
  for (const suffix of SUFFIXES) {
    if (!valid) {
      expect(codeThrownBy(() => decode(decoder, text, suffix))).toBe('MILLRACE_DESERIALIZATION_FAILED');
    } else {
      const value = decode(decoder, text, suffix);
      // Equality does not see the order of keys, nor does text see -0.
      if (!isDeepStrictEqual(value, expected) || JSON.stringify(value) !== JSON.stringify(expected)) {
        expect(value).toStrictEqual(expected);
        throw new Error(`keys in another order: ${text}`);
      }
    }
  }
}

const json = fc.json({ maxDepth: 4, stringUnit: 'grapheme' }).filter((text) => !text.includes('__proto__'));

const scalar = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.float({ noDefaultInfinity: true, noNaN: true }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('x'.repeat(12), 'x'.repeat(13), 'x'.repeat(24), 'x'.repeat(25), 'x'.repeat(300)),
);
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc.array(fc.oneof(scalar, fc.array(scalar), fc.dictionary(fc.string(), scalar)), {
      maxLength: 3,
    }),
  },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'ключ', '7'), scalar, { maxKeys: 3 }) },
);

describe('JsonDecoder', () => {
  it('equals JSON.parse for any JSON', () => {
    fc.assert(
      fc.property(fc.array(json, { minLength: 1, maxLength: 5 }), (texts) => {
        const decoder = trained(...texts);
        for (const text of texts) expectLikeJsonParse(decoder, text);
      }),
    );
  });

  it('equals JSON.parse for records of a known shape with other values', () => {
    const record = (v: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
      fc.record({ id: v, 'a key': v, nested: fc.record({ x: v, y: v }), last: v });
    fc.assert(
      fc.property(
        record(scalar),
        fc.array(record(value), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (first, rest, spaced) => {
          const text = (each: unknown): string => JSON.stringify(each, null, spaced ? 2 : 0);
          const decoder = trained(text(first));
          for (const each of rest) expectLikeJsonParse(decoder, text(each));
          expect(decoder.shapeCount).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('equals JSON.parse for text damaged at any place', () => {
    const text =
      '{"id":1,"account":"k12","amount":3.5,"open":true,"none":null,"in":{"a":-0.5e3,"b":[1,"x"]},"e":"\\n"}';
    const decoder = trained(text);
    expect(decoder.shapeCount).toBe(1);
    const bits = fc.constantFrom(
      '',
      '0',
      '1',
      '-',
      '.',
      'e',
      '"',
      '\\',
      ',',
      ':',
      '{',
      '}',
      '[',
      ']',
      ' ',
      '\n',
      '\u0000',
      'é',
      't',
      'null',
      '01',
      '"a":1,',
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length }),
        fc.integer({ min: 0, max: 3 }),
        bits,
        (at, removed, inserted) => {
          expectLikeJsonParse(decoder, text.slice(0, at) + inserted + text.slice(at + removed));
        },
      ),
      { numRuns: 2000 },
    );
    for (let cut = 0; cut < text.length; cut++) expectLikeJsonParse(decoder, text.slice(0, cut));
  });

  it.each([
    '0',
    '-0',
    '1',
    '-1',
    '01',
    '-01',
    '00',
    '1.0',
    '1.',
    '.5',
    '-.5',
    '-',
    '+1',
    '1e5',
    '1E+5',
    '1e-5',
    '1e',
    '1e+',
    '1.5e3',
    '-0.0',
    '0.1',
    '0.30000000000000004',
    '999999999999999',
    '9999999999999999',
    '9007199254740993',
    '123456789012345678901234567890',
    '1e400',
    '-1e400',
    '5e-324',
    '1e-400',
    '4.35',
    '0.000001',
    '123456.789012345',
    '1234567.890123456',
    'true',
    'false',
    'null',
    'tru',
    'nul',
    'falsy',
    'NaN',
    'Infinity',
    'undefined',
    '""',
    '"',
    '"a',
    '"\\u0041"',
    '"\\ud800"',
    '"\\x"',
    '"tab\there"',
    '"\u007f"',
    '"\u00e9"',
    '"\ufffd"',
    '[]',
    '{}',
    '[1,2',
    '[1}',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[ 1 , [2,[]] ,\n"x" ]',
    '[01]',
    '[1e5,-0,1.5,12345678901234567890]',
    '["é","\\n","\\u0041","\ufffd"]',
    '[true,false,null]',
    '[tru]',
    '[{"a":[1]},{}]',
    '["a]',
    '[[[[[[[[[[[[1]]]]]]]]]]]]',
    '[-]',
    '{"a"}',
    '',
    ' 1',
    '1 ',
  ])('reads the value %j as JSON.parse does, or refuses as it does', (literal) => {
    const decoder = trained('{"v":1,"w":"x"}');
    expectLikeJsonParse(decoder, `{"v":${literal},"w":${literal}}`);
    expectLikeJsonParse(decoder, literal);
  });

  it.each([
    '{"a":1,"a":2}',
    '{"1":1,"0":2}',
    '{"a":1,"0":2}',
    '{"\\u0061":1}',
    '{"é":1}',
    '{"constructor":1,"toString":"x"}',
    '{ "a" : 1 , "b" : 2 }',
    '{"a":1}\n',
    ' {"a":1}',
    '{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}',
    '{"":1}',
    '{"a b\'`${c}":1}',
    '{"a":[{"b":1},{"b":2}]}',
    '{"a":{}}',
  ])('reads %s as JSON.parse does, again and again', (text) => {
    const decoder = trained(text);
    expectLikeJsonParse(decoder, text);
  });

  it('refuses the key __proto__, however it is written and wherever it is', () => {
    const decoder = trained('{"a":1,"b":{"c":"x"}}');
    for (const text of [
      '{"__proto__":{"admin":true}}',
      '{"a":1,"b":{"__proto__":{"admin":true}}}',
      '{"a":[{"__proto__":1}],"b":{"c":"x"}}',
      '{"a":1,"b":{"c":{"\\u005f_proto__":1}}}',
      '[{"__proto__":1}]',
    ]) {
      expect(() => decode(decoder, text)).toThrow(/__proto__/);
      expect(() => decode(decoder, text)).toThrow(
        expect.objectContaining({ code: 'MILLRACE_DESERIALIZATION_FAILED' }),
      );
    }
    expect(decode(decoder, '{"a":"__proto__","b":{"c":"\\u005f_proto__"}}')).toEqual({
      a: '__proto__',
      b: { c: '__proto__' },
    });
  });

  it('refuses bytes that are not UTF-8, also inside a string of a known shape', () => {
    const decoder = trained('{"a":"text"}');
    const bytes = Buffer.from('{"a":"t\xe9xt"}', 'latin1');
    expect(() => decoder.decodeRange(bytes, bytes.toString('latin1'), 0, bytes.length)).toThrow(
      /not valid UTF-8 at position 7/,
    );
  });

  it('never quotes the payload in an error', () => {
    const decoder = new JsonDecoder();
    for (const text of [
      '{"password":s3cret-value}',
      '{"password":"s3cret-value"',
      '{"__proto__":"s3cret-value"}',
    ]) {
      let error: Error | undefined;
      try {
        decode(decoder, text);
      } catch (thrown) {
        error = thrown as Error;
      }
      expect(error).toBeDefined();
      expect(`${error!.message} ${String(error!.cause)}`).not.toContain('s3cret');
    }
  });

  it('speculates on what it has seen twice, on few shapes, and gives up when that does not help', () => {
    const decoder = new JsonDecoder();
    decode(decoder, '{"a":1}');
    expect(decoder.shapeCount).toBe(0);
    decode(decoder, '{"a":2}');
    expect(decoder.shapeCount).toBe(1);
    for (let i = 0; i < 100; i++) for (let twice = 0; twice < 2; twice++) decode(decoder, `{"k${i}":1}`);
    expect(decoder.shapeCount).toBeLessThanOrEqual(8);
    for (let i = 0; i < 2000; i++) expect(decode(decoder, `{"other${i}":1}`)).toEqual({ [`other${i}`]: 1 });
    expect(decoder.shapeCount).toBe(0);
  });

  it('keeps working where code may not be generated', () => {
    const { Function: original } = globalThis;
    globalThis.Function = function refuse() {
      throw new EvalError('Code generation from strings disallowed for this context');
    } as unknown as FunctionConstructor;
    try {
      const decoder = trained('{"a":1}');
      expect(decoder.shapeCount).toBe(0);
      expect(decode(decoder, '{"a":2}')).toEqual({ a: 2 });
    } finally {
      globalThis.Function = original;
    }
  });
});

describe('learnShape', () => {
  it('keeps the exact text between values', () => {
    expect(learnShape(' {"a": 1,\n"b" :{"c":"x"} } ')).toEqual({
      fields: [
        { key: 'a', literal: ' {"a": ', child: undefined, isString: false },
        {
          key: 'b',
          literal: ',\n"b" :',
          isString: false,
          child: { fields: [{ key: 'c', literal: '{"c":', child: undefined, isString: true }], tail: '}' },
        },
      ],
      tail: ' } ',
    });
  });

  it('sees no shape in what is not a plain object with plain keys', () => {
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, i])));
    for (const text of [
      '1',
      '[]',
      '{}',
      '{"a":1,"a":1}',
      '{"__proto__":1}',
      '{"0":1}',
      '{"\\n":1}',
      '{"ü":1}',
      wide,
    ]) {
      expect(learnShape(text)).toBeUndefined();
    }
  });
});
