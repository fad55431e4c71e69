// Owns the memory that batches are encoded into, so that a steady stream writes over the same pages again and again.
// Sizes are powers of two. It never grows beyond its bound: what does not fit is left to the garbage collector.

const SIZE_MIN = 4 * 1024;
const RETAINED_BYTES_MAX = 64 * 1024 * 1024;

export class BatchBufferPool {
  readonly #free = new Map<number, Buffer[]>();
  readonly #retainedMax: number;
  #retained = 0;

  constructor(retainedBytesMax: number = RETAINED_BYTES_MAX) {
    this.#retainedMax = retainedBytesMax;
  }

  /** Bytes that lie ready. */
  get retainedBytes(): number {
    return this.#retained;
  }

  /** A buffer of `size` bytes or more, with whatever it held before. */
  take(size: number): Buffer {
    let capacity = SIZE_MIN;
    while (capacity < size) capacity *= 2;
    const buffer = this.#free.get(capacity)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(capacity);
    this.#retained -= capacity;
    return buffer;
  }

  /** Takes back a buffer that `take` gave and that nobody reads any more. */
  give(buffer: Buffer): void {
    const capacity = buffer.length;
    if (this.#retained + capacity > this.#retainedMax) return;
    let list = this.#free.get(capacity);
    if (list === undefined) this.#free.set(capacity, (list = []));
    list.push(buffer);
    this.#retained += capacity;
  }
}
