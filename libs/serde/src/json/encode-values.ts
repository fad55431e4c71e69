// Owns writing single values as JSON.stringify would, into bytes. Each returns the position behind what it wrote, or -1
// where JSON.stringify must be asked about the whole object.
import { JSON_DEPTH_MAX, mayNestBeyond } from './json-text.ts';
import { STRING_BYTES } from './scan.ts';

export type TextBuffer = Buffer & { utf8Write(text: string, offset: number, length: number): number };

/** What was written is UTF-8. Both are set to their good value before and changed by whoever writes something else. */
export const written = {
  /** All of it is ASCII. */
  ascii: true,
  /** All of it was written in place, without asking JSON.stringify about a part. */
  direct: true,
};

/** Up to here a loop over the characters beats a native write with a check after it. */
const LOOP_CHARACTERS_MAX = 14;
/** Decimals below this are told apart by their doubles: the shortest text of a double is then the only one so short. */
const EXACT_INTEGER_MAX = 1e15;
const SEVEN_DIGITS = 1e7;
const ESCAPED_BYTES_PER_UNIT_MAX = 6;
const UTF8_BYTES_PER_UNIT_MAX = 3;
/** The longest text of a number, and some more. */
export const NUMBER_BYTES_MAX = 32;

/** The characters of 00 to 99: two digits cost one division. */
const TENS = Uint8Array.from({ length: 100 }, (_, pair) => 0x30 + Math.floor(pair / 10));
const ONES = Uint8Array.from({ length: 100 }, (_, pair) => 0x30 + (pair % 10));

function countDigits(value: number): number {
  if (value < 1e4) return value < 1e2 ? (value < 1e1 ? 1 : 2) : value < 1e3 ? 3 : 4;
  if (value < 1e7) return value < 1e5 ? 5 : value < 1e6 ? 6 : 7;
  return value < 1e8 ? 8 : value < 1e9 ? 9 : 10;
}

/** The lowest `digits` digits of `value`, 0 to 2^31 - 1, with zeros in front. */
function writePadded(bytes: Uint8Array, at: number, value: number, digits: number): void {
  let i = at + digits - 2;
  for (; i >= at; i -= 2) {
    const rest = (value / 100) | 0;
    const pair = value - rest * 100;
    bytes[i] = TENS[pair]!;
    bytes[i + 1] = ONES[pair]!;
    value = rest;
  }
  if (i === at - 1) bytes[at] = 0x30 + value;
}

function writeDigits(bytes: Uint8Array, at: number, value: number): number {
  const digits = countDigits(value);
  writePadded(bytes, at, value, digits);
  return at + digits;
}

/** A non-negative integer below 10^15. */
function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value <= 0x7fffffff) return writeDigits(bytes, at, value | 0);
  const high = Math.floor(value / SEVEN_DIGITS);
  at = writeDigits(bytes, at, high | 0);
  writePadded(bytes, at, (value - high * SEVEN_DIGITS) | 0, 7);
  return at + 7;
}

export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  let magnitude = value;
  if (value < 0) {
    bytes[at++] = 0x2d;
    magnitude = -value;
  }
  if (magnitude < EXACT_INTEGER_MAX) {
    const whole = Math.floor(magnitude);
    if (whole === magnitude) return writeInteger(bytes, at, whole);
    // Two decimals, as amounts of money have them; exact because the quotient is rounded correctly.
    const hundreds = Math.round(magnitude * 100);
    if (hundreds / 100 === magnitude && hundreds < EXACT_INTEGER_MAX) {
      at = writeInteger(bytes, at, whole);
      const fraction = hundreds - whole * 100;
      const last = ONES[fraction]!;
      bytes[at] = 0x2e;
      bytes[at + 1] = TENS[fraction]!;
      bytes[at + 2] = last;
      return last === 0x30 ? at + 2 : at + 3;
    }
  }
  if (value < 0) at--;
  const text = Number.isFinite(value) ? `${value}` : 'null';
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** `limit`: no byte at or behind it may be written. */
export function writeString(bytes: TextBuffer, at: number, value: string, limit: number): number {
  const length = value.length;
  if (at + length + 2 > limit) return -1;
  const start = at;
  bytes[at++] = 0x22;
  if (length <= LOOP_CHARACTERS_MAX) {
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (STRING_BYTES[unit] !== 0) return writeOddString(bytes, start, value, limit);
      bytes[at + i] = unit;
    }
  } else {
    // Not ASCII: more bytes than units, or as many and cut off, which the check finds.
    if (bytes.utf8Write(value, at, length + 1) !== length) return writeOddString(bytes, start, value, limit);
    for (let i = at; i < at + length; i++) {
      if (STRING_BYTES[bytes[i]!] !== 0) return writeOddString(bytes, start, value, limit);
    }
  }
  at += length;
  bytes[at] = 0x22;
  return at + 1;
}

/** With escapes or beyond ASCII. */
function writeOddString(bytes: TextBuffer, at: number, value: string, limit: number): number {
  const length = value.length;
  if (at + length * UTF8_BYTES_PER_UNIT_MAX + 2 <= limit) {
    const end = at + 1 + bytes.utf8Write(value, at + 1, limit - at - 1);
    // A lone surrogate is escaped by JSON.stringify, and replaced by the write.
    if (end - at - 1 > length && !needsEscape(bytes, at + 1, end) && value.isWellFormed()) {
      bytes[at] = 0x22;
      bytes[end] = 0x22;
      written.ascii = false;
      return end + 1;
    }
  }
  return writeText(bytes, at, JSON.stringify(value), limit);
}

function needsEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return true;
  }
  return false;
}

/** Anything else that a property may hold. */
export function writeOther(bytes: TextBuffer, at: number, value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return -1;
  // toJSON is told its key, which only JSON.stringify of the whole does right.
  if ((value as { toJSON?: unknown }).toJSON !== undefined) return -1;
  if (Array.isArray(value)) {
    const end = writeArray(bytes, at, value, limit);
    if (end >= 0) return end;
  }
  const text = JSON.stringify(value);
  // How deep it lies in the whole is not known here.
  return mayNestBeyond(text, JSON_DEPTH_MAX / 2) ? -1 : writeText(bytes, at, text, limit);
}

/** An array of plain values; -1 for all others. */
function writeArray(bytes: TextBuffer, at: number, items: readonly unknown[], limit: number): number {
  bytes[at++] = 0x5b;
  for (let i = 0; i < items.length; i++) {
    if (at + NUMBER_BYTES_MAX > limit) return -1;
    if (i > 0) bytes[at++] = 0x2c;
    const item = items[i];
    if (typeof item === 'number') {
      at = writeNumber(bytes, at, item);
    } else if (typeof item === 'string') {
      at = writeString(bytes, at, item, limit);
      if (at < 0) return -1;
    } else if (typeof item === 'boolean' || item === null) {
      const text = String(item);
      for (let j = 0; j < text.length; j++) bytes[at + j] = text.charCodeAt(j);
      at += text.length;
    } else {
      return -1;
    }
  }
  if (at >= limit) return -1;
  bytes[at] = 0x5d;
  return at + 1;
}

function writeText(bytes: TextBuffer, at: number, text: string, limit: number): number {
  const length = text.length;
  written.direct = false;
  if (at + length * ESCAPED_BYTES_PER_UNIT_MAX > limit) return -1;
  const size = bytes.utf8Write(text, at, limit - at);
  if (size !== length) written.ascii = false;
  return at + size;
}
