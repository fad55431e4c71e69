// Owns Avro's `long` as a number, exact wherever a number can be: avsc's own doubles it in floating point, and from 2^52 on a negative odd one
// comes back as a positive one, without an error.
import type * as Avsc from 'avsc';
import type { Type } from 'avsc';

interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  writeLong(value: number): void;
}

/** Doubled, it is still an integer that floating point holds. */
const EASY_MAX = 2 ** 51;
const TWO_32 = 2 ** 32;

export function exactLong({ types }: typeof Avsc): Type {
  const Base = types.LongType as unknown as new () => Type;
  class ExactLong extends Base {
    // Resolvers take the method off its object, so it keeps to the tap.
    _read(tap: Tap): number {
      const { pos } = tap;
      const easy = tap.readLong();
      if (easy < EASY_MAX && easy > -EASY_MAX) return easy;
      tap.pos = pos;
      return readWide(tap);
    }

    _write(tap: Tap, value: unknown): void {
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError('no long');
      if (value < EASY_MAX && value > -EASY_MAX) tap.writeLong(value);
      else writeWide(tap, value);
    }

    _check(value: unknown, _flags: unknown, hook?: (value: unknown, type: Type) => void): boolean {
      if (Number.isSafeInteger(value)) return true;
      hook?.(value, this);
      return false;
    }
  }
  return new ExactLong();
}

/** A zigzag varint in two halves of 32 bits. @throws RangeError beyond what a number holds exactly. */
function readWide(tap: Tap): number {
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = tap.buf[tap.pos++] ?? 0;
    const bits = byte & 127;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte < 128) break;
  }
  const magnitude = (high >>> 1) * TWO_32 + (((low >>> 1) | (high << 31)) >>> 0);
  const value = (low & 1) === 1 ? -magnitude - 1 : magnitude;
  if (!Number.isSafeInteger(value)) throw new RangeError('a long is beyond 2^53 - 1');
  return value;
}

function writeWide(tap: Tap, value: number): void {
  const magnitude = value < 0 ? -value - 1 : value;
  const high = Math.floor(magnitude / TWO_32);
  const low = magnitude >>> 0;
  let lowBits = ((low << 1) | (value < 0 ? 1 : 0)) >>> 0;
  let highBits = ((high << 1) | (low >>> 31)) >>> 0;
  while (highBits !== 0 || lowBits > 127) {
    tap.buf[tap.pos++] = (lowBits & 127) | 128;
    lowBits = ((lowBits >>> 7) | (highBits << 25)) >>> 0;
    highBits >>>= 7;
  }
  tap.buf[tap.pos++] = lowBits;
}
