// Owns what is known of one assigned partition: where fetching goes on, what is buffered, what stands in the way.
// A new assignment is a new object, so that an answer to an older request finds nobody to change.
import { formatTopicPartition } from '#libs/core';
import type { Clock, MillraceError } from '#libs/core';
import { Backoff } from '../cluster/index.ts';
import type { Pace } from '../cluster/index.ts';
import type { FetchedChunk } from '../contracts/record-reader.ts';

export class PartitionReading {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly #clock: Clock;
  readonly #backoff: Backoff;

  /** The next offset to fetch, and the leader epoch of the record before it; -1 unknown. */
  fetchOffset: number;
  fetchEpoch: number;
  /** The next offset to take. */
  position: number;
  chunks: FetchedChunk[] = [];
  bufferedBytes = 0;
  paused = false;
  /** Unassigned, or moved elsewhere by a new assignment. */
  dropped = false;
  /** Reading failed for good; shows once the chunks before it are taken. */
  error: MillraceError | undefined;
  /** In the reader's queue of what may be taken. */
  queued = false;
  inFlight = false;
  notBefore = 0;
  highWatermark = -1;
  lastStableOffset = -1;
  /** Wall clock at which the newest request that was answered left; -1: none was. */
  askedAt = -1;
  /** The topic's id when reading began: another one is another topic. */
  topicId: string | undefined;
  /** Leader epoch against which the fetch position was last checked; -1 never. */
  validatedEpoch = -1;
  validating = false;
  /** A closer replica that the leader named (KIP-392); -1 none. */
  preferredReplica = -1;
  preferredUntil = 0;
  /** Fetches in a row whose bytes were broken. */
  corruptFetches = 0;

  constructor(clock: Clock, topic: string, partition: number, offset: number, leaderEpoch: number) {
    this.#clock = clock;
    this.#backoff = new Backoff(clock);
    this.topic = topic;
    this.partition = partition;
    this.key = formatTopicPartition(topic, partition);
    this.fetchOffset = offset;
    this.fetchEpoch = leaderEpoch;
    this.position = offset;
  }

  /** Has `take` something to give or to throw? */
  get takeable(): boolean {
    return !this.dropped && !this.paused && (this.chunks.length > 0 || this.error !== undefined);
  }

  pauseFetching(pace: Pace = 'normal'): void {
    this.notBefore = this.#clock.monotonic() + this.#backoff.next(pace);
  }

  succeeded(): void {
    this.#backoff.reset();
    this.notBefore = 0;
  }

  push(chunk: FetchedChunk): void {
    this.chunks.push(chunk);
    this.bufferedBytes += chunk.byteLength;
    this.fetchOffset = chunk.nextOffset;
    if (chunk.leaderEpoch >= 0) this.fetchEpoch = chunk.leaderEpoch;
  }

  /** The oldest chunk, or its first `count` batches; `unfoldedBytes` of what was compressed in them is in memory besides. */
  shift(count: number, unfoldedBytes: number): FetchedChunk {
    let chunk = this.chunks.shift()!;
    if (count < chunk.batches.length) {
      const [first, rest] = splitChunk(chunk, count);
      this.chunks.unshift(rest);
      chunk = first;
    }
    if (unfoldedBytes > 0) chunk = { ...chunk, heldBytes: chunk.byteLength + unfoldedBytes };
    this.bufferedBytes -= chunk.byteLength;
    this.position = chunk.nextOffset;
    return chunk;
  }

  drop(): void {
    this.dropped = true;
    this.chunks = [];
    this.bufferedBytes = 0;
  }
}

/** Before and behind its first `count` batches. Each is as if a fetch had brought it. */
function splitChunk(chunk: FetchedChunk, count: number): readonly [FetchedChunk, FetchedChunk] {
  const batches = chunk.batches.slice(0, count);
  const { nextOffset, partitionLeaderEpoch: leaderEpoch } = batches.at(-1)!;
  let byteLength = 0;
  for (const batch of batches) byteLength += batch.bytes.length;
  const restLength = chunk.byteLength - byteLength;
  return [
    { ...chunk, batches, nextOffset, leaderEpoch, byteLength, heldBytes: byteLength },
    {
      ...chunk,
      startOffset: nextOffset,
      batches: chunk.batches.slice(count),
      byteLength: restLength,
      heldBytes: restLength,
    },
  ];
}
