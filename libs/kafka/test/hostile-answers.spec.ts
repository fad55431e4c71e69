// Specifies that no answer, whatever its bytes, makes a codec do anything but read it or refuse it, within its length.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ApiName } from '#libs/broker';
import { apiVersions, saslAuthenticate, saslHandshake } from '../src/codecs/handshake.ts';
import { CODECS } from '../src/codecs/index.ts';
import { FrameReader } from '../src/wire/frame-reader.ts';
import { MalformedFrame, Reader } from '../src/wire/reader.ts';
import { ANSWERS } from './golden-answers.ts';
import { goldenHex } from './golden.ts';

interface AnyCodec {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  decode(reader: Reader, version: number): unknown;
}
const ALL: readonly AnyCodec[] = [...Object.values(CODECS), apiVersions, saslHandshake, saslAuthenticate];

/** Is it read, and if not, refused as malformed? How many values came of it. */
function decode(codec: AnyCodec, bytes: Uint8Array, version: number): number {
  const reader = new Reader(Buffer.from(bytes));
  try {
    const answer = codec.decode(reader, version);
    reader.end();
    return countValues(answer);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedFrame);
    return 0;
  }
}

function countValues(root: unknown): number {
  let count = 0;
  for (const open = [root]; open.length > 0; count++) {
    const value = open.pop();
    if (value instanceof Map) open.push(...(value.values() as Iterable<unknown>));
    else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
      expect(Object.getPrototypeOf(value)).toBe(Array.isArray(value) ? Array.prototype : Object.prototype);
      open.push(...(Object.values(value) as unknown[]));
    }
  }
  return count;
}

/** The widest item has some twenty fields in a few bytes. */
const VALUES_PER_BYTE_MAX = 32;

describe('an answer', () => {
  it('of any bytes is read or refused by every codec in every version', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const codec of ALL)
          for (let version = codec.minVersion; version <= codec.maxVersion; version++)
            expect(decode(codec, bytes, version)).toBeLessThan(VALUES_PER_BYTE_MAX * (bytes.length + 4));
      }),
      { numRuns: 300 },
    );
  });

  it('that Kafka wrote, with bytes changed, is read or refused', () => {
    const golden = (Object.keys(CODECS) as ApiName[]).flatMap((api) =>
      ANSWERS[api].map(({ version, occurrence }) => ({
        codec: CODECS[api],
        version,
        bytes: Buffer.from(goldenHex(`${api}Response`, version, occurrence), 'hex'),
      })),
    );
    const change = fc.tuple(fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x0f));
    fc.assert(
      fc.property(
        fc.nat(golden.length - 1),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        (index, changes) => {
          const { codec, version, bytes } = golden[index]!;
          const changed = Buffer.from(bytes);
          for (const [at, byte] of changes) changed[at % changed.length] = byte;
          expect(decode(codec, changed, version)).toBeLessThan(VALUES_PER_BYTE_MAX * (changed.length + 4));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('in frames of any lengths, in any pieces, is handed on whole or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }),
        fc.boolean(),
        (pieces, small) => {
          const frames: Buffer[] = [];
          const reader = new FrameReader(1_000, (frame) => frames.push(frame));
          let received = 0;
          try {
            for (const piece of pieces) {
              // As a socket does: into what space there is.
              for (let at = 0; at < piece.length;) {
                const size = Math.min(piece.length - at, small ? 3 : piece.length, reader.space().length);
                reader.space().set(piece.subarray(at, at + size));
                reader.received(size);
                at += size;
                received += size;
              }
            }
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedFrame);
          }
          expect(frames.reduce((sum, frame) => sum + frame.length + 4, 0)).toBeLessThanOrEqual(received + 64);
          for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(1_000);
        },
      ),
      { numRuns: 300 },
    );
  });
});
