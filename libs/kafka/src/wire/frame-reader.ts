// Owns the way from a socket's bytes to frames. Small frames pass through a scratch buffer; a frame that is not yet whole
// gets a buffer of its own, into which the socket then reads directly. It never looks into a frame.
import { MalformedFrame } from './reader.ts';

const SCRATCH_BYTES = 64 * 1024;
/** A frame holds a correlation id at least. */
const MIN_FRAME_BYTES = 4;

export class FrameReader {
  #maxFrameBytes: number;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #scratchUsed = 0;
  #frame: Buffer | null = null;
  #frameFilled = 0;

  constructor(maxFrameBytes: number, onFrame: (frame: Buffer) => void) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#onFrame = onFrame;
  }

  /** From the next frame on. */
  limitTo(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Where the socket reads next; never empty. */
  space(): Buffer {
    return this.#frame === null
      ? this.#scratch.subarray(this.#scratchUsed)
      : this.#frame.subarray(this.#frameFilled);
  }

  /** `byteLength` bytes have been read into `space()`. @throws MalformedFrame a frame's length is out of bounds. */
  received(byteLength: number): void {
    if (this.#frame !== null) {
      this.#frameFilled += byteLength;
      if (this.#frameFilled < this.#frame.length) return;
      const frame = this.#frame;
      this.#frame = null;
      this.#onFrame(frame);
      return;
    }
    this.#scratchUsed += byteLength;
    this.#takeFrames();
  }

  #takeFrames(): void {
    const scratch = this.#scratch;
    const used = this.#scratchUsed;
    let at = 0;
    // What a frame's handler does must find the scratch consistent: it is settled before the handlers run.
    const whole: Buffer[] = [];
    while (used - at >= 4) {
      const byteLength = scratch.readInt32BE(at);
      if (byteLength < MIN_FRAME_BYTES || byteLength > this.#maxFrameBytes) {
        throw new MalformedFrame(describeBadLength(scratch.subarray(at, at + 4), this.#maxFrameBytes));
      }
      at += 4;
      const available = used - at;
      if (available >= byteLength) {
        whole.push(Buffer.from(scratch.subarray(at, at + byteLength)));
        at += byteLength;
        continue;
      }
      this.#frame = Buffer.allocUnsafeSlow(byteLength);
      scratch.copy(this.#frame, 0, at, used);
      this.#frameFilled = available;
      at = used;
    }
    scratch.copyWithin(0, at, used);
    this.#scratchUsed = used - at;
    for (const frame of whole) this.#onFrame(frame);
  }
}

/** What else than Kafka may have answered, told by its first bytes. */
function describeBadLength(head: Buffer, maxFrameBytes: number): string {
  if (head[0]! >= 0x14 && head[0]! <= 0x17 && head[1] === 3) {
    return 'the answer is a TLS record: the listener speaks TLS, and `ssl` is not set';
  }
  if (head.toString('latin1') === 'HTTP') return 'the answer is HTTP: this is not a Kafka listener';
  return `a frame of ${head.readInt32BE()} bytes is announced, at most ${maxFrameBytes} are accepted (\`maxFrameBytes\`)`;
}
