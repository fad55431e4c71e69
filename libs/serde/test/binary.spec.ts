import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  binaryFromBytes,
  binaryFromUtf8,
  bytesFromBinary,
  detachBinary,
  isAsciiText,
  utf8FromBinary,
} from '#libs/serde';
import type { BinaryString } from '#libs/serde';
import { invalidUtf8Position } from '../src/binary.ts';

describe('binary strings', () => {
  it('hold bytes, each as one unit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const binary = binaryFromBytes(bytes);
        expect([...binary].map((unit) => unit.charCodeAt(0))).toEqual([...bytes]);
        expect(bytesFromBinary(binary).equals(bytes)).toBe(true);
        expect(detachBinary(binary)).toBe(binary);
      }),
    );
  });

  it('hold any text as UTF-8 and give it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const binary = binaryFromUtf8(text);
        expect(bytesFromBinary(binary).equals(Buffer.from(text))).toBe(true);
        expect(utf8FromBinary(binary)).toBe(text.toWellFormed());
        expect(isAsciiText(text)).toBe(Buffer.byteLength(text) === text.length);
      }),
    );
  });

  it('hold texts of any length', () => {
    for (const text of ['a'.repeat(100_000), 'é'.repeat(100_000), 'š'.repeat(3_000_000)]) {
      const binary = binaryFromUtf8(text);
      expect(binary).toHaveLength(Buffer.byteLength(text));
      expect(utf8FromBinary(binary) === text).toBe(true);
      expect(detachBinary(binary) === binary).toBe(true);
    }
  });

  it('are recognised when they are no UTF-8, and where', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const binary = binaryFromBytes(bytes);
        let valid = true;
        try {
          new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        } catch {
          valid = false;
        }
        expect(utf8FromBinary(binary) !== undefined).toBe(valid);
        expect(invalidUtf8Position(binary) < 0).toBe(valid);
      }),
      { numRuns: 1000 },
    );
    expect(invalidUtf8Position('ok \u00c3\u00a9 \u00ff' as BinaryString)).toBe(6);
  });
});
