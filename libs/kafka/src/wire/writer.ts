// Owns the encoding of Kafka's primitive types in their compact (flexible) form into one frame. Record batches join the
// frame as segments of their own, never copied. It knows no API.

const INITIAL_BYTES = 512;
const TWO_POW_32 = 0x1_0000_0000;

/** Writes one request frame: the four bytes of its length first, filled in by `finish`. */
export class Writer {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  /** Start of the segment being written; what lies before it is in `#segments`. */
  #start = 0;
  #position = 4;
  readonly #segments: Uint8Array[] = [];
  #closedBytes = 0;

  int8(value: number): this {
    this.#reserve(1);
    this.#position = this.#buffer.writeInt8(value, this.#position);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int16(value: number): this {
    this.#reserve(2);
    this.#position = this.#buffer.writeInt16BE(value, this.#position);
    return this;
  }

  int32(value: number): this {
    this.#reserve(4);
    this.#position = this.#buffer.writeInt32BE(value, this.#position);
    return this;
  }

  /** An int64 within ±2^53. */
  int64(value: number): this {
    this.#reserve(8);
    const high = Math.floor(value / TWO_POW_32);
    this.#buffer.writeInt32BE(high, this.#position);
    this.#position = this.#buffer.writeUInt32BE(value - high * TWO_POW_32, this.#position + 4);
    return this;
  }

  /** An int64 that may use all bits, such as a producer id. */
  int64Exact(value: bigint): this {
    this.#reserve(8);
    this.#position = this.#buffer.writeBigInt64BE(value, this.#position);
    return this;
  }

  /** Unsigned varint, up to 32 bits. */
  unsignedVarint(value: number): this {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#buffer[this.#position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#position++] = rest;
    return this;
  }

  string(value: string): this {
    const byteLength = Buffer.byteLength(value);
    this.unsignedVarint(byteLength + 1);
    this.#reserve(byteLength);
    this.#position += this.#buffer.write(value, this.#position);
    return this;
  }

  nullableString(value: string | null): this {
    return value === null ? this.unsignedVarint(0) : this.string(value);
  }

  /** The older form with an int16 length, which request headers and SaslHandshake keep. */
  legacyString(value: string): this {
    const byteLength = Buffer.byteLength(value);
    this.int16(byteLength);
    this.#reserve(byteLength);
    this.#position += this.#buffer.write(value, this.#position);
    return this;
  }

  /** 32 hex digits. */
  uuid(value: string): this {
    this.#reserve(16);
    const written = this.#buffer.write(value, this.#position, 16, 'hex');
    if (written !== 16) throw new RangeError(`"${value}" is not a topic id of 32 hex digits`);
    this.#position += 16;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.unsignedVarint(value.length + 1);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#position);
    this.#position += value.length;
    return this;
  }

  /** Record batches back to back; they become segments of the frame without a copy. */
  records(batches: readonly Uint8Array[]): this {
    let byteLength = 0;
    for (const batch of batches) byteLength += batch.length;
    this.unsignedVarint(byteLength + 1);
    this.#closeSegment();
    for (const batch of batches) {
      if (batch.length > 0) this.#segments.push(batch);
    }
    this.#closedBytes += byteLength;
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.unsignedVarint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  nullableArray<T>(items: readonly T[] | null, write: (item: T) => void): this {
    return items === null ? this.unsignedVarint(0) : this.array(items, write);
  }

  /** No tagged fields. */
  noTags(): this {
    return this.unsignedVarint(0);
  }

  /** The whole frame, in the order of its segments. The writer is spent afterwards. */
  finish(): readonly Uint8Array[] {
    this.#closeSegment();
    const first = this.#segments[0]!;
    new DataView(first.buffer, first.byteOffset, 4).setInt32(0, this.#closedBytes - 4);
    return this.#segments;
  }

  #closeSegment(): void {
    if (this.#position === this.#start) return;
    this.#segments.push(this.#buffer.subarray(this.#start, this.#position));
    this.#closedBytes += this.#position - this.#start;
    this.#start = this.#position;
  }

  #reserve(byteLength: number): void {
    if (this.#position + byteLength <= this.#buffer.length) return;
    const open = this.#position - this.#start;
    const larger = Buffer.allocUnsafe(Math.max(INITIAL_BYTES, 2 * open, open + byteLength));
    this.#buffer.copy(larger, 0, this.#start, this.#position);
    this.#buffer = larger;
    this.#start = 0;
    this.#position = open;
  }
}
