// Owns the join of two streams over windows: each record meets those of the other side that are near in time.
// Source of the rules: KStreamKStreamJoin and its two sides of Kafka Streams. The result has the higher of the two timestamps. Null
// values are dropped; so are null keys, but on a side whose records are all to come out, where they do so alone (KIP-962).
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { OperatorClock, RecordMetadata, StoreEntry } from '../ports.ts';
import type { Operator, StreamFunction } from './operator.ts';
import { toEachStream } from './operator.ts';
import type { PerTask } from './per-task.ts';
import type { JoinWindowStore } from './stream-join-window.ts';
import { Side, UnmatchedRows } from './unmatched-rows.ts';

/** Called with this stream's value, the other's (`null`: there is none, or the other way round), the key and the record's metadata. */
export type StreamJoiner = (left: unknown, right: unknown, key: unknown, metadata: RecordMetadata) => unknown;

/** Highest timestamp that either side was shown. Set when the left side is compiled, before any record. */
export interface JoinTime {
  both: OperatorClock | null;
}

export interface StreamJoinSide {
  readonly side: Side;
  /** Its records that find nobody come out alone when their window closes. */
  readonly outer: boolean;
  /** Where the other side's records are. */
  readonly otherStore: JoinWindowStore;
  /** Of both sides; `null`: an inner join. */
  readonly unmatchedStore: string | null;
  /** How much older and newer the other side's record may be, milliseconds. */
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly graceMs: number;
  readonly joiner: StreamJoiner;
  readonly times: PerTask<JoinTime>;
}

/** One direction of the join. Keeps nothing but the unmatched rows of left and outer joins. */
export function streamStreamJoinOperator(spec: StreamJoinSide): Operator {
  const { side, outer, otherStore, unmatchedStore, beforeMs, afterMs, graceMs, joiner } = spec;
  const isLeft = side === Side.LEFT;
  const otherSide = isLeft ? Side.RIGHT : Side.LEFT;
  const openMs: readonly [number, number] = isLeft
    ? [beforeMs + graceMs, afterMs + graceMs]
    : [afterMs + graceMs, beforeMs + graceMs];
  return {
    takes: 'stream',
    gives: 'stream',
    // What closes with its window has the key that it came with.
    key: unmatchedStore === null ? 'kept' : 'changed',
    value: 'changed',
    stores: unmatchedStore === null ? [otherStore.name] : [otherStore.name, unmatchedStore],
    reads: [
      {
        keySerde: otherStore.keySerde,
        ahead: {
          kind: 'range',
          store: otherStore.name,
          from: (timestamp) => orderedTime(Math.max(0, timestamp - beforeMs)),
        },
      },
    ],
    runsUserCode: true,
    wantsNullKeys: unmatchedStore !== null,
    fold(site, children) {
      const next = toEachStream(children);
      const other = site.orderedStore(otherStore.name);
      const { fromSource, codec } = site.keyEncoder(otherStore.keySerde);
      const { context } = site;
      const links = site.linksOf(unmatchedStore ?? otherStore.name);
      const { retentionMs } = otherStore;
      const time = spec.times.of(site);
      const otherClock = site.storeClock(otherStore.name);
      const unmatched =
        unmatchedStore === null
          ? null
          : new UnmatchedRows(site.orderedStore(unmatchedStore), otherStore.keySerde, openMs);

      const join = (value: unknown, otherValue: unknown, key: unknown): unknown => {
        try {
          return (
            (isLeft ? joiner(value, otherValue, key, context) : joiner(otherValue, value, key, context)) ??
            null
          );
        } catch (error) {
          throw site.blame(error);
        }
      };
      const giveOut = (from: Side, key: unknown, value: unknown, timestamp: number): void => {
        const isLinked = links.enabled && links.emit(linkIdOf(from, codec.toBinary(key), timestamp));
        next(key, from === side ? join(value, null, key) : join(null, value, key), timestamp);
        if (isLinked) links.done();
      };
      if (isLeft) {
        time.both = site.clock(unmatched === null ? undefined : (now) => unmatched.giveOut(now, giveOut));
      }

      // The record in process, for the visitor of the rows it meets.
      let key: unknown = null;
      let value: unknown = null;
      let timestamp = 0;
      let group = '' as BinaryString;
      let until = 0;
      let matched = false;
      const meet = (row: StoreEntry): boolean => {
        const otherTime = row.timestamp;
        if (otherTime > until) return false;
        matched = true;
        if (unmatched !== null) unmatched.remove(otherSide, group, otherTime);
        const joined = join(value, other.value(row), key);
        next(key, joined, otherTime > timestamp ? otherTime : timestamp);
        return true;
      };

      const process: StreamFunction = (givenKey, givenValue, givenTimestamp) => {
        const now = time.both!.observe(givenTimestamp);
        if (givenValue === null || givenValue === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a stream-stream join');
          return;
        }
        if (givenKey === null || givenKey === undefined) {
          if (outer) next(givenKey, join(givenValue, null, givenKey), givenTimestamp);
          else site.drop('MILLRACE_NULL_KEY', 'null key in a stream-stream join');
          return;
        }
        if (unmatched !== null && givenTimestamp >= now && unmatched.isDue(openMs[side], now)) {
          unmatched.giveOut(now, giveOut);
        }

        key = givenKey;
        value = givenValue;
        timestamp = givenTimestamp;
        group = fromSource ? context.rawKey! : codec.toBinary(givenKey);
        matched = false;
        until = Math.max(0, timestamp + afterMs);
        const expired = otherClock.now - retentionMs;
        const from = Math.max(0, timestamp - beforeMs, expired + 1);
        // The visitor stops behind `until`: that costs less than to encode an end for each record.
        if (from <= until) other.range(group, orderedTime(from), null, meet);
        if (!matched && outer) {
          if (until < now) next(key, join(value, null, key), timestamp);
          else {
            unmatched!.add(side, group, value, timestamp);
            if (links.enabled) links.feed(linkIdOf(side, group, timestamp));
          }
        }
      };
      return process;
    },
  };
}

/** Of a record that has found nobody yet. */
function linkIdOf(side: Side, key: BinaryString, timestamp: number): string {
  return `${side} ${timestamp} ${key}`;
}
