// Owns rows in the order of their suffixes, for few rows and for millions: chunks of some hundred, in order. It never knows what a row is.
//
// 1. A chunk has rows, but for the only chunk of an empty list.
// 2. A position is good until a row is inserted or removed; `changes` tells.
// 3. Adding at the end and taking from the front cost no search through the chunks.
import type { BinaryString } from '#libs/core';

export interface SortedRow {
  readonly suffix: BinaryString;
}

/** A full chunk is halved; two neighbours of less than a quarter become one. */
const CHUNK_ROWS_MAX = 512;
const CHUNK_ROWS_MERGED = CHUNK_ROWS_MAX / 4;
/** A position is chunk * 1024 + place within it. */
const PLACE_BITS = 10;
const PLACE_MASK = (1 << PLACE_BITS) - 1;

interface Chunk<R> {
  /** Of `rows` (see `rankOf`), so that a search touches one array of numbers. */
  readonly ranks: number[];
  readonly rows: R[];
}

export class SortedRows<R extends SortedRow> {
  size = 0;
  /** Counts insertions and removals. */
  changes = 0;
  private head: Chunk<R> = { ranks: [], rows: [] };
  /** All chunks, once there is more than one. */
  private chunks: Chunk<R>[] | null = null;

  /** The row at a position of `seek`, `next` or `previous`; `undefined`: there is none. */
  at(position: number): R | undefined {
    return this.chunkAt(position >> PLACE_BITS)?.rows[position & PLACE_MASK];
  }

  get first(): R | undefined {
    return this.head.rows[0];
  }

  /** Infinity: there is none. */
  get firstRank(): number {
    return this.size === 0 ? Infinity : this.head.ranks[0]!;
  }

  /** Position of the first row that is not before the suffix; behind the last row, if there is none. */
  seek(suffix: BinaryString, rank: number): number {
    const position = this.insertionPoint(suffix, rank);
    const chunk = position >> PLACE_BITS;
    return (position & PLACE_MASK) < this.chunkAt(chunk)!.rows.length || chunk + 1 >= this.chunkCount
      ? position
      : (chunk + 1) << PLACE_BITS;
  }

  next(position: number): number {
    const chunk = position >> PLACE_BITS;
    if ((position & PLACE_MASK) + 1 < this.chunkAt(chunk)!.rows.length || chunk + 1 >= this.chunkCount) {
      return position + 1;
    }
    return (chunk + 1) << PLACE_BITS;
  }

  /** -1: there is none before. */
  previous(position: number): number {
    if ((position & PLACE_MASK) > 0) return position - 1;
    const chunk = (position >> PLACE_BITS) - 1;
    return chunk < 0 ? -1 : (chunk << PLACE_BITS) + this.chunkAt(chunk)!.rows.length - 1;
  }

  /** Position behind the last row. */
  get end(): number {
    const last = this.chunkCount - 1;
    return (last << PLACE_BITS) + this.chunkAt(last)!.rows.length;
  }

  find(suffix: BinaryString, rank: number): R | undefined {
    const row = this.at(this.seek(suffix, rank));
    return row !== undefined && row.suffix === suffix ? row : undefined;
  }

  /** Adds a row; none has its suffix. */
  insert(row: R, rank: number): void {
    const position = this.insertionPoint(row.suffix, rank);
    const index = position >> PLACE_BITS;
    let place = position & PLACE_MASK;
    let chunk = this.chunkAt(index)!;
    if (chunk.rows.length >= CHUNK_ROWS_MAX) {
      const isEnd = place === chunk.rows.length && index + 1 === this.chunkCount;
      // Rows that come in order leave full chunks behind.
      const half = isEnd ? chunk.rows.length : CHUNK_ROWS_MAX >> 1;
      const upper: Chunk<R> = { ranks: chunk.ranks.splice(half), rows: chunk.rows.splice(half) };
      this.chunks ??= [chunk];
      this.chunks.splice(index + 1, 0, upper);
      if (place >= half) {
        place -= half;
        chunk = upper;
      }
    }
    insertAt(chunk.ranks, place, rank);
    insertAt(chunk.rows, place, row);
    this.size++;
    this.changes++;
  }

  /** @returns false: there was no such row. */
  remove(row: R, rank: number): boolean {
    const position = this.seek(row.suffix, rank);
    const index = position >> PLACE_BITS;
    const place = position & PLACE_MASK;
    const chunk = this.chunkAt(index)!;
    if (chunk.rows[place] !== row) return false;
    removeAt(chunk.ranks, place);
    removeAt(chunk.rows, place);
    this.size--;
    this.changes++;
    if (this.chunks !== null && chunk.rows.length < CHUNK_ROWS_MERGED) this.shrink(index);
    return true;
  }

  private get chunkCount(): number {
    return this.chunks === null ? 1 : this.chunks.length;
  }

  private chunkAt(index: number): Chunk<R> | undefined {
    return this.chunks === null ? (index === 0 ? this.head : undefined) : this.chunks[index];
  }

  private insertionPoint(suffix: BinaryString, rank: number): number {
    const count = this.chunkCount;
    let index = count - 1;
    let chunk = this.chunkAt(index)!;
    const length = chunk.rows.length;
    if (length === 0 || isBefore(chunk, length - 1, suffix, rank)) return (index << PLACE_BITS) + length;
    if (count > 1) {
      // The last chunk whose first row is before the suffix.
      let low = 0;
      let high = index;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (isBefore(this.chunks![middle]!, 0, suffix, rank)) low = middle;
        else high = middle - 1;
      }
      index = low;
      chunk = this.chunks![index]!;
    }
    let low = 0;
    let high = chunk.rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(chunk, middle, suffix, rank)) low = middle + 1;
      else high = middle;
    }
    return (index << PLACE_BITS) + low;
  }

  private shrink(index: number): void {
    const chunks = this.chunks!;
    const chunk = chunks[index]!;
    if (chunk.rows.length === 0) {
      chunks.splice(index, 1);
    } else {
      const left = index > 0 ? index - 1 : index;
      const lower = chunks[left]!;
      const upper = chunks[left + 1];
      if (upper === undefined || lower.rows.length + upper.rows.length > 2 * CHUNK_ROWS_MERGED) return;
      for (let i = 0; i < upper.rows.length; i++) {
        lower.ranks.push(upper.ranks[i]!);
        lower.rows.push(upper.rows[i]!);
      }
      chunks.splice(left + 1, 1);
    }
    this.head = chunks[0]!;
    if (chunks.length === 1) this.chunks = null;
  }
}

function isBefore<R extends SortedRow>(
  chunk: Chunk<R>,
  place: number,
  suffix: BinaryString,
  rank: number,
): boolean {
  const other = chunk.ranks[place]!;
  return other < rank || (other === rank && chunk.rows[place]!.suffix < suffix);
}

function insertAt<T>(array: T[], at: number, value: T): void {
  if (at === array.length) array.push(value);
  else array.splice(at, 0, value);
}

function removeAt<T>(array: T[], at: number): void {
  if (at === 0) array.shift();
  else if (at === array.length - 1) array.pop();
  else array.splice(at, 1);
}
