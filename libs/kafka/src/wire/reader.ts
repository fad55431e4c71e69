// Owns the decoding of Kafka's primitive types in their compact (flexible) form. Every length is checked against what is
// left of the frame, so that a malformed answer throws before it allocates or reads elsewhere. It knows no API.

const TWO_POW_32 = 0x1_0000_0000;

/** The frame does not hold what its API version prescribes. */
export class MalformedFrame extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedFrame';
  }
}

export class Reader {
  readonly #buffer: Buffer;
  #position = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get remaining(): number {
    return this.#buffer.length - this.#position;
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4));
  }

  /** An int64 as a number. */
  int64(): number {
    const at = this.#advance(8);
    const value = this.#buffer.readInt32BE(at) * TWO_POW_32 + this.#buffer.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw new MalformedFrame('an int64 lies beyond 2^53');
    return value;
  }

  int64Exact(): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8));
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.#buffer[this.#advance(1)]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new MalformedFrame('a varint is longer than five bytes');
  }

  string(): string {
    const value = this.nullableString();
    if (value === null) throw new MalformedFrame('a string that must be present is null');
    return value;
  }

  nullableString(): string | null {
    const byteLength = this.unsignedVarint() - 1;
    if (byteLength < 0) return null;
    const at = this.#advance(byteLength);
    return this.#buffer.toString('utf8', at, at + byteLength);
  }

  /** The older form with an int16 length. */
  legacyString(): string {
    const byteLength = this.int16();
    if (byteLength < 0) throw new MalformedFrame('a string that must be present is null');
    const at = this.#advance(byteLength);
    return this.#buffer.toString('utf8', at, at + byteLength);
  }

  /** 32 lower-case hex digits. */
  uuid(): string {
    const at = this.#advance(16);
    return this.#buffer.toString('hex', at, at + 16);
  }

  /** A view on the frame. */
  bytes(): Buffer {
    const value = this.nullableBytes();
    if (value === null) throw new MalformedFrame('bytes that must be present are null');
    return value;
  }

  /** A view on the frame. */
  nullableBytes(): Buffer | null {
    const byteLength = this.unsignedVarint() - 1;
    if (byteLength < 0) return null;
    const at = this.#advance(byteLength);
    return this.#buffer.subarray(at, at + byteLength);
  }

  array<T>(read: () => T): T[] {
    const items = this.nullableArray(read);
    if (items === null) throw new MalformedFrame('an array that must be present is null');
    return items;
  }

  nullableArray<T>(read: () => T): T[] | null {
    const length = this.unsignedVarint() - 1;
    return length < 0 ? null : this.#items(length, read);
  }

  /** The older form with an int32 length. */
  legacyArray<T>(read: () => T): T[] {
    return this.#items(this.int32(), read);
  }

  /** Reads the tagged fields: `read` is told each tag and may consume its bytes; whatever it leaves is skipped. */
  tags(read?: (tag: number) => void): void {
    const count = this.unsignedVarint();
    for (let index = 0; index < count; index++) {
      const tag = this.unsignedVarint();
      const byteLength = this.unsignedVarint();
      const end = this.#position + byteLength;
      if (byteLength > this.remaining) throw new MalformedFrame(`tagged field ${tag} ends behind the frame`);
      read?.(tag);
      if (this.#position > end) throw new MalformedFrame(`tagged field ${tag} is shorter than its content`);
      this.#position = end;
    }
  }

  /** @throws MalformedFrame bytes are left over. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedFrame(`${this.remaining} bytes are left over`);
  }

  #items<T>(length: number, read: () => T): T[] {
    // No element takes less than a byte, so a length beyond the frame is a lie that must not cost memory.
    if (length < 0 || length > this.remaining)
      throw new MalformedFrame(`an array of ${length} items does not fit`);
    const items: T[] = [];
    for (let index = 0; index < length; index++) items.push(read());
    return items;
  }

  #advance(byteLength: number): number {
    const at = this.#position;
    if (byteLength > this.#buffer.length - at) {
      throw new MalformedFrame(`${byteLength} bytes wanted at ${at} of ${this.#buffer.length}`);
    }
    this.#position = at + byteLength;
    return at;
  }
}
