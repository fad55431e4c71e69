import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SchemaRegistryClient, Serdes, avroLogicalTypes, avroTypeScript } from '#libs/serde';
import type { AvroSchema } from '#libs/serde';

const logicalTypes = avroLogicalTypes();
const roundTrip = (schema: AvroSchema, value: unknown): unknown => {
  const serde = Serdes.avro<unknown>(schema, { logicalTypes });
  return serde.deserialize(serde.serialize(value));
};
const decimal = (precision: number, scale: number, fixed?: number): AvroSchema => ({
  ...(fixed === undefined ? { type: 'bytes' } : { type: 'fixed', name: 'D', size: fixed }),
  logicalType: 'decimal',
  precision,
  scale,
});

describe('logical types', () => {
  it('make dates of timestamps', () => {
    const now = new Date(1_700_000_000_123);
    expect(roundTrip({ type: 'long', logicalType: 'timestamp-millis' }, now)).toEqual(now);
    const day = new Date('2024-02-29T00:00:00Z');
    expect(roundTrip({ type: 'int', logicalType: 'date' }, day)).toEqual(day);
    expect(() => roundTrip({ type: 'int', logicalType: 'date' }, now)).toThrow(/does not fit/);
    expect(() => roundTrip({ type: 'long', logicalType: 'timestamp-millis' }, 5)).toThrow(/does not fit/);
    expect(roundTrip(['null', { type: 'long', logicalType: 'timestamp-millis' }], now)).toEqual(now);
    expect(roundTrip(['null', { type: 'long', logicalType: 'timestamp-millis' }], null)).toBeNull();
  });

  it('check uuids', () => {
    const uuid = '123e4567-e89b-12d3-a456-426614174000';
    expect(roundTrip({ type: 'string', logicalType: 'uuid' }, uuid)).toBe(uuid);
    expect(() => roundTrip({ type: 'string', logicalType: 'uuid' }, 'nothing')).toThrow(/does not fit/);
  });

  it('write decimals as the specification says, and leave what is unsound alone', () => {
    const serde = Serdes.avro<string>(decimal(5, 2), { logicalTypes });
    // The length, zigzag, then two's complement, big-endian.
    for (const [text, hex] of [
      ['0.00', '0200'],
      ['1.27', '027f'],
      ['1.28', '040080'],
      ['-1.28', '0280'],
      ['-1.29', '04ff7f'],
    ] as const) {
      expect(Buffer.from(serde.serialize(text)).toString('hex')).toBe(hex);
      expect(serde.deserialize(Buffer.from(hex, 'hex'))).toBe(text);
    }
    for (const bad of ['1.234', '1000.00', '1e3', '', 'x', 1.5]) {
      expect(() => serde.serialize(bad as string)).toThrow(/does not fit/);
    }
    expect(serde.deserialize(serde.serialize('7'))).toBe('7.00');
    expect(roundTrip(decimal(2, 5), Buffer.from([1]))).toEqual(Buffer.from([1]));
  });

  it('give back every decimal, in bytes and in fixed', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n) + 1n, max: 10n ** 30n - 1n }),
        fc.integer({ min: 0, max: 12 }),
        fc.boolean(),
        (unscaled, scale, isFixed) => {
          const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
          const split = digits.length - scale;
          const text =
            (unscaled < 0n ? '-' : '') +
            (scale === 0 ? digits : `${digits.slice(0, split)}.${digits.slice(split)}`);
          expect(roundTrip(decimal(30, scale, isFixed ? 13 : undefined), text)).toBe(text);
        },
      ),
    );
  });

  it('are read from what was written without them, and from themselves', async () => {
    const host = 'memory://logical';
    const old = { type: 'record', name: 'At', fields: [{ name: 'at', type: 'long' }] };
    const now = {
      ...old,
      fields: [{ name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } }],
    };
    const [before, after] = [
      new SchemaRegistryClient({ host }).avro<{ at: unknown }>({ schema: old }),
      new SchemaRegistryClient({ host }).avro<{ at: unknown }>({ schema: now, logicalTypes }),
    ];
    const use = { topic: 't', part: 'value', reads: true, writes: true, kind: 'external' } as const;
    await before.prepare!([use]);
    await after.prepare!([use]);
    expect(after.deserialize(before.serialize({ at: 5 })).at).toEqual(new Date(5));
    expect(after.deserialize(after.serialize({ at: new Date(6) })).at).toEqual(new Date(6));
  });
});

describe('TypeScript types of Avro schemas', () => {
  const flight: AvroSchema = {
    type: 'record',
    name: 'Flight',
    namespace: 'millrace.test',
    doc: 'One flight,\n as flown.',
    fields: [
      { name: 'origin', type: 'string', doc: 'IATA code' },
      { name: 'delay', type: ['null', 'int'], default: null },
      { name: 'status', type: { type: 'enum', name: 'Status', symbols: ['LATE', 'ON_TIME'] } },
      { name: 'legs', type: { type: 'array', items: ['null', 'Flight'] } },
      { name: 'tags', type: { type: 'map', values: 'bytes' } },
      { name: 'code', type: ['int', 'long', 'null'] },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  };

  it('are what avsc reads, unions included', () => {
    const text = avroTypeScript(flight);
    expect(text.slice(0, text.indexOf('export const')))
      .toBe(`// Generated from an Avro schema. Do not edit: change the schema and generate it again.

/** One flight, as flown. */
export type Flight = {
  /** IATA code */
  origin: string;
  delay: null | number;
  status: Status;
  legs: (null | Flight)[];
  tags: Record<string, Buffer>;
  code: { "int": number } | { "long": number } | null;
  at: number;
};

export type Status = 'LATE' | 'ON_TIME';

`);
    expect(text).toContain('export const flightSchema = {');
    expect(avroTypeScript(flight, { logicalTypes: true })).toContain('  at: Date;');
  });

  it('tell records of one name in two namespaces apart', () => {
    const inner = (namespace: string): object => ({
      type: 'record',
      name: 'Item',
      namespace,
      fields: [{ name: 'n', type: 'int' }],
    });
    const text = avroTypeScript({
      type: 'record',
      name: 'Both',
      fields: [
        { name: 'a', type: inner('shop') },
        { name: 'b', type: inner('stock') },
        { name: 'c', type: 'stock.Item' },
      ],
    });
    expect(text).toContain('  a: Item;\n  b: StockItem;\n  c: StockItem;\n');
  });

  it('have a name where the schema has none', () => {
    expect(avroTypeScript({ type: 'map', values: 'long' }, { name: 'Counts' })).toContain(
      'export type Counts = Record<string, number>;',
    );
    expect(() => avroTypeScript({ type: 'record' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }),
    );
  });
});
