// Owns pages of a store over all instances: asks each for its partitions, merges by key, and names what is missing. One hop: an instance that
// is asked by another answers for itself alone.
import { readCursor, StoreQueryError, writeCursor } from '#libs/millrace';
import type { AnswerSource, MissingPartition, PageOptions, RowRange } from '#libs/millrace';
import { messageOf } from './query-json.ts';
import type { AnyHandle } from './store-plans.ts';

/** An entry as it is answered, and where it stands in the order of rows. */
export interface OrderedEntry {
  readonly entry: { readonly partition: number };
  /** Its encoded row key, as latin-1 text. */
  readonly rawKey: string;
}

export interface GatheredPage {
  readonly entries: readonly OrderedEntry[];
  readonly cursor: string | null;
  readonly sources: readonly AnswerSource[];
  readonly missing: readonly MissingPartition[];
}

/** How other instances are asked for their part. */
export type AskInstance = (host: string, partitions: readonly number[]) => Promise<GatheredPage>;

/** Of this instance alone. */
export async function ownPage(
  handle: AnyHandle,
  range: RowRange,
  options: PageOptions,
): Promise<GatheredPage> {
  const { rows, cursor, sources, missing } = await handle.reader.page(range, options);
  const entries: OrderedEntry[] = [];
  for (const row of rows) {
    const entry = (await handle.entryOf(row, row.partition)) as { readonly partition: number };
    entries.push({ entry, rawKey: row.key });
  }
  return { entries, cursor, sources, missing };
}

/** Of all instances that are known to have partitions. */
export async function gatheredPage(
  handle: AnyHandle,
  range: RowRange,
  options: PageOptions,
  ask: AskInstance,
  parallelMax: number,
): Promise<GatheredPage> {
  const parts: GatheredPage[] = [await ownPage(handle, range, options)];
  const failed: MissingPartition[] = [];
  const own = parts[0]!;
  const answered = new Set(own.sources.map(({ partition }) => partition));
  const others = handle.shape.subTopology === null ? [] : handle.metadata().filter(({ isLocal }) => !isLocal);
  const jobs = others
    .map(({ applicationServer, activePartitions }) => ({
      host: applicationServer!,
      partitions: activePartitions.filter((partition) => !answered.has(partition)),
    }))
    .filter(({ partitions }) => partitions.length > 0);
  let at = 0;
  const next = async (): Promise<void> => {
    for (let job = jobs[at++]; job !== undefined; job = jobs[at++]) {
      const { host, partitions } = job;
      try {
        parts.push(await ask(host, partitions));
      } catch (error) {
        if (!(error instanceof StoreQueryError)) throw error;
        const { code, retryAfterMs } = error;
        for (const partition of partitions)
          failed.push({ partition, code, message: messageOf(error), retryAfterMs, owner: host });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelMax, jobs.length) }, next));
  return merged(handle.name, parts, failed, options);
}

function merged(
  store: string,
  parts: readonly GatheredPage[],
  failed: readonly MissingPartition[],
  { limit = Infinity, reverse = false, cursor }: PageOptions,
): GatheredPage {
  const before = typeof cursor === 'string' ? readCursor(store, cursor) : new Map<number, string | null>();
  const places = new Map<number, string | null>(before);
  for (const part of parts) {
    const after = part.cursor === null ? null : readCursor(store, part.cursor);
    // Of others' partitions it only repeats what it was asked with.
    for (const { partition } of part.sources) places.set(partition, after?.get(partition) ?? null);
  }
  const feeds = parts.map((part) => ({ part, at: 0 }));
  const entries: OrderedEntry[] = [];
  while (entries.length < limit) {
    let first: (typeof feeds)[number] | null = null;
    let isOpen = false;
    for (const feed of feeds) {
      const head = feed.part.entries[feed.at];
      if (head === undefined) {
        // More of this instance may come before what the others have.
        if (feed.part.cursor !== null) isOpen = true;
        continue;
      }
      const best = first?.part.entries[first.at];
      if (best === undefined || head.rawKey < best.rawKey !== reverse) first = feed;
    }
    if (first === null || isOpen) break;
    entries.push(first.part.entries[first.at++]!);
  }
  for (const { part, at } of feeds) {
    // From the last back to the first: the first that was left is where its partition goes on.
    for (let i = part.entries.length - 1; i >= at; i--) {
      const { entry, rawKey } = part.entries[i]!;
      places.set(entry.partition, reverse ? `${rawKey}\0` : rawKey);
    }
  }
  const sources = parts.flatMap((part) => part.sources).sort((a, b) => a.partition - b.partition);
  const answered = new Set(sources.map(({ partition }) => partition));
  // What the pages before have read to its end nobody was asked for.
  for (const [partition, next] of before) if (next === null) answered.add(partition);
  const missing = new Map<number, MissingPartition>();
  // What an instance says of others' partitions counts for less than what became of asking those.
  for (const one of [...parts.flatMap((part) => part.missing), ...failed])
    if (!answered.has(one.partition)) missing.set(one.partition, one);
  const isDone = [...places.values()].every((place) => place === null);
  return {
    entries,
    cursor: isDone ? null : writeCursor(places as Parameters<typeof writeCursor>[0]),
    sources,
    missing: [...missing.values()].sort((a, b) => a.partition - b.partition),
  };
}
