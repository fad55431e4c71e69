// Owns rows in the order of their suffixes, for few rows and for millions: chunks of some hundred, in order. It never knows what a row is.
//
// 1. A chunk has rows, but for the only chunk of an empty list.
// 2. A position is good until a row is inserted or removed; `changes` tells.
// 3. Adding at the end and taking from the front cost no search through the chunks; a suffix behind all others is known without a look
//    at any row: what a hot path touches in memory is what it costs.
import type { BinaryString } from '#libs/core';

export interface SortedRow {
  readonly suffix: BinaryString;
}

/** A full chunk is halved; two neighbours of less than a quarter become one. */
const CHUNK_ROWS_MAX = 256;
const CHUNK_ROWS_MERGED = CHUNK_ROWS_MAX / 4;
/** A position is chunk * 1024 + place within it. */
const PLACE_BITS = 10;
const PLACE_MASK = (1 << PLACE_BITS) - 1;

interface Chunk<R> {
  /** Of `rows` (see `rankOf`), so that a search touches one array of numbers. */
  readonly ranks: number[];
  readonly rows: R[];
}

/** Never changed: shared by all lists that are empty, or of one chunk. */
const NO_NUMBERS: number[] = [];
const NO_ROWS: never[] = [];

export class SortedRows<R extends SortedRow> {
  size = 0;
  /** Counts insertions and removals. */
  changes = 0;
  // The first chunk; the list itself is it while there is no other.
  private ranks: number[] = NO_NUMBERS;
  private rows: R[] = NO_ROWS;
  /** All chunks, once there is more than one. */
  private chunks: Chunk<R>[] | null = null;
  /** The first rank of each of them, so that the search for a chunk touches one array. */
  private starts: number[] = NO_NUMBERS;
  /** -1: there is no row. */
  private lastRank = -1;

  /** The row at a position of `seek`, `next` or `previous`; `undefined`: there is none. */
  at(position: number): R | undefined {
    const chunk = position >> PLACE_BITS;
    if (this.chunks === null) return chunk === 0 ? this.rows[position] : undefined;
    return this.chunks[chunk]?.rows[position & PLACE_MASK];
  }

  get first(): R | undefined {
    return this.rows[0];
  }

  /** Infinity: there is none. */
  get firstRank(): number {
    return this.size === 0 ? Infinity : this.ranks[0]!;
  }

  /** Is the row in `place`, among the first hundred, below a rank? */
  isBelow(place: number, rank: number): boolean {
    return place < this.ranks.length && this.ranks[place]! < rank;
  }

  /** Position of the first row that is not before the suffix; behind the last row, if there is none. */
  seek(suffix: BinaryString, rank: number): number {
    const position = this.insertionPoint(suffix, rank);
    if (this.chunks === null) return position;
    const chunk = position >> PLACE_BITS;
    return (position & PLACE_MASK) < this.chunks[chunk]!.rows.length || chunk + 1 >= this.chunks.length
      ? position
      : (chunk + 1) << PLACE_BITS;
  }

  next(position: number): number {
    if (this.chunks === null) return position + 1;
    const chunk = position >> PLACE_BITS;
    const isLast =
      (position & PLACE_MASK) + 1 >= this.chunks[chunk]!.rows.length && chunk + 1 < this.chunks.length;
    return isLast ? (chunk + 1) << PLACE_BITS : position + 1;
  }

  /** -1: there is none before. */
  previous(position: number): number {
    if ((position & PLACE_MASK) > 0) return position - 1;
    const chunk = (position >> PLACE_BITS) - 1;
    return chunk < 0 ? -1 : (chunk << PLACE_BITS) + this.chunks![chunk]!.rows.length - 1;
  }

  /** Position behind the last row. */
  get end(): number {
    if (this.chunks === null) return this.rows.length;
    const last = this.chunks.length - 1;
    return (last << PLACE_BITS) + this.chunks[last]!.rows.length;
  }

  find(suffix: BinaryString, rank: number): R | undefined {
    if (rank > this.lastRank) return undefined;
    const row = this.at(this.seek(suffix, rank));
    return row !== undefined && row.suffix === suffix ? row : undefined;
  }

  /** Adds a row; none has its suffix. */
  insert(row: R, rank: number): void {
    if (this.size === 0) {
      // Of this length: an empty array that is added to makes room for seventeen, and many groups have one row.
      this.ranks = [rank];
      this.rows = [row];
    } else if (this.chunks === null && rank > this.lastRank && this.rows.length < CHUNK_ROWS_MAX) {
      this.ranks.push(rank);
      this.rows.push(row);
    } else {
      this.insertWithin(row, rank);
    }
    if (rank > this.lastRank) this.lastRank = rank;
    this.size++;
    this.changes++;
  }

