// Owns reading a store over the partitions that are here, in order and page by page: asks for each partition, merges by key, and says in a
// cursor where each of them goes on. It knows rows, not values: what they mean is the handle's.
import type { BinaryString, ErrorCode } from '#libs/core';
import { queryInvalid, StoreQueryError } from './query-error.ts';
import type { AnswerSource, EncodedRow, EncodedValue, ReadOptions, StoreQueryPort } from './store-query.ts';
import type { StoreShape } from './store-shape.ts';

export const PAGE_ROWS_DEFAULT = 1_000;
export const PAGE_ROWS_MAX = 10_000;
/** Partitions asked beside each other. */
const PARALLEL_MAX = 8;
/** Rows asked of a partition at least, where many share a page. */
const SHARE_MIN = 64;
/** How often a partition whose rows are used up is asked for more within a page. */
const REFILLS_MAX = 16;
const CURSOR_LENGTH_MAX = 1 << 20;

export interface PageOptions extends ReadOptions {
  /** Rows at most: 1 to 10,000. Default 1,000. A page may be shorter, or empty, and not the last: `cursor` says. */
  readonly limit?: number;
  /** Of the page before. The other options have to be those of the page before too. */
  readonly cursor?: string | null;
  /** From the highest key down. */
  readonly reverse?: boolean;
  /** Default: all that are here. One that is not is refused. */
  readonly partitions?: readonly number[];
  /** Of those that are here no others; one that is not is named as missing. */
  readonly only?: readonly number[];
}

export interface RowRange {
  readonly from?: BinaryString;
  readonly to?: BinaryString;
  readonly fromTime?: number;
  readonly toTime?: number;
}

export interface PartitionRow extends EncodedRow {
  readonly partition: number;
}

/** A partition that the page says nothing of. */
export interface MissingPartition {
  readonly partition: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs: number | null;
  readonly owner: string | null;
}

export interface RowPage {
  readonly rows: readonly PartitionRow[];
  /** `null`: this was the last. */
  readonly cursor: string | null;
  readonly sources: readonly AnswerSource[];
  readonly missing: readonly MissingPartition[];
}

/** Where a partition goes on; `null`: it is read to its end. */
export type CursorPlaces = ReadonlyMap<number, BinaryString | null>;

interface Feed {
  readonly partition: number;
  rows: readonly EncodedRow[];
  at: number;
  next: BinaryString | null;
  refills: number;
}

export class StoreReader {
  readonly shape: StoreShape;
  readonly port: StoreQueryPort;

  constructor(shape: StoreShape, port: StoreQueryPort) {
    this.shape = shape;
    this.port = port;
  }

  async many(
    partition: number,
    keys: readonly BinaryString[],
    options: ReadOptions = {},
  ): Promise<{ readonly values: readonly (EncodedValue | null)[]; readonly source: AnswerSource }> {
    const { from, maxLag } = options;
    return this.port.ask({
      kind: 'many',
      store: this.shape.name,
      partition,
      keys,
      ...(from === undefined ? {} : { from }),
      ...(maxLag === undefined ? {} : { maxLag }),
    });
  }

