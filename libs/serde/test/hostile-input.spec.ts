// Specifies that bytes from outside cost no more than their length, reach no prototype, and fail as what they are: for each serde that reads
// what others wrote, whatever is in it.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SerdeError, Serdes } from '#libs/serde';
import { loadAvsc } from '../src/avro.ts';
import { ITEMS_WITHOUT_BYTES_MAX } from '../src/avro-guards.ts';
import { JSON_DEPTH_MAX } from '../src/json/json-text.ts';
import { avroFormat } from '../src/registry/avro-format.ts';
import { jsonFormat } from '../src/registry/json-format.ts';
import { protobufFormat } from '../src/registry/protobuf-format.ts';
import type { PayloadReader } from '../src/registry/format.ts';

/** The decoded value, or why there is none. Throws what no SerdeError is. */
function outcome(decode: () => unknown): { readonly value?: unknown; readonly refused?: string } {
  try {
    return { value: decode() };
  } catch (error) {
    if (!(error instanceof SerdeError)) throw error;
    return { refused: error.message };
  }
}

/** Nothing that was decoded may show anywhere but in itself. */
function expectCleanPrototypes(value?: unknown): void {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(Object.keys(Array.prototype)).toEqual([]);
  const open = [value];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null || node instanceof Uint8Array) continue;
    const prototype: object | null = Object.getPrototypeOf(node) as object | null;
    // avsc's records have methods on theirs.
    const isForeign =
      prototype !== null && Object.values(prototype).some((inner) => typeof inner !== 'function');
    expect(isForeign).toBe(false);
    for (const child of Object.values(node)) open.push(child);
  }
}

/** As a user's code merges what it got into what it has: level by level. */
function merge(target: Record<string, unknown>, source: Record<string, unknown>): Record<string, unknown> {
  for (const key of Object.keys(source)) {
    const [from, to] = [source[key], target[key]];
    const isNode = (node: unknown): node is Record<string, unknown> =>
      (typeof node === 'object' || typeof node === 'function') && node !== null;
    if (isNode(from) && isNode(to)) merge(to, from);
    else target[key] = from;
  }
  return target;
}

/** A zigzag varint. */
function long(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? BigInt(-value) * 2n - 1n : BigInt(value) * 2n;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}
const text = (value: string): number[] => [...long(Buffer.byteLength(value)), ...Buffer.from(value)];

describe('JSON', () => {
  const KEYS = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'prototype', 'toString', 'toJSON', '0');
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, 1, 'x'),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.array(fc.tuple(KEYS, tie('json')), { maxLength: 4 }).map((pairs) => new Pairs(pairs)),
    ),
  }));

  /** An object as text may have it: the same key twice, and any key. */
  class Pairs {
    readonly pairs: readonly (readonly [string, unknown])[];
    constructor(pairs: readonly (readonly [string, unknown])[]) {
      this.pairs = pairs;
    }
  }
  function textOf(value: unknown, escaped: boolean): string {
    if (Array.isArray(value)) return `[${value.map((item) => textOf(item, escaped)).join(',')}]`;
    if (!(value instanceof Pairs)) return JSON.stringify(value);
    const key = (name: string): string =>
      escaped ? `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"` : `"${name}"`;
    return `{${value.pairs.map(([name, inner]) => `${key(name)}:${textOf(inner, escaped)}`).join(',')}}`;
  }

  it('reaches no prototype whatever its keys, first seen or of a shape that was learnt, nor does a merge of it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(json, fc.boolean()), { minLength: 1, maxLength: 4 }), (values) => {
        const serde = Serdes.json<unknown>();
        for (let round = 0; round < 4; round++) {
          for (const [value, escaped] of values) {
            const decoded = outcome(() => serde.deserialize(Buffer.from(textOf(value, escaped))));
            expectCleanPrototypes(decoded.value);
            if (typeof decoded.value === 'object' && decoded.value !== null)
              merge({}, decoded.value as Record<string, unknown>);
            expectCleanPrototypes();
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses the keys that reach a prototype, and no others', () => {
    const decode = (record: string): ReturnType<typeof outcome> =>
      outcome(() => Serdes.json<unknown>().deserialize(Buffer.from(record)));
    expect(decode('{"a":{"__proto__":{"admin":1}}}').refused).toContain('the key __proto__');
    expect(decode('[{"constructor":{"prototype":{"admin":1}}}]').refused).toContain('constructor');
    expect(decode('[{"\\u0063onstructor":{"prototype":1}}]').refused).toContain('constructor');
    for (const harmless of ['{"constructor":"Ferrari"}', '{"constructor":{"id":1}}', '{"prototype":{"a":1}}'])
      expect(decode(harmless).value).toEqual(JSON.parse(harmless));
  });

  it('refuses what is nested too deeply, wherever it is nested, and takes what is just within the limit', () => {
    const serde = Serdes.json<unknown>();
    const decode = (record: string): ReturnType<typeof outcome> =>
      outcome(() => serde.deserialize(Buffer.from(record)));
    for (let round = 0; round < 4; round++) {
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        const nested = (depth: number): string => `${open.repeat(depth)}1${close.repeat(depth)}`;
        expect(decode(nested(JSON_DEPTH_MAX)).value).toBeDefined();
        expect(decode(nested(JSON_DEPTH_MAX + 1)).refused).toContain('levels deep');
        expect(decode(nested(1_000_000)).refused).toContain('levels deep');
        expect(decode(`{"id":1,"in":${nested(JSON_DEPTH_MAX - 1)}}`).value).toBeDefined();
        expect(decode(`{"id":1,"in":${nested(JSON_DEPTH_MAX)}}`).refused).toContain('levels deep');
      }
      // Brackets in strings nest nothing, nor do many things side by side.
      expect(decode(JSON.stringify(['[{"\\'.repeat(5_000)])).value).toBeDefined();
      expect(decode(JSON.stringify(Array.from({ length: 5_000 }, () => [{}])))).toHaveProperty('value');
    }
  });

  it('writes nothing that it would not read again', () => {
    const serde = Serdes.json<unknown>();
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    for (let round = 0; round < 4; round++) {
      expect(serde.deserialize(serde.serialize({ a: nested(JSON_DEPTH_MAX - 1) }))).toBeDefined();
      expect(outcome(() => serde.serialize({ a: nested(JSON_DEPTH_MAX) })).refused).toContain('levels deep');
    }
  });
});

