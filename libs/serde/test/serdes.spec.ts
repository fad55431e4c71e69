import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  SchemaPending,
  SerdeError,
  Serdes,
  bytesFromBinary,
  compileCodec,
  createSerde,
  createTextSerde,
} from '#libs/serde';
import type { Serde } from '#libs/serde';

const text = fc.string({ unit: 'binary', maxLength: 40 }).map((each) => each.toWellFormed());

/** Both forms of a serde give the same bytes and take them back, and text serdes also as text. */
function expectRoundTrip<T>(serde: Serde<T>, value: T): Buffer {
  const codec = compileCodec(serde);
  const bytes = Buffer.from(serde.serialize(value));
  const binary = codec.toBinary(value);
  expect(bytesFromBinary(binary).equals(bytes)).toBe(true);
  expect(serde.deserialize(bytes)).toEqual(value);
  expect(codec.fromBinary(binary, false)).toEqual(value);
  expect(codec.isText).toBe(serde.text !== undefined);
  if (serde.text !== undefined) {
    expect(Buffer.from(serde.text.encode(value)).equals(bytes)).toBe(true);
    expect(serde.text.decode(bytes.toString())).toEqual(value);
    expect(codec.fromText!(codec.toText!(value))).toEqual(value);
  }
  if (codec.decodeRange !== undefined) {
    const batch = Buffer.concat([Buffer.from('é'), bytes, Buffer.from('"}')]);
    expect(codec.decodeRange(batch.toString('latin1'), 2, 2 + bytes.length, batch)).toEqual(value);
  }
  return bytes;
}

describe('Serdes', () => {
  it('round-trip their values', () => {
    fc.assert(fc.property(text, (value) => void expectRoundTrip(Serdes.string(), value)));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        (value) => void expectRoundTrip(Serdes.bytes(), Buffer.from(value)),
      ),
    );
    fc.assert(fc.property(fc.integer(), (value) => void expectRoundTrip(Serdes.int32(), value)));
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (value) => void expectRoundTrip(Serdes.int64(), value),
      ),
    );
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => void expectRoundTrip(Serdes.safeInteger(), value)));
    fc.assert(fc.property(fc.double(), (value) => void expectRoundTrip(Serdes.float64(), value)));
    fc.assert(fc.property(fc.boolean(), (value) => void expectRoundTrip(Serdes.boolean(), value)));
    const json = fc
      .json({ stringUnit: 'binary' })
      .filter((each) => !each.includes('__proto__'))
      .map((each) => JSON.parse(each) as unknown);
    fc.assert(fc.property(json, (value) => void expectRoundTrip(Serdes.json(), value)));
  });

  it("write what Java's serializers write", () => {
    expect(expectRoundTrip(Serdes.string(), 'žluť').toString('hex')).toBe('c5be6c75c5a5');
    expect(expectRoundTrip(Serdes.int32(), -2).toString('hex')).toBe('fffffffe');
    expect(expectRoundTrip(Serdes.int64(), -2n).toString('hex')).toBe('fffffffffffffffe');
    expect(expectRoundTrip(Serdes.safeInteger(), 2 ** 40 + 1).toString('hex')).toBe('0000010000000001');
    expect(expectRoundTrip(Serdes.safeInteger(), -1).toString('hex')).toBe('ffffffffffffffff');
    expect(expectRoundTrip(Serdes.float64(), -1.5).toString('hex')).toBe('bff8000000000000');
    expect(expectRoundTrip(Serdes.boolean(), true).toString('hex')).toBe('01');
  });

  it('refuse bytes that are not theirs, with the serde and no payload', () => {
    const cases: [Serde<unknown>, string, RegExp][] = [
      [Serdes.int32(), 'abc', /`int32`.*3 bytes, not 4/],
      [Serdes.int64(), 'secret-secret', /`int64`/],
      [Serdes.safeInteger(), '\u007f'.repeat(8), /beyond 2\^53/],
      [Serdes.float64(), '', /`float64`/],
      [Serdes.boolean(), '\u0002', /neither 0 nor 1/],
      [Serdes.string(), 'secret-secret \u00ff', /not valid UTF-8 at position 14/],
      [Serdes.json(), '{"secret-secret', /not valid JSON/],
    ];
    for (const [serde, payload, message] of cases) {
      const attempt = (): unknown => compileCodec(serde).fromBinary(payload as never, false);
      expect(attempt).toThrow(SerdeError);
      expect(attempt).toThrow(message);
      expect(attempt).not.toThrow(/secret-/);
      expect(attempt).toThrow(
        expect.objectContaining({ code: 'MILLRACE_DESERIALIZATION_FAILED', serde: serde.name }),
      );
    }
  });

  it('refuse values that are not theirs', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const cases: [Serde<unknown>, unknown][] = [
      [Serdes.int32(), 1.5],
      [Serdes.int32(), 2 ** 31],
      [Serdes.int64(), 5],
      [Serdes.int64(), 2n ** 63n],
      [Serdes.safeInteger(), 2 ** 53],
      [Serdes.float64(), '1'],
      [Serdes.boolean(), 1],
      [Serdes.string(), 1],
      [Serdes.bytes(), 'text'],
      [Serdes.json(), undefined],
      [Serdes.json(), () => 1],
      [Serdes.json(), 1n],
      [Serdes.json(), cyclic],
    ];
    for (const [serde, value] of cases) {
      const refusal = expect.objectContaining({ code: 'MILLRACE_SERIALIZATION_FAILED', serde: serde.name });
      expect(() => compileCodec(serde).toBinary(value)).toThrow(refusal);
      expect(() => serde.serialize(value)).toThrow(refusal);
    }
  });
});

