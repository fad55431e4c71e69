// Owns the comparison of one store with its changelog: what the changelog had up to the offset that the database says it has reached, against every row.
import type { BrokerClient } from '#libs/broker';
import { formatTopicPartition, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { detachBinary, bytesFromBinary } from '#libs/serde';
import type { InspectedStore } from '#libs/state-rocksdb';
import { createHash } from 'node:crypto';
import { readRecords } from '../changelogs/index.ts';
import type { Difference, DifferenceKind, StoredSide, StoreVerification } from './contract.ts';

/** Of a value that is shown. Larger ones are compared by their hash. */
const SHOWN_BYTES = 128;
const GROUP_LENGTH_BYTES = 4;
const TIME_BYTES = 8;
const PROGRESS_ROWS = 10_000;

export interface CompareParts {
  readonly client: BrokerClient;
  readonly store: InspectedStore;
  readonly changelog: string;
  readonly partition: number;
  /** `null`: the database has reached nothing. */
  readonly reached: number | null;
  /** Rows of an earlier time may be gone on either side, milliseconds; `-Infinity`: none. */
  readonly expiredBefore: number;
  /** Records with an earlier timestamp may have been deleted from the changelog for their age, milliseconds; `-Infinity`: none. */
  readonly deletedBefore: number;
  readonly differencesMax: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (stage: 'changelog' | 'database', done: number, total: number | null) => void;
}

/** What the changelog says of a key. */
interface Logged {
  /** As of what the database has reached; `null`: no such key. */
  side: (StoredSide & { readonly hash: string }) | null;
  /** Written again behind that. */
  changedSince: boolean;
}

export async function compareStore(parts: CompareParts): Promise<StoreVerification> {
  const { store, changelog, reached, signal } = parts;
  const logged = await readChangelog(parts);
  const tally = new Tally(parts);
  let rows = 0;
  for await (const { key, value, timestamp, misplaced } of store.rows()) {
    rows++;
    if (rows % PROGRESS_ROWS === 0) {
      signal?.throwIfAborted();
      parts.onProgress('database', rows, null);
    }
    const here = sideOf(value, timestamp);
    const there = logged.get(key);
    // Each key that is left was not found.
    logged.delete(key);
    const side = there?.side ?? null;
    if (misplaced) tally.add('misplaced', key, here, side, there);
    else if (side === null) tally.add('extra', key, here, null, there);
    else if (side.hash !== here.hash) tally.add('value', key, here, side, there);
    else if (side.timestamp !== timestamp) tally.add('timestamp', key, here, side, there);
    else tally.same++;
    tally.note(key);
  }
  for (const [key, there] of logged)
    if (there.side !== null) tally.add('missing', key, null, there.side, there);
  const { same, expired, changedSince, different, differences } = tally.result();
  return {
    ...{ store: store.name, identity: store.identity, changelog, reached, rows },
    ...{ same, expired, changedSince, different, differences, skipped: null },
  };
}

async function readChangelog(parts: CompareParts): Promise<Map<BinaryString, Logged>> {
  const { client, changelog: topic, partition, reached, signal } = parts;
  const place = [{ topic, partition }];
  const [starts, ends] = await Promise.all([
    client.admin.offsets(place, 'earliest', 'read_committed'),
    client.admin.offsets(place, 'latest', 'read_committed'),
  ]);
  const name = formatTopicPartition(topic, partition);
  const span = { topic, partition, from: starts.get(name) ?? 0, to: ends.get(name) ?? 0 };
  const logged = new Map<BinaryString, Logged>();
  const until = reached ?? 0;
  await readRecords(
    client,
    [span],
    (columns, index) => {
      const key = columns.key(index);
      if (key === null) return;
      const isBehind = columns.offsets[index]! >= until;
      const value = columns.value(index);
      const known = logged.get(key);
      if (isBehind) {
        if (known === undefined) logged.set(detachBinary(key), { side: null, changedSince: true });
        else known.changedSince = true;
        return;
      }
      const side = value === null ? null : sideOf(value, columns.timestamps[index]!);
      if (known === undefined) logged.set(detachBinary(key), { side, changedSince: false });
      else known.side = side;
    },
    { signal, onProgress: ({ done, total }) => parts.onProgress('changelog', done, total) },
  );
  return logged;
}

function sideOf(value: BinaryString, timestamp: number): StoredSide & { readonly hash: string } {
  const isShort = value.length <= SHOWN_BYTES;
  const shown = detachBinary(isShort ? value : (value.slice(0, SHOWN_BYTES) as BinaryString));
  const hash = isShort ? shown : createHash('sha256').update(bytesFromBinary(value)).digest('base64');
  return { value: shown, bytes: value.length, timestamp, hash };
}

type Undecided = Pick<Difference, 'kind' | 'key' | 'database' | 'changelog'>;

class Tally {
  same = 0;
  private expired = 0;
  private changedSince = 0;
  private readonly counts: Record<DifferenceKind, number> = {
    ...{ missing: 0, extra: 0, value: 0, timestamp: 0, misplaced: 0 },
  };
  private readonly list: Difference[] = [];
  private readonly parts: CompareParts;
  /** The first segment with rows: segments before it were dropped. */
  private oldestSegment = Infinity;

  constructor(parts: CompareParts) {
    this.parts = parts;
  }

  /** A row of this key is in the database. */
  note(key: BinaryString): void {
    const { segmentMs } = this.parts.store;
    if (segmentMs === 0) return;
    this.oldestSegment = Math.min(this.oldestSegment, Math.floor(timeOf(key) / segmentMs));
  }

  add(
    kind: DifferenceKind,
    key: BinaryString,
    database: StoredSide | null,
    changelog: StoredSide | null,
    logged: Logged | undefined,
  ): void {
    if (this.isExpired(kind, key, database)) this.expired++;
    else if (logged?.changedSince === true && kind !== 'misplaced') this.changedSince++;
    else this.count({ kind, key, database: shownSide(database), changelog: shownSide(changelog) });
  }

  result() {
    const { same, expired, changedSince, counts, list } = this;
    return { same, expired, changedSince, different: { ...counts }, differences: list };
  }

  private count(difference: Undecided): void {
    this.counts[difference.kind]++;
    if (this.list.length < this.parts.differencesMax) this.list.push(difference);
  }

  private isExpired(kind: DifferenceKind, key: BinaryString, database: StoredSide | null): boolean {
    if (kind === 'misplaced') return false;
    if (kind === 'extra' && database!.timestamp < this.parts.deletedBefore) return true;
    const { segmentMs } = this.parts.store;
    if (segmentMs === 0) return false;
    const time = timeOf(key);
    if (time < this.parts.expiredBefore) return true;
    // Segments are dropped from the oldest on.
    return (
      kind === 'missing' && this.oldestSegment < Infinity && Math.floor(time / segmentMs) < this.oldestSegment
    );
  }
}

function shownSide(side: StoredSide | null): StoredSide | null {
  return side === null ? null : { value: side.value, bytes: side.bytes, timestamp: side.timestamp };
}

/** The time a row's suffix begins with; infinite: it has none. */
function timeOf(key: BinaryString): number {
  if (key.length < GROUP_LENGTH_BYTES) return Infinity;
  const at = GROUP_LENGTH_BYTES + readOrderedUint32(key, 0);
  return at + TIME_BYTES > key.length ? Infinity : readOrderedTime(key, at);
}