describe('Avro', () => {
  const NODE = {
    type: 'record',
    name: 'Node',
    fields: [
      { name: 'name', type: 'string' },
      { name: 'data', type: { type: 'map', values: { type: 'map', values: 'string' } } },
      { name: 'parts', type: { type: 'array', items: ['null', 'Node', 'bytes', 'long'] } },
      { name: 'empty', type: { type: 'array', items: 'null' } },
      { name: 'tags', type: { type: 'array', items: 'double' } },
    ],
  } as const;
  const OLDER = { ...NODE, fields: [NODE.fields[0]] } as const;

  /** The reader of what was written with another schema: the other fields are skipped. */
  function skipping(): PayloadReader {
    const written = {
      kind: 'AVRO' as const,
      text: JSON.stringify(NODE),
      references: [],
      referenced: [],
    };
    return avroFormat('avro', { schema: OLDER }).reader(written) as PayloadReader;
  }

  const decoders: readonly [string, (bytes: Buffer) => unknown][] = [
    ['itself', (bytes) => Serdes.avro(NODE).deserialize(bytes)],
    ['a reader of other fields', (bytes) => skipping().decode(bytes, 0, bytes.length)],
    ['in a batch', inBatch],
  ];

  /** Behind it lies what would keep hostile counts fed. */
  function inBatch(bytes: Buffer): unknown {
    const reader = avroFormat('avro', { schema: NODE }).reader({
      kind: 'AVRO',
      text: JSON.stringify(NODE),
      references: [],
      referenced: [],
    }) as PayloadReader;
    const batch = Buffer.alloc(bytes.length + 1_000_000, 2);
    bytes.copy(batch, 100);
    return reader.decode(batch, 100, 100 + bytes.length);
  }

  it.each(decoders)('refuses counts and lengths beyond its bytes, and ends: %s', (_name, decode) => {
    const head = text('n');
    const many = 2 ** 31;
    const hostile: Record<string, number[]> = {
      'an array of 2^31': [...head, 0, ...long(many)],
      'an array of -2^31 in a block of no bytes': [...head, 0, ...long(-many), ...long(0)],
      'a block that leads back': [...head, 0, ...long(-1), ...long(-3)],
      'a map of 2^31': [...head, ...long(many)],
      'nothing 2^31 times': [...head, 0, 0, ...long(many), 0, 0],
      'a string of 2^31': [...long(many), 65],
      'a string of -1': [...long(-1), 65],
      'doubles 2^31 times': [...head, 0, 0, 0, ...long(many)],
      'itself without end': Array.from({ length: 200_000 }, () => 2),
      'a map in a map with __proto__': [
        ...head,
        2,
        ...text('__proto__'),
        2,
        ...text('admin'),
        ...text('yes'),
        0,
        0,
        0,
        0,
        0,
      ],
    };
    for (const [what, bytes] of Object.entries(hostile)) {
      const { value, refused } = outcome(() => decode(Buffer.from(bytes)));
      // Who skips a map makes nothing of its keys.
      if (value !== undefined) expect(value).toEqual({ name: 'n' });
      else expect([what, refused]).toEqual([what, expect.stringContaining('cannot decode a record')]);
      expectCleanPrototypes(value);
    }
  });

  it('reads any bytes within a bound, or refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(decoders.length - 1), (bytes, index) => {
        const { value } = outcome(() => decoders[index]![1](Buffer.from(bytes)));
        expectCleanPrototypes(value);
        expect(JSON.stringify(value ?? null).length).toBeLessThan(50 * ITEMS_WITHOUT_BYTES_MAX * 200);
      }),
      { numRuns: 500 },
    );
  });

  it('reads what was sound before: blocks with their sizes, several of them, and a few items without bytes', () => {
    const sound = [
      ...text('n'),
      ...[...long(-1), ...long(3), ...text('k'), 0, ...long(1), ...text('l'), 0, 0],
      0,
      ...[...long(3), ...long(2), 0],
      0,
    ];
    const [itself, other] = decoders.map(([, decode]) => outcome(() => decode(Buffer.from(sound))).value);
    expect(itself).toMatchObject({ data: { k: {}, l: {} }, empty: [null, null, null, null, null] });
    expect(other).toEqual({ name: 'n' });
  });

  it('keeps logical types of arrays and maps', () => {
    const { types } = loadAvsc();
    class Joined extends types.LogicalType {
      protected override _fromValue(value: unknown): string {
        return (value as string[]).join('-');
      }
      protected override _toValue(value: unknown): string[] {
        return String(value).split('-');
      }
    }
    const joined = { type: 'array', items: 'string', logicalType: 'joined' };
    // The same object twice, and once more within itself.
    const schema = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: joined },
        { name: 'b', type: joined },
        { name: 'c', type: { type: 'map', values: joined } },
      ],
    };
    const serde = Serdes.avro<unknown>(schema, { logicalTypes: { joined: Joined } });
    const value = { a: 'x-y', b: 'z', c: { k: 'p-q' } };
    expect(serde.deserialize(serde.serialize(value))).toEqual(value);
    const hostile = Buffer.from([...long(2 ** 31), 0]);
    expect(outcome(() => serde.deserialize(hostile)).refused).toContain('its bytes end before the array');
  });

  it('takes no schema with a field __proto__', () => {
    const schema = { type: 'record', name: 'R', fields: [{ name: '__proto__', type: 'string' }] };
    expect(() => Serdes.avro(schema)).toThrow('__proto__');
    const reader = avroFormat('avro', {}).reader({
      kind: 'AVRO',
      text: JSON.stringify(schema),
      references: [],
      referenced: [],
    });
    expect(reader).toMatchObject({ refusal: expect.stringContaining('__proto__') });
  });
});