describe('compileCodec', () => {
  const date = createSerde<Date>({
    name: 'date',
    serialize: (value) => Buffer.from(String(value.getTime())),
    deserialize: (bytes) => {
      const time = Number(Buffer.from(bytes).toString());
      if (Number.isNaN(time)) throw new TypeError('no date');
      return new Date(time);
    },
  });
  const list = createTextSerde<string[]>({
    name: 'list',
    encode: (value) => value.join(),
    decode: (each) => each.split(','),
  });

  it('compiles serdes of users, over bytes and over text', () => {
    expectRoundTrip(date, new Date(1_000_000));
    expectRoundTrip(list, ['a', 'é']);
  });

  it('gives the same codec for the same serde', () => {
    expect(compileCodec(date)).toBe(compileCodec(date));
    const json = Serdes.json();
    expect(compileCodec(json)).toBe(compileCodec(json));
    expect(compileCodec(Serdes.json())).not.toBe(compileCodec(json));
  });

  it("turns what a user's serde throws into a SerdeError", () => {
    expect(() => compileCodec(date).fromBinary('soon' as never, true)).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_DESERIALIZATION_FAILED',
        message: expect.stringContaining('it threw TypeError'),
        cause: expect.any(TypeError),
      }),
    );
    expect(() => compileCodec(list).toBinary(5 as never)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_SERIALIZATION_FAILED', serde: 'list' }),
    );
    const bad = createSerde<number>({ name: 'bad', serialize: () => 'text' as never, deserialize: () => 1 });
    expect(() => compileCodec(bad).toBinary(1)).toThrow(/no Uint8Array/);
  });

  it('lets a pending look-up through untouched', () => {
    const pending = new SchemaPending('schema 7', Promise.resolve());
    const waiting = createSerde<number>({
      name: 'waiting',
      serialize: () => {
        throw pending;
      },
      deserialize: () => {
        throw pending;
      },
    });
    expect(() => compileCodec(waiting).toBinary(1)).toThrow(pending);
    expect(() => compileCodec(waiting).fromBinary('' as never, true)).toThrow(pending);
  });
});
