// Owns the out-of-line parts of generated decoders: the values too long or too odd for the fast path, read from a range of
// bytes whose text (one character a byte) is at hand. Each reads one value and leaves the position behind it in `scan.at`.
// None is ever wrong about what it accepts; what it does not accept is FAIL, and JSON.parse has the last word.
import { JSON_DEPTH_MAX, mayNestBeyond, parseJson } from './json-text.ts';

export const FAIL: unique symbol = Symbol('millrace.json.fail');

/** A second result without an object per call. */
export const scan = { at: 0 };

/** What a byte of a string's content is: 0 stands for itself; 1 ends, escapes, is refused, or is not ASCII. */
export const STRING_BYTES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 0 : 1,
);

/** 10^0 to 10^22: all exact as doubles. */
const POWERS_OF_TEN: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
/** An integer of so many digits is exact, and so is its correctly rounded quotient by an exact power of ten. */
const EXACT_DIGITS_MAX = 15;
/** Deeper ones are left to JSON.parse. */
const ARRAY_DEPTH_MAX = 8;
/** From this length on V8's substring is a view that would keep the whole batch's text alive. */
const SLICED_CHARACTERS_MIN = 13;

const nativeMethods = Buffer.prototype as Buffer & {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
};

/** The string content `bytes[start, end)`, plain ASCII, as a string of its own. */
export function ownString(text: string, bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length < SLICED_CHARACTERS_MIN) return text.substring(start, end);
  // Two short copies and a rope over them cost half of a native call, unless and until somebody looks into the string.
  if (length < 2 * SLICED_CHARACTERS_MIN - 1) {
    const middle = start + SLICED_CHARACTERS_MIN - 1;
    return text.substring(start, middle) + text.substring(middle, end);
  }
  return nativeMethods.latin1Slice.call(bytes as Buffer, start, end);
}

/** A number with a fraction, an exponent or many digits. `at` is at its first character. */
export function scanNumber(text: string, bytes: Uint8Array, at: number): number | typeof FAIL {
  const start = at;
  let code = bytes[at]!;
  const negative = code === 0x2d;
  if (negative) code = bytes[++at]!;
  let mantissa = 0;
  let digits = 0;
  if (code === 0x30) {
    code = bytes[++at]!;
  } else {
    while (code >= 0x30 && code <= 0x39) {
      mantissa = mantissa * 10 + (code - 0x30);
      digits++;
      code = bytes[++at]!;
    }
    if (digits === 0) return FAIL;
  }
  let fraction = 0;
  if (code === 0x2e) {
    code = bytes[++at]!;
    while (code >= 0x30 && code <= 0x39) {
      mantissa = mantissa * 10 + (code - 0x30);
      fraction++;
      code = bytes[++at]!;
    }
    if (fraction === 0) return FAIL;
  }
  let exponent = false;
  if (code === 0x65 || code === 0x45) {
    exponent = true;
    code = bytes[++at]!;
    if (code === 0x2b || code === 0x2d) code = bytes[++at]!;
    if (!(code >= 0x30 && code <= 0x39)) return FAIL;
    while (code >= 0x30 && code <= 0x39) code = bytes[++at]!;
  }
  scan.at = at;
  if (exponent || digits + fraction > EXACT_DIGITS_MAX) return Number(text.substring(start, at));
  if (fraction > 0) mantissa /= POWERS_OF_TEN[fraction]!;
  return negative ? -mantissa : mantissa;
}

/** A string with escapes or beyond ASCII. `at` is at its opening quote. */
export function scanString(bytes: Uint8Array, at: number, limit: number): unknown {
  let i = at + 1;
  for (; i < limit; i++) {
    const code = bytes[i]!;
    if (code === 0x22) break;
    if (code < 0x20) return FAIL;
    if (code === 0x5c) {
      const end = stringEnd(bytes, at, limit);
      return end < 0 ? FAIL : parsePart(bytes, at, end);
    }
  }
  if (i >= limit) return FAIL;
  scan.at = i + 1;
  return textPart(bytes, at + 1, i);
}

