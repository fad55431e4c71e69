import { describe, expect, it } from '@jest/globals';
import type { BinaryString } from '#libs/core';
import {
  compileCodec,
  Serdes,
  TimeWindow,
  WindowedKey,
  WindowedSerdes,
  windowSuffixBytes,
} from '#libs/serde';

const text = Serdes.string();
const minute = WindowedSerdes.timeWindowed(text, 60_000);
const session = WindowedSerdes.sessionWindowed(text);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('a time-windowed key', () => {
  it('is the key and the start of its window, as Kafka Streams writes it', () => {
    const bytes = minute.serialize({ key: 'ab', window: { start: 0x0102030405, end: 0 } });
    expect(hex(bytes)).toBe('61620000000102030405');
    expect(minute.deserialize(bytes)).toEqual({
      key: 'ab',
      window: { start: 0x0102030405, end: 0x0102030405 + 60_000 },
    });
  });

  it('keeps starts before 1970 and after 2106', () => {
    for (const start of [-1, -(2 ** 32), -(2 ** 40) - 7, 2 ** 31, 2 ** 32 - 1, 2 ** 45 + 3]) {
      const bytes = minute.serialize({ key: '', window: { start, end: start + 60_000 } });
      expect(Buffer.from(bytes).readBigInt64BE()).toBe(BigInt(start));
      expect(minute.deserialize(bytes).window.start).toBe(start);
    }
  });

  it('of an unlimited window has no end', () => {
    const unlimited = WindowedSerdes.timeWindowed(text, Infinity);
    const bytes = unlimited.serialize({ key: 'a', window: { start: 5, end: Infinity } });
    expect(unlimited.deserialize(bytes)).toEqual({ key: 'a', window: { start: 5, end: Infinity } });
  });

  it('is refused when bytes or window are none', () => {
    expect(() => minute.deserialize(Buffer.from('1234567'))).toThrow('MILLRACE_DESERIALIZATION_FAILED');
    expect(() => minute.deserialize(Buffer.from('7fffffffffffffff', 'hex'))).toThrow('2^53');
    expect(() => minute.serialize('a' as never)).toThrow('MILLRACE_SERIALIZATION_FAILED');
    expect(() => minute.serialize({ key: 'a', window: { start: 0.5, end: 1 } })).toThrow(
      'whole milliseconds',
    );
  });

  it('has a serde whose name tells the serde of the key and the size', () => {
    expect(minute.name).toBe('timeWindowed(string,60000)');
    expect(session.name).toBe('sessionWindowed(string)');
    expect([minute, session, text].map(windowSuffixBytes)).toEqual([8, 16, 0]);
  });
});

describe('a session-windowed key', () => {
  it('is the key, the end and the start of its session, as Kafka Streams writes it', () => {
    const bytes = session.serialize({ key: 'ab', window: { start: 1, end: 0x0102 } });
    expect(hex(bytes)).toBe('616200000000000001020000000000000001');
    expect(session.deserialize(bytes)).toEqual({ key: 'ab', window: { start: 1, end: 0x0102 } });
  });
});

describe('a windowed key that remembers the bytes of its key', () => {
  const known = new WindowedKey('a', new TimeWindow(0, 60_000), 'other' as BinaryString, 'string');

  it('is not encoded again by the serde that made them', () => {
    expect(compileCodec(minute).toBinary(known)).toBe('other\0\0\0\0\0\0\0\0');
  });

  it('is encoded anew by another serde', () => {
    const asJson = WindowedSerdes.timeWindowed(Serdes.json<string>(), 60_000);
    expect(compileCodec(asJson).toBinary(known)).toBe('"a"\0\0\0\0\0\0\0\0');
  });

  it('shows its key and window and nothing else', () => {
    expect(known).toEqual({ key: 'a', window: { start: 0, end: 60_000 } });
    expect(JSON.stringify(known)).toBe('{"key":"a","window":{"start":0,"end":60000}}');
  });
});