  /**
   * A page over partitions. Each partition's part is of one moment of its own. Partitions that cannot be read are named, unless they were
   * asked for by number. @throws StoreQueryError
   */
  async page(range: RowRange, options: PageOptions = {}): Promise<RowPage> {
    const { limit = PAGE_ROWS_DEFAULT, cursor = null, reverse = false, partitions } = options;
    const { name } = this.shape;
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > PAGE_ROWS_MAX)
      throw queryInvalid(name, `limit is ${String(limit)}, not a whole number of 1 to ${PAGE_ROWS_MAX}`);
    const places = cursor === null ? new Map<number, BinaryString | null>() : readCursor(name, cursor);
    const missing: MissingPartition[] = [];
    const sources = new Map<number, AnswerSource>();
    const chosen = partitions ?? this.here(options).filter((one) => options.only?.includes(one) !== false);
    const share = Math.min(limit, Math.max(SHARE_MIN, Math.ceil((2 * limit) / Math.max(1, chosen.length))));
    const asked = chosen.filter((partition) => places.get(partition) !== null);
    const ask = async (feed: Feed): Promise<void> => {
      const bound = feed.next;
      const answer = await this.port.ask({
        kind: 'page',
        store: name,
        partition: feed.partition,
        range: {
          ...range,
          ...(bound === null ? {} : reverse ? { to: bound } : { from: bound }),
          descending: reverse,
          limit: share,
        },
        ...readOptions(options),
      });
      feed.rows = answer.rows;
      feed.at = 0;
      feed.next = answer.next;
      if (!sources.has(feed.partition)) sources.set(feed.partition, answer.source);
    };
    const feeds: Feed[] = [];
    await inParallel(asked, async (partition) => {
      const feed: Feed = { partition, rows: [], at: 0, next: places.get(partition) ?? null, refills: 0 };
      try {
        await ask(feed);
        feeds.push(feed);
      } catch (error) {
        if (partitions !== undefined || !(error instanceof StoreQueryError)) throw error;
        missing.push(missingOf(partition, error));
      }
    });
    const rows: PartitionRow[] = [];
    merging: while (rows.length < limit) {
      let first: Feed | null = null;
      for (const feed of feeds) {
        if (feed.at >= feed.rows.length) {
          if (feed.next === null) continue;
          // Rows of others may come behind its next ones.
          if (feed.refills++ >= REFILLS_MAX) break merging;
          await ask(feed);
          if (feed.at >= feed.rows.length && feed.next !== null) break merging;
          if (feed.at >= feed.rows.length) continue;
        }
        const key = feed.rows[feed.at]!.key;
        if (first === null || key < first.rows[first.at]!.key !== reverse) first = feed;
      }
      if (first === null) break;
      rows.push({ ...first.rows[first.at++]!, partition: first.partition });
    }
    const going = new Map<number, BinaryString | null>(places);
    for (const { partition, rows: left, at, next } of feeds) {
      const row = left[at];
      if (row === undefined) going.set(partition, next);
      else going.set(partition, reverse ? ((row.key + '\0') as BinaryString) : row.key);
    }
    const isDone = chosen.every((partition) => going.get(partition) === null) || feeds.length === 0;
    return {
      rows,
      cursor: isDone ? null : writeCursor(going),
      sources: [...sources.values()].sort((a, b) => a.partition - b.partition),
      missing: [...missing, ...this.absent(options)].sort((a, b) => a.partition - b.partition),
    };
  }

  /** About how many rows the partitions here have; `null`: it is not known of one of them. */
  async size(options: PageOptions = {}): Promise<number | null> {
    let sum: number | null = 0;
    const here = options.partitions ?? this.here(options);
    for (const partition of here.filter((one) => options.only?.includes(one) !== false)) {
      const { size } = await this.port.ask({
        kind: 'size',
        store: this.shape.name,
        partition,
        ...readOptions(options),
      });
      sum = sum === null || size === null ? null : sum + size;
    }
    return sum;
  }

  /** Partitions that may be read here: of active tasks, those being opened, and copies where they will do. */
  here({ from = 'active' }: ReadOptions): number[] {
    const { active, opening, standby } = this.port.partitions(this.shape.name);
    const here = new Set([...active, ...opening]);
    if (from === 'activeOrStandby') for (const partition of standby.keys()) here.add(partition);
    return [...here].sort((a, b) => a - b);
  }

  private absent(options: PageOptions): MissingPartition[] {
    if (options.partitions !== undefined) return [];
    const here = new Set(this.here(options));
    const { count } = this.port.partitions(this.shape.name);
    const absent: MissingPartition[] = [];
    for (let partition = 0; partition < count; partition++) {
      if (here.has(partition) || options.only?.includes(partition) === false) continue;
      absent.push({
        partition,
        code: 'MILLRACE_STORE_ELSEWHERE',
        message: `Partition ${partition} of store "${this.shape.name}" is not on this instance.`,
        retryAfterMs: null,
        owner: null,
      });
    }
    return absent;
  }
}

export function readOptions({ from, maxLag }: ReadOptions): ReadOptions {
  return { ...(from === undefined ? {} : { from }), ...(maxLag === undefined ? {} : { maxLag }) };
}

function missingOf(partition: number, error: StoreQueryError): MissingPartition {
  const { code, message, retryAfterMs, owner } = error;
  return { partition, code, message, retryAfterMs, owner };
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  let at = 0;
  const next = async (): Promise<void> => {
    while (at < items.length) await run(items[at++]!);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_MAX, items.length) }, next));
}

/** Opaque text, fit for a URL. */
export function writeCursor(places: CursorPlaces): string {
  const pairs = [...places].map(([partition, next]) => [
    partition,
    next === null ? null : Buffer.from(next, 'latin1').toString('base64'),
  ]);
  return Buffer.from(JSON.stringify(pairs)).toString('base64url');
}

/** @throws StoreQueryError MILLRACE_QUERY_INVALID */
export function readCursor(store: string, cursor: string): Map<number, BinaryString | null> {
  const places = new Map<number, BinaryString | null>();
  try {
    if (cursor.length > CURSOR_LENGTH_MAX) throw new Error('too long');
    const pairs: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (!Array.isArray(pairs)) throw new Error('no list');
    for (const pair of pairs as unknown[]) {
      const [partition, next] = pair as readonly unknown[];
      if (!Number.isSafeInteger(partition) || (next !== null && typeof next !== 'string'))
        throw new Error('no place');
      places.set(
        partition as number,
        next === null ? null : (Buffer.from(next, 'base64').toString('latin1') as BinaryString),
      );
    }
  } catch (cause) {
    throw queryInvalid(store, 'the cursor is none of its pages', 'Begin again without a cursor.', cause);
  }
  return places;
}
