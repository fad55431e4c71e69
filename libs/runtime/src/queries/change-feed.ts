// Owns following the committed changes of a store: its changelog, or the topic it is made of, read by a reader of its own for as long as
// somebody listens. Pull only: nothing is read ahead of who listens but what one fetch brought. It never touches the tasks.
//
// 1. Changes are committed (read_committed). Those of a source topic that is a table's changelog come once the group has committed them.
// 2. Each change names the places of all partitions behind it: who comes back with that text misses nothing and gets nothing twice.
// 3. A changelog is compacted: who comes back late may get only the newest change of a key. If what lies between is gone, it is refused.
import { RecordColumns } from '#libs/broker';
import type { BrokerClient, FetchedChunk, RecordReader } from '#libs/broker';
import { MillraceError, formatTopicPartition } from '#libs/core';
import type { BinaryString, Clock, TopicPartition } from '#libs/core';
import { detachBinary } from '#libs/serde';
import { changesLost, queryInvalid } from './query-error.ts';

/** Bytes fetched and not taken, for one listener. */
const BUFFERED_BYTES_MAX = 2 * 1024 * 1024;
const PARTITION_BYTES_MAX = 256 * 1024;
const WAIT_MS = 250;
/** Between two looks at what the group has committed of a source topic, and at which partitions are here. */
const LOOK_MS = 500;
/** Changes handed over at once. */
const CHANGES_MAX = 500;

export interface ChangeOptions {
  /** `resume` of the last change that was seen; wins over `since`. */
  readonly resume?: string;
  /** Where partitions begin of which `resume` says nothing. Default `latest`. */
  readonly since?: 'earliest' | 'latest' | ReadonlyMap<number, number>;
  /** `all`: of every partition, wherever its task runs. `local`: of those whose task runs here, as they come and go. Default `all`. */
  readonly scope?: 'all' | 'local';
  /** Ends the feed. */
  readonly signal?: AbortSignal;
  /** Called whenever there is nothing to hand over, at most every 250 ms. */
  readonly onIdle?: () => void;
}

export interface EncodedChange {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** As the store has it: a row key of an ordered store. */
  readonly key: BinaryString;
  /** `null`: deleted. */
  readonly value: BinaryString | null;
  /** Places of all partitions behind this change. */
  readonly resume: string;
}

export interface StoreChange<E> {
  /** Without a value where it was deleted. */
  readonly entry: E;
  readonly deleted: boolean;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly resume: string;
}

export interface ChangeSource {
  readonly store: string;
  readonly topic: string;
  readonly partitions: number;
  /** The topic is a source's: what the group has not committed is no part of the store yet. */
  readonly untilCommitted: boolean;
  /** Partitions whose tasks run here, now. */
  readonly local: () => readonly number[];
  /** The application has ended. */
  readonly hasEnded: () => boolean;
  readonly groupId: string;
}

/** Gives changes as they come, some at a time. @throws StoreQueryError MILLRACE_CHANGES_LOST, MILLRACE_QUERY_INVALID */
export async function* followChanges(
  client: BrokerClient,
  clock: Clock,
  source: ChangeSource,
  options: ChangeOptions,
): AsyncGenerator<readonly EncodedChange[]> {
  const feed = new ChangeFeed(client, clock, source, options);
  try {
    yield* feed.run();
  } finally {
    await feed.close();
  }
}

class ChangeFeed {
  private readonly client: BrokerClient;
  private readonly clock: Clock;
  private readonly source: ChangeSource;
  private readonly options: ChangeOptions;
  private readonly reader: RecordReader;
  private readonly columns = new RecordColumns();
  /** The next offset to hand over, by partition. */
  private readonly places = new Map<number, number>();
  private readonly assigned = new Set<number>();
  /** By partition: nothing from there on, for now. */
  private committed: ReadonlyMap<number, number> | null = null;
  private lookedAt = -Infinity;
  /** Of a source topic: fetched, and not committed yet. */
  private held: EncodedChange[] = [];
  private readonly onAbort: () => void;