  /** @returns false: there was no such row. */
  remove(row: R, rank: number): boolean {
    const position = this.seek(row.suffix, rank);
    const index = position >> PLACE_BITS;
    const place = position & PLACE_MASK;
    const ranks = this.chunks === null ? this.ranks : this.chunks[index]!.ranks;
    const rows = this.chunks === null ? this.rows : this.chunks[index]!.rows;
    if (rows[place] !== row) return false;
    removeAt(ranks, place);
    removeAt(rows, place);
    this.size--;
    this.changes++;
    if (this.chunks !== null) this.removedFrom(index, place === 0);
    if (rank === this.lastRank) this.lastRank = this.rankOfLast();
    return true;
  }

  /** Takes rows out of the front, of the first chunk only and at most `count`, as long as they are below a rank and `mayTake` says so. */
  takeFront(rank: number, count: number, mayTake: (row: R) => boolean): R[] {
    const { ranks, rows } = this;
    let taken = 0;
    while (taken < rows.length && taken < count && ranks[taken]! < rank && mayTake(rows[taken]!)) taken++;
    if (taken === 0) return [];
    ranks.splice(0, taken);
    const front = rows.splice(0, taken);
    this.size -= taken;
    this.changes++;
    if (this.chunks !== null) this.removedFrom(0, true);
    if (this.size === 0) this.lastRank = -1;
    return front;
  }

  private insertWithin(row: R, rank: number): void {
    const position = this.insertionPoint(row.suffix, rank);
    let index = position >> PLACE_BITS;
    let place = position & PLACE_MASK;
    let ranks = this.chunks === null ? this.ranks : this.chunks[index]!.ranks;
    let rows = this.chunks === null ? this.rows : this.chunks[index]!.rows;
    if (rows.length >= CHUNK_ROWS_MAX) {
      const isEnd = place === rows.length && (this.chunks === null || index + 1 === this.chunks.length);
      // Rows that come in order leave full chunks behind.
      const half = isEnd ? rows.length : CHUNK_ROWS_MAX >> 1;
      const upper: Chunk<R> = { ranks: ranks.splice(half), rows: rows.splice(half) };
      if (this.chunks === null) {
        this.chunks = [{ ranks: this.ranks, rows: this.rows }];
        this.starts = [this.ranks[0]!];
      }
      insertAt(this.chunks, index + 1, upper);
      insertAt(this.starts, index + 1, upper.ranks[0] ?? rank);
      if (place >= half) {
        index++;
        place -= half;
        ({ ranks, rows } = upper);
      }
    }
    insertAt(ranks, place, rank);
    insertAt(rows, place, row);
    if (place === 0 && this.chunks !== null) this.starts[index] = rank;
  }

  private insertionPoint(suffix: BinaryString, rank: number): number {
    if (rank > this.lastRank) return this.end;
    let { ranks, rows } = this;
    let base = 0;
    if (this.chunks !== null) {
      // The last chunk whose first row is before the suffix.
      const { starts, chunks } = this;
      let low = 0;
      let high = chunks.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        const start = starts[middle]!;
        if (start < rank || (start === rank && chunks[middle]!.rows[0]!.suffix < suffix)) low = middle;
        else high = middle - 1;
      }
      ({ ranks, rows } = this.chunks[low]!);
      base = low << PLACE_BITS;
    }
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(ranks, rows, middle, suffix, rank)) low = middle + 1;
      else high = middle;
    }
    return base + low;
  }

  private rankOfLast(): number {
    const ranks = this.chunks === null ? this.ranks : this.chunks.at(-1)!.ranks;
    return ranks.length === 0 ? -1 : ranks[ranks.length - 1]!;
  }

  private removedFrom(index: number, isFirst: boolean): void {
    const chunks = this.chunks!;
    const { ranks, rows } = chunks[index]!;
    if (rows.length >= CHUNK_ROWS_MERGED) {
      if (isFirst) this.starts[index] = ranks[0]!;
      return;
    }
    if (rows.length === 0) {
      removeAt(chunks, index);
      removeAt(this.starts, index);
    } else {
      if (isFirst) this.starts[index] = ranks[0]!;
      this.merge(index > 0 ? index - 1 : index);
    }
    ({ ranks: this.ranks, rows: this.rows } = chunks[0]!);
    if (chunks.length > 1) return;
    this.chunks = null;
    this.starts = NO_NUMBERS;
  }

  /** A chunk and the one behind it become one, if they are small. */
  private merge(left: number): void {
    const chunks = this.chunks!;
    const lower = chunks[left]!;
    const upper = chunks[left + 1];
    if (upper === undefined || lower.rows.length + upper.rows.length > 2 * CHUNK_ROWS_MERGED) return;
    for (let i = 0; i < upper.rows.length; i++) {
      lower.ranks.push(upper.ranks[i]!);
      lower.rows.push(upper.rows[i]!);
    }
    removeAt(chunks, left + 1);
    removeAt(this.starts, left + 1);
  }
}

function isBefore<R extends SortedRow>(
  ranks: readonly number[],
  rows: readonly R[],
  place: number,
  suffix: BinaryString,
  rank: number,
): boolean {
  const other = ranks[place]!;
  return other < rank || (other === rank && rows[place]!.suffix < suffix);
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
