// Owns the ways between bytes, text and binary strings (libs/core, BinaryString). Each is one native call at most.
import { isAscii, isUtf8 } from 'node:buffer';
import type { BinaryString } from '#libs/core';

export type { BinaryString } from '#libs/core';

/** Methods of every Node Buffer that its documentation leaves out; `write` and `toString` wrap them. */
type NativeBuffer = Buffer & {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
  utf8Write(text: string, offset: number, length: number): number;
};

/** Up to here a loop over characters beats a native call. */
const LOOP_CHARACTERS_MAX = 16;
const UTF8_BYTES_PER_UNIT_MAX = 3;
/** V8 makes a view instead of a copy from this length on (SlicedString::kMinLength). */
const SLICED_CHARACTERS_MIN = 13;

/** A larger one is let go after use. */
const SCRATCH_RETAINED_BYTES_MAX = 4 * 1024 * 1024;

const nativeMethods = Buffer.prototype as NativeBuffer;
let scratch = Buffer.allocUnsafeSlow(64 * 1024) as NativeBuffer;

function scratchOf(size: number): NativeBuffer {
  if (size <= scratch.length) return scratch;
  const larger = Buffer.allocUnsafeSlow(Math.max(size, scratch.length * 2)) as NativeBuffer;
  if (larger.length <= SCRATCH_RETAINED_BYTES_MAX) scratch = larger;
  return larger;
}

export function binaryFromBytes(bytes: Uint8Array): BinaryString {
  return nativeMethods.latin1Slice.call(bytes as Buffer, 0, bytes.length) as BinaryString;
}

/** A fresh Buffer. */
export function bytesFromBinary(binary: BinaryString): Buffer {
  return Buffer.from(binary, 'latin1');
}

/** Of its own: what is called with it may use the other. */
let lent = Buffer.allocUnsafeSlow(16 * 1024) as NativeBuffer;

/** What `use` makes of the bytes `[at, end)` of a buffer that is theirs during the call only. */
export function withBytesOf<T>(binary: BinaryString, use: (bytes: Buffer, at: number, end: number) => T): T {
  const length = binary.length;
  let bytes = lent;
  if (length > bytes.length) {
    bytes = Buffer.allocUnsafeSlow(length * 2) as NativeBuffer;
    if (bytes.length <= SCRATCH_RETAINED_BYTES_MAX) lent = bytes;
  }
  bytes.latin1Write(binary, 0, length);
  return use(bytes, 0, length);
}

/** Are all units of `text` below 128, so that it is its own UTF-8 encoding? */
export function isAsciiText(text: string): boolean {
  const length = text.length;
  if (length > LOOP_CHARACTERS_MAX) return Buffer.byteLength(text, 'utf8') === length;
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= text.charCodeAt(i);
  return bits < 0x80;
}

/** `text` in UTF-8; a lone surrogate becomes U+FFFD. */
export function binaryFromUtf8(text: string): BinaryString {
  const length = text.length;
  if (length <= LOOP_CHARACTERS_MAX && isAsciiText(text)) return text as BinaryString;
  const room = length * UTF8_BYTES_PER_UNIT_MAX;
  const bytes = scratchOf(room);
  const size = bytes.utf8Write(text, 0, room);
  return (size === length ? text : bytes.latin1Slice(0, size)) as BinaryString;
}

/**
 * The text whose UTF-8 `binary` is, or `undefined` if it is not valid UTF-8. `ascii` says that all of it is known to be
 * ASCII, which makes this free.
 */
export function utf8FromBinary(binary: BinaryString, ascii = false): string | undefined {
  if (ascii || isShortAscii(binary)) return binary;
  const length = binary.length;
  const bytes = scratchOf(length);
  bytes.latin1Write(binary, 0, length);
  const range = bytes.subarray(0, length);
  if (isAscii(range)) return binary;
  return isUtf8(range) ? bytes.utf8Slice(0, length) : undefined;
}

function isShortAscii(binary: string): boolean {
  return binary.length <= LOOP_CHARACTERS_MAX && isAsciiText(binary);
}

/**
 * The same bytes, in memory of their own. A substring of 13 characters or more is a view that keeps the whole text it was
 * cut from alive (a fetched batch, say): detach what outlives its batch.
 */
export function detachBinary(binary: BinaryString): BinaryString {
  const length = binary.length;
  if (length < SLICED_CHARACTERS_MIN) return binary;
  // Two copies too short to be views, and a rope over them: cheaper than two native calls.
  if (length < 2 * SLICED_CHARACTERS_MIN - 1) {
    const middle = SLICED_CHARACTERS_MIN - 1;
    return (binary.substring(0, middle) + binary.substring(middle)) as BinaryString;
  }
  const bytes = scratchOf(length);
  bytes.latin1Write(binary, 0, length);
  return bytes.latin1Slice(0, length) as BinaryString;
}

/** Where `binary` stops being UTF-8: for error messages, so slow and simple. -1 if it is valid throughout. */
export function invalidUtf8Position(binary: BinaryString): number {
  const bytes = Buffer.from(binary, 'latin1');
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at]!;
    const size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + size))) return at;
    at += size;
  }
  return -1;
}