  constructor(client: BrokerClient, clock: Clock, source: ChangeSource, options: ChangeOptions) {
    this.client = client;
    this.clock = clock;
    this.source = source;
    this.options = options;
    this.reader = client.createReader({
      isolation: 'read_committed',
      maxBufferedBytes: BUFFERED_BYTES_MAX,
      partitionMaxBytes: PARTITION_BYTES_MAX,
    });
    this.onAbort = () => this.reader.wake();
    options.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  async *run(): AsyncGenerator<readonly EncodedChange[]> {
    const { source, options } = this;
    await this.begin();
    while (!this.isAborted && !source.hasEnded()) {
      await this.look();
      const ready = this.takeHeld();
      if (ready.length > 0) yield ready;
      const chunk = this.held.length < CHANGES_MAX ? this.take() : undefined;
      if (chunk !== undefined) {
        for (const changes of this.changesOf(chunk)) {
          if (this.source.untilCommitted) this.held.push(...changes);
          else if (changes.length > 0) yield changes;
          if (this.isAborted) return;
        }
        continue;
      }
      options.onIdle?.();
      await this.reader.waitForChunk(WAIT_MS);
    }
  }

  private get isAborted(): boolean {
    return this.options.signal?.aborted === true;
  }

  async close(): Promise<void> {
    this.options.signal?.removeEventListener('abort', this.onAbort);
    await this.reader.close();
  }

  private async begin(): Promise<void> {
    const { resume, since = 'latest' } = this.options;
    const { store, partitions } = this.source;
    const given = resume === undefined ? new Map<number, number>() : readPlaces(store, resume);
    if (typeof since !== 'string')
      for (const [partition, offset] of since) if (!given.has(partition)) given.set(partition, offset);
    const all = Array.from({ length: partitions }, (_, partition) => this.of(partition));
    for (const partition of given.keys())
      if (partition >= partitions) throw queryInvalid(store, `it has no partition ${partition}`);
    const [starts, ends] = await Promise.all([
      this.client.admin.offsets(all, 'earliest', 'read_committed'),
      this.client.admin.offsets(all, 'latest', 'read_committed'),
    ]);
    for (const { topic, partition } of all) {
      const key = formatTopicPartition(topic, partition);
      const start = starts.get(key) ?? 0;
      const place = given.get(partition);
      if (place !== undefined && place < start) throw changesLost(store, partition, place, start);
      this.places.set(partition, place ?? (since === 'earliest' ? start : (ends.get(key) ?? 0)));
    }
    if (this.source.untilCommitted && since === 'latest') {
      await this.look();
      for (const [partition, offset] of this.committed ?? [])
        if (!given.has(partition)) this.places.set(partition, offset);
    }
    this.assign();
  }

  private of(partition: number): TopicPartition {
    return { topic: this.source.topic, partition };
  }

  private async look(): Promise<void> {
    const now = this.clock.monotonic();
    if (now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    const { source, client } = this;
    if (source.untilCommitted) {
      const all = [...this.places.keys()].map((partition) => this.of(partition));
      const found = await client.admin.committedOffsets(source.groupId, all, { requireStable: false });
      this.committed = new Map(
        all.map(({ topic, partition }) => [
          partition,
          found.get(formatTopicPartition(topic, partition))?.offset ?? 0,
        ]),
      );
    }
    if (this.assigned.size > 0) this.assign();
  }

  private assign(): void {
    const { scope = 'all' } = this.options;
    const wanted = scope === 'all' ? [...this.places.keys()] : this.source.local();
    const { topic } = this.source;
    for (const partition of wanted) {
      if (this.assigned.has(partition)) continue;
      this.assigned.add(partition);
      this.reader.assign(topic, partition, this.places.get(partition) ?? 0);
    }
    for (const partition of this.assigned) {
      if (wanted.includes(partition)) continue;
      this.assigned.delete(partition);
      this.reader.unassign(topic, partition);
    }
  }

  private take(): FetchedChunk | undefined {
    try {
      return this.reader.take();
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'MILLRACE_OFFSET_OUT_OF_RANGE') throw error;
      const partition = Number(error.context['partition']);
      const place = this.places.get(partition) ?? 0;
      throw changesLost(this.source.store, partition, place, place + 1);
    }
  }

  private *changesOf(chunk: FetchedChunk): Generator<readonly EncodedChange[]> {
    const { columns, places } = this;
    const { partition } = chunk;
    let changes: EncodedChange[] = [];
    for (const batch of chunk.batches) {
      columns.decode(batch, Math.max(chunk.startOffset, places.get(partition) ?? 0));
      const { count } = columns;
      for (let i = 0; i < count; i++) {
        const key = columns.key(i);
        if (key === null) continue;
        const offset = columns.offsets[i]!;
        const value = columns.value(i);
        if (!this.source.untilCommitted) places.set(partition, offset + 1);
        changes.push({
          partition,
          offset,
          timestamp: columns.timestamps[i]!,
          key: detachBinary(key),
          value: value === null ? null : detachBinary(value),
          resume: this.source.untilCommitted ? '' : writePlaces(places),
        });
        if (changes.length < CHANGES_MAX) continue;
        // The columns are this feed's own: nobody decodes into them before the next step.
        yield changes;
        changes = [];
      }
    }
    if (!this.source.untilCommitted) places.set(partition, chunk.nextOffset);
    yield changes;
  }

  /** What of the held changes is committed by now. */
  private takeHeld(): readonly EncodedChange[] {
    const ready: EncodedChange[] = [];
    const held: EncodedChange[] = [];
    for (const change of this.held) {
      if (change.offset >= (this.committed?.get(change.partition) ?? 0)) {
        held.push(change);
        continue;
      }
      this.places.set(change.partition, change.offset + 1);
      ready.push({ ...change, resume: writePlaces(this.places) });
    }
    this.held = held;
    return ready;
  }
}

/** `partition.offset` pairs in base 36, such as `0.4v-1.2s`: fit for an event id and a URL. */
export function writePlaces(places: ReadonlyMap<number, number>): string {
  let text = '';
  for (const [partition, offset] of places)
    text += `${text === '' ? '' : '-'}${partition.toString(36)}.${offset.toString(36)}`;
  return text;
}

const PLACE = /^([0-9a-z]{1,6})\.([0-9a-z]{1,11})$/;
const PLACES_LENGTH_MAX = 64 * 1024;

/** @throws StoreQueryError MILLRACE_QUERY_INVALID */
export function readPlaces(store: string, text: string): Map<number, number> {
  const places = new Map<number, number>();
  if (text.length > PLACES_LENGTH_MAX) throw queryInvalid(store, 'the place to resume at is too long');
  for (const pair of text === '' ? [] : text.split('-')) {
    const parts = PLACE.exec(pair);
    const offset = Number.parseInt(parts?.[2] ?? '', 36);
    if (parts === null || !Number.isSafeInteger(offset))
      throw queryInvalid(store, 'the place to resume at is none of a change', 'Give the id of a change.');
    places.set(Number.parseInt(parts[1]!, 36), offset);
  }
  return places;
}
