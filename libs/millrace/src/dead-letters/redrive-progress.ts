// Owns which dead letters of a partition were dealt with. Everything below the committed offset was; of those above it the offset's metadata says which:
// a filter may mean the last and not the first. It is written in the transaction that puts them back, so it is never wrong about one.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { FatalError } from '#libs/core';

/** Brokers take 4,096 bytes (`offset.metadata.max.bytes`). */
const METADATA_BYTES_MAX = 4_000;
const VERSION = 'd1:';
/** Of one inflated metadata, so that foreign bytes cannot fill the memory: 512 Mi offsets. */
const BITMAP_BYTES_MAX = 64 * 1024 * 1024;
const INITIAL_BYTES = 128;

export class RedriveProgress {
  readonly topic: string;
  readonly partition: number;
  /** Nothing is known of what lies behind it. */
  scannedTo: number;
  /** The committed offset. */
  readonly committedTo: number;
  private readonly base: number;
  private readonly found: Uint8Array;
  private bits: Uint8Array;
  private firstPending: number | null = null;
  private lastDone = -1;

  /** @throws FatalError MILLRACE_INVALID_CONFIG the metadata is somebody else's. */
  constructor(topic: string, partition: number, offset: number, metadata: string) {
    this.topic = topic;
    this.partition = partition;
    this.base = offset;
    this.committedTo = offset;
    this.scannedTo = offset;
    this.found = decodeBits(metadata, topic, partition);
    this.bits = this.found.slice();
    for (let at = this.bits.length * 8 - 1; at >= 0 && this.lastDone < 0; at--)
      if (this.isSet(at)) this.lastDone = offset + at;
  }

  isDone(offset: number): boolean {
    return offset < this.base || this.isSet(offset - this.base);
  }

  /** Was it when this was read? */
  wasDone(offset: number): boolean {
    const at = offset - this.base;
    return at < 0 || ((this.found[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }

  done(offset: number): void {
    const at = offset - this.base;
    if (at >= this.bits.length * 8) {
      const bits = new Uint8Array(Math.max(INITIAL_BYTES, this.bits.length * 2, (at >> 3) + 1));
      bits.set(this.bits);
      this.bits = bits;
    }
    this.bits[at >> 3]! |= 1 << (at & 7);
    this.lastDone = Math.max(this.lastDone, offset);
  }

  /** It stays where it is. */
  pending(offset: number): void {
    this.firstPending ??= offset;
  }

  /** Where the committed offset may be: behind all that was looked at and dealt with. */
  get position(): number {
    return this.firstPending ?? this.scannedTo;
  }

  /** @throws FatalError MILLRACE_REDRIVE_SCATTERED it does not fit beside an offset. */
  encode(): { readonly offset: number; readonly metadata: string } {
    const offset = this.position;
    const count = this.lastDone - offset + 1;
    if (count <= 0) return { offset, metadata: '' };
    const bits = new Uint8Array((count + 7) >> 3);
    for (let at = 0; at < count; at++) if (this.isDone(offset + at)) bits[at >> 3]! |= 1 << (at & 7);
    const metadata = VERSION + deflateRawSync(bits, { level: 9 }).toString('base64');
    if (metadata.length > METADATA_BYTES_MAX) this.refuseScattered(offset);
    return { offset, metadata };
  }

  private refuseScattered(first: number): never {
    const { topic, partition, lastDone } = this;
    throw new FatalError({
      code: 'MILLRACE_REDRIVE_SCATTERED',
      message: `Which dead letters of ${topic}-${partition} were put back cannot be noted beside an offset: too many are left out between ${first} and ${lastDone}.`,
      remedy:
        'What was reported so far is put back. Go on part by part, by ranges of offsets, or put back or discard the first ones.',
      context: { topic, partition, from: first, to: lastDone },
    });
  }

  private isSet(at: number): boolean {
    return at >= 0 && ((this.bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
}

function decodeBits(metadata: string, topic: string, partition: number): Uint8Array {
  if (metadata === '') return new Uint8Array(0);
  try {
    if (!metadata.startsWith(VERSION)) throw new Error('it is of another format');
    const packed = Buffer.from(metadata.slice(VERSION.length), 'base64');
    return inflateRawSync(packed, { maxOutputLength: BITMAP_BYTES_MAX });
  } catch (error) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `What the redrive group has noted beside its offset of ${topic}-${partition} cannot be read.`,
      remedy:
        'Somebody else commits offsets under the group of redrives: give the application another id, or reset that group.',
      cause: error,
      context: { topic, partition },
    });
  }
}
