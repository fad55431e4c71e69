// Specifies how figures read on the dashboard.
import { describe, expect, it } from '@jest/globals';
import {
  bytes,
  count,
  dateTime,
  duration,
  grouped,
  percent,
  plural,
  rate,
  shortened,
} from '../../src/dashboard/client/format.ts';

describe('figures of the dashboard', () => {
  it.each([
    [null, '–'],
    [undefined, '–'],
    [Infinity, '–'],
    [0, '0'],
    [999, '999'],
    [9_999, '9,999'],
    [10_000, '10.0k'],
    [123_456, '123k'],
    [1_234_567, '1.23M'],
    [9.87e9, '9.87G'],
  ])('counts %p as %s', (value, text) => expect(count(value)).toBe(text));

  it('keeps every digit where that is asked for', () => {
    expect(grouped(1_234_567)).toBe('1,234,567');
    expect(grouped(null)).toBe('–');
  });

  it('shows slow rates with a fraction', () => {
    expect([rate(0), rate(0.4), rate(12), rate(1_500), rate(null)]).toEqual([
      '0/s',
      '0.4/s',
      '12/s',
      '1,500/s',
      '–',
    ]);
  });

  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_536, '1.50 KiB'],
    [10 * 1_048_576, '10.0 MiB'],
    [2 ** 50, '1024 TiB'],
    [null, '–'],
  ])('writes a size of %p as %s', (value, text) => expect(bytes(value)).toBe(text));

  it.each([
    [0, '0 ms'],
    [0.3, '0.3 ms'],
    [12, '12 ms'],
    [3_240, '3.2 s'],
    [59_960, '1 min'],
    [252_000, '4 min 12 s'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
    [null, '–'],
  ])('writes a time of %p ms as %s', (value, text) => expect(duration(value)).toBe(text));

  it('writes a moment in order of its parts, and one that is none as unknown', () => {
    expect(dateTime(new Date(2026, 2, 1, 4, 5, 6).getTime())).toBe('2026-03-01 04:05:06');
    expect([dateTime(null), dateTime(8.64e15 + 1)]).toEqual(['–', '–']);
  });

  it('counts things', () => {
    expect([plural(1, 'copy', 'copies'), plural(2, 'copy', 'copies'), plural(0, 'task')]).toEqual([
      '1 copy',
      '2 copies',
      '0 tasks',
    ]);
    expect(percent(0.126)).toBe('13 %');
  });

  it('shortens in the middle, and never cuts a character in two', () => {
    expect(shortened('KSTREAM-AGGREGATE-0000000012', 15)).toBe('KSTREAM-…000012');
    expect(shortened('short', 15)).toBe('short');
    expect(shortened('😀'.repeat(10), 5)).toBe('😀😀😀…😀');
  });
});