/** An array, or an object where none was expected. `at` is at its bracket. */
export function scanComposite(text: string, bytes: Uint8Array, at: number, limit: number): unknown {
  return bytes[at] === 0x5b ? scanArray(text, bytes, at, limit, 0) : scanObject(bytes, at, limit);
}

function scanArray(text: string, bytes: Uint8Array, at: number, limit: number, depth: number): unknown {
  if (depth > ARRAY_DEPTH_MAX) return FAIL;
  const items: unknown[] = [];
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === 0x5d) {
    scan.at = at + 1;
    return items;
  }
  for (;;) {
    const item = scanItem(text, bytes, at, limit, depth);
    if (item === FAIL || scan.at > limit) return FAIL;
    items.push(item);
    at = skipSpace(bytes, scan.at);
    const code = bytes[at];
    if (code === 0x5d) {
      scan.at = at + 1;
      return items;
    }
    if (code !== 0x2c) return FAIL;
    at = skipSpace(bytes, at + 1);
  }
}

function scanItem(text: string, bytes: Uint8Array, at: number, limit: number, depth: number): unknown {
  const code = bytes[at];
  switch (code) {
    case undefined:
      return FAIL;
    case 0x22: {
      let end = at + 1;
      while (STRING_BYTES[bytes[end]!] === 0) end++;
      if (bytes[end] !== 0x22) return scanString(bytes, at, limit);
      scan.at = end + 1;
      return ownString(text, bytes, at + 1, end);
    }
    case 0x5b:
      return scanArray(text, bytes, at, limit, depth + 1);
    case 0x7b:
      return scanObject(bytes, at, limit);
    case 0x74:
      return scanWord(text, at, 'true', true);
    case 0x66:
      return scanWord(text, at, 'false', false);
    case 0x6e:
      return scanWord(text, at, 'null', null);
    default:
      return scanNumber(text, bytes, at);
  }
}

function scanWord(text: string, at: number, word: string, value: unknown): unknown {
  if (!text.startsWith(word, at)) return FAIL;
  scan.at = at + word.length;
  return value;
}

function skipSpace(bytes: Uint8Array, at: number): number {
  let code = bytes[at];
  while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = bytes[++at];
  return at;
}

function scanObject(bytes: Uint8Array, at: number, limit: number): unknown {
  let open = 0;
  let end = at;
  do {
    if (end >= limit) return FAIL;
    const code = bytes[end]!;
    if (code === 0x22) {
      end = stringEnd(bytes, end, limit);
      if (end < 0) return FAIL;
      continue;
    }
    if (code === 0x5b || code === 0x7b) open++;
    else if (code === 0x5d || code === 0x7d) open--;
    end++;
  } while (open > 0);
  return parsePart(bytes, at, end);
}

/** Behind the closing quote of the string at `at`; -1 if it does not end before `limit`. */
function stringEnd(bytes: Uint8Array, at: number, limit: number): number {
  for (let i = at + 1; i < limit; i++) {
    const code = bytes[i]!;
    if (code === 0x22) return i + 1;
    if (code === 0x5c) i++;
  }
  return -1;
}

/** `bytes[start, end)` as UTF-8. What cannot be told from a replaced invalid byte is left to the slow way. */
function textPart(bytes: Uint8Array, start: number, end: number): string | typeof FAIL {
  const text = nativeMethods.utf8Slice.call(bytes as Buffer, start, end);
  return text.includes('\ufffd') ? FAIL : text;
}

function parsePart(bytes: Uint8Array, start: number, end: number): unknown {
  const text = textPart(bytes, start, end);
  // How deep it lies in the record is not known here.
  if (text === FAIL || mayNestBeyond(text, JSON_DEPTH_MAX / 2)) return FAIL;
  try {
    const value = parseJson(text);
    scan.at = end;
    return value;
  } catch {
    return FAIL;
  }
}
