// Owns the two Buffer methods that every Node has and its types leave out: the ways between bytes and binary strings.
import type { BinaryString } from '#libs/core';

interface NativeMethods {
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
}

const methods = Buffer.prototype as unknown as NativeMethods;

/** Writes the bytes of `text` at `offset`; there is room for them. */
export function writeBinary(bytes: Uint8Array, text: BinaryString, offset: number): void {
  methods.latin1Write.call(bytes, text, offset, text.length);
}

/** The bytes from `start` up to `end` in a string of their own. */
export function readBinary(bytes: Uint8Array, start: number, end: number): BinaryString {
  return methods.latin1Slice.call(bytes, start, end) as BinaryString;
}