describe('Protobuf and JSON Schema', () => {
  const PROTO = `syntax = "proto3";
    message In { string admin = 1; }
    message M { map<string, In> m = 1; repeated int32 r = 2; M next = 3; bytes b = 4; }`;
  const written = { kind: 'PROTOBUF' as const, text: PROTO, references: [], referenced: [] };
  const reader = (): PayloadReader =>
    protobufFormat('proto', { schema: PROTO, message: 'M' }).reader(written) as PayloadReader;
  /** The place of M in its file. */
  const PLACE = [2, 2];
  const decode = (bytes: readonly number[]): ReturnType<typeof outcome> =>
    outcome(() => reader().decode(Buffer.from([...PLACE, ...bytes]), 0, PLACE.length + bytes.length));

  it('refuse the key __proto__ in a map', () => {
    const inner = [0x0a, 3, ...Buffer.from('yes')];
    const entry = [0x0a, 9, ...Buffer.from('__proto__'), 0x12, inner.length, ...inner];
    expect(decode([0x0a, entry.length, ...entry]).refused).toContain('cannot decode');
    const harmless = [0x0a, 9, ...Buffer.from('_-proto-_'), 0x12, inner.length, ...inner];
    expect(decode([0x0a, harmless.length, ...harmless]).value).toMatchObject({
      m: { '_-proto-_': { admin: 'yes' } },
    });
  });

  it('read any bytes, or refuse them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 100 }), (bytes) => {
        expectCleanPrototypes(decode(bytes).value);
      }),
      { numRuns: 500 },
    );
    // Lengths of gigabytes, and messages in messages.
    expect(decode([0x12, 0xff, 0xff, 0xff, 0xff, 0x07]).refused).toBeDefined();
    expect(decode([0x22, 0xff, 0xff, 0xff, 0xff, 0x0f]).refused).toBeDefined();
    let deep: Buffer = Buffer.alloc(0);
    for (let level = 0; level < 20_000; level++) {
      const size: number[] = [];
      let rest = deep.length;
      for (; rest > 127; rest >>= 7) size.push((rest & 127) | 128);
      deep = Buffer.concat([Buffer.from([0x1a, ...size, rest]), deep]);
    }
    expect(decode([...deep]).refused).toBeDefined();
  });

  it('of JSON Schema refuse what JSON refuses', () => {
    const schema = { type: 'object' };
    const json = jsonFormat('json-schema', { schema }).reader({
      kind: 'JSON',
      text: JSON.stringify(schema),
      references: [],
      referenced: [],
    }) as PayloadReader;
    for (const hostile of [
      '{"a":{"__proto__":{}}}',
      '{"constructor":{"prototype":{}}}',
      `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ]) {
      const bytes = Buffer.from(hostile);
      expect(outcome(() => json.decode(bytes, 0, bytes.length)).refused).toBeDefined();
    }
  });
});
