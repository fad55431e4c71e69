// Properties of the serdes of a registry, over drawn schemas and values.
import { describe, expect, it } from '@jest/globals';
import avsc from 'avsc';
import fc from 'fast-check';
import { SchemaPending, SchemaRegistryClient, SerdeError, Serdes, compileCodec } from '#libs/serde';
import type { AvroSchema, Serde } from '#libs/serde';

interface Drawn {
  readonly type: AvroSchema;
  readonly value: fc.Arbitrary<unknown>;
  readonly fallback: unknown;
}

const KINDS: readonly Drawn[] = [
  { type: 'int', value: fc.integer(), fallback: 7 },
  // Beyond, avsc alone is wrong.
  { type: 'long', value: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), fallback: -1 },
  { type: 'string', value: fc.string({ unit: 'binary' }), fallback: 'x' },
  { type: 'double', value: fc.double({ noNaN: true }), fallback: 0.5 },
  { type: 'boolean', value: fc.boolean(), fallback: true },
  { type: 'bytes', value: fc.uint8Array().map((bytes) => Buffer.from(bytes)), fallback: '' },
  { type: { type: 'array', items: 'string' }, value: fc.array(fc.string()), fallback: ['a'] },
  {
    type: { type: 'map', values: 'int' },
    value: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.integer(), { noNullPrototype: true }),
    fallback: { k: 1 },
  },
  { type: ['null', 'string'], value: fc.option(fc.string()), fallback: null },
];

const drawnFields = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom(...KINDS)), {
  selector: ([number]) => number,
  maxLength: 8,
});

type Fields = readonly (readonly [number, Drawn])[];

const schemaOf = (fields: Fields, withDefaults = false): AvroSchema => ({
  type: 'record',
  name: 'Drawn',
  fields: fields.map(([number, { type, fallback }]) => ({
    name: `f${number}`,
    type,
    ...(withDefaults ? { default: fallback } : {}),
  })),
});

const valueOf = (fields: Fields): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(fields.map(([number, { value }]) => [`f${number}`, value])), {
    noNullPrototype: true,
  });

let hosts = 0;
const use = { topic: 't', part: 'value', reads: true, writes: true, kind: 'external' } as const;

async function prepared(host: string, schema: AvroSchema): Promise<Serde<Record<string, unknown>>> {
  const serde = new SchemaRegistryClient({ host }).avro<Record<string, unknown>>({ schema });
  await serde.prepare!([use]);
  return serde;
}

const plain = (value: unknown): unknown => ({ ...(value as object) });

describe('Avro by a registry', () => {
  it('writes what avsc writes behind the frame, and gives back what was written, on every way', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnFields.chain((fields) => fc.tuple(fc.constant(fields), valueOf(fields))),
        fc.integer({ min: 0, max: 9 }),
        async ([fields, value], at) => {
          const schema = schemaOf(fields);
          const serde = await prepared(`memory://property-${++hosts}`, schema);
          const bytes = Buffer.from(serde.serialize(value));
          const alone = avsc.Type.forSchema(schema as never).toBuffer(value);
          expect(bytes.equals(Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), alone]))).toBe(true);
          expect(plain(serde.deserialize(bytes))).toEqual(value);
          const codec = compileCodec(serde);
          const binary = codec.toBinary(value);
          expect(binary).toBe(bytes.toString('latin1'));
          expect(plain(codec.fromBinary(binary, false))).toEqual(value);
          // In the middle of a batch: what lies behind is not read.
          const batch = Buffer.alloc(at + bytes.length + 9, 0xff);
          expect(codec.writeTo!(value, batch, at)).toBe(at + bytes.length);
          const text = batch.toString('latin1');
          expect(plain(codec.decodeRange!(text, at, at + bytes.length, batch))).toEqual(value);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('holds every long that a number holds, as the specification has it', () => {
    const codec = compileCodec(Serdes.avro<number>('long'));
    const reference = (value: number): string => {
      let zigzag = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value);
      let bytes = '';
      for (; zigzag > 127n; zigzag >>= 7n) bytes += String.fromCharCode(Number(zigzag & 127n) | 128);
      return bytes + String.fromCharCode(Number(zigzag));
    };
    const holds = (value: number): void => {
      const binary = codec.toBinary(value);
      expect(binary).toBe(reference(value));
      expect(codec.fromBinary(binary, false)).toBe(value);
    };
    for (let power = 0; power <= 53; power++) {
      for (const delta of [-2, -1, 0, 1, 2]) {
        for (const value of [2 ** power + delta, -(2 ** power) + delta]) {
          if (Number.isSafeInteger(value)) holds(value);
          else expect(() => codec.toBinary(value)).toThrow(SerdeError);
        }
      }
    }
    fc.assert(fc.property(fc.maxSafeInteger(), holds));
    // 2^53, and the largest of all.
    for (const hex of ['8080808080808020', 'feffffffffffffffff01', 'ffffffffffffffffff01']) {
      const binary = Buffer.from(hex, 'hex').toString('latin1');
      expect(() => codec.fromBinary(binary as never, false)).toThrow(SerdeError);
    }
  });

  it('keeps the fields two versions share, and gives the others their defaults', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnFields.chain((fields) => fc.tuple(fc.constant(fields), valueOf(fields))),
        drawnFields,
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        async ([fields, value], added, kept) => {
          const numbers = new Set(fields.map(([number]) => number));
          const next = [
            ...fields.filter((_, i) => kept[i]),
            ...added.filter(([number]) => !numbers.has(number)),
          ];
          const host = `memory://property-${++hosts}`;
          const old = await prepared(host, schemaOf(fields, true));
          const now = await prepared(host, schemaOf(next, true));
          const read = plain(now.deserialize(old.serialize(value))) as Record<string, unknown>;
          const wanted: Record<string, unknown> = {};
          for (const [number, { fallback, type }] of next) {
            const name = `f${number}`;
            if (numbers.has(number)) wanted[name] = value[name];
            else wanted[name] = type === 'bytes' ? Buffer.alloc(0) : fallback;
          }
          expect(read).toEqual(wanted);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('makes of any bytes a value, a SerdeError or a look-up, and nothing else', async () => {
    const schema = schemaOf(KINDS.slice(0, 6).map((kind, i) => [i, kind] as const));
    const serde = await prepared(`memory://property-${++hosts}`, schema);
    const codec = compileCodec(serde);
    const proto = new SchemaRegistryClient({ host: `memory://property-${++hosts}` }).protobuf<object>({
      schema: 'syntax = "proto3"; message A { string s = 1; message B { repeated int64 n = 1; } B b = 2; }',
    });
    await proto.prepare!([use]);
    const protoCodec = compileCodec(proto);
    const tried = (decode: () => unknown): void => {
      try {
        decode();
      } catch (error) {
        expect(error instanceof SerdeError || error instanceof SchemaPending).toBe(true);
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, framed) => {
        const binary = (framed ? '\0\0\0\0\u0001' : '') + Buffer.from(bytes).toString('latin1');
        tried(() => codec.fromBinary(binary as never, false));
        tried(() => protoCodec.fromBinary(binary as never, false));
      }),
      { numRuns: 500 },
    );
  });
});
