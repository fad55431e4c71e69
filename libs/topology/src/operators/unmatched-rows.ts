// Owns the records of a left or outer join that have found nobody so far: kept in one resident store until they are matched or
// their window has closed, and then given out once, in the order of time.
// Source of the rules: `emitNonJoinedOuterRecords` of KStreamKStreamJoin of Kafka Streams, without its pause of a second between
// two rounds. When a round is held depends on the lowest time it noted in the round before, which is not always that of the oldest row.
//
// Rows: group '', suffix time ++ side ++ key, so that they lie in the order in which they are given out; value: the list of the values
// with that key and time. The noted time is the one row of group 'm'.
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, createBinarySerde, Serdes } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { OrderedStorePort, StoreEntry } from '../ports.ts';

/** As in Kafka Streams, of equal times the right side comes first. */
export const Side = { RIGHT: 0, LEFT: 1 } as const;
export type Side = (typeof Side)[keyof typeof Side];

/** The unmatched values of one side, key and time. */
interface Unmatched {
  readonly side: Side;
  readonly values: readonly unknown[];
}

const ROWS = '' as BinaryString;
const MARK = 'm' as BinaryString;
const MARK_SUFFIX = '' as BinaryString;
const SIDE_BYTES = ['\0', '\x01'] as const;
const MARK_BYTE = '\x02';
const MARK_CODE = 2;
const MARK_TIME_AT = 1;
const KEY_AT = 9;

/** Of a row: the side, then each value with its length. Of the mark: a time. */
export function unmatchedSerde(left: AnySerde, right: AnySerde): AnySerde {
  const codecs: readonly [Codec<unknown>, Codec<unknown>] = [compileCodec(right), compileCodec(left)];
  return createBinarySerde<unknown>({
    name: `unmatched(${left.name},${right.name})`,
    inner: [
      { serde: left, role: 'left' },
      { serde: right, role: 'right' },
    ],
    toBinary(given) {
      if (typeof given === 'number') return (MARK_BYTE + orderedTime(given)) as BinaryString;
      const { side, values } = given as Unmatched;
      const codec = codecs[side];
      let binary: string = SIDE_BYTES[side];
      for (let index = 0; index < values.length; index++) {
        const value = codec.toBinary(values[index]);
        binary += orderedUint32(value.length) + value;
      }
      return binary as BinaryString;
    },
    fromBinary(binary): Unmatched | number {
      if (binary.charCodeAt(0) === MARK_CODE) return readOrderedTime(binary, MARK_TIME_AT);
      const side = binary.charCodeAt(0) as Side;
      const codec = codecs[side];
      const values: unknown[] = [];
      for (let at = 1; at < binary.length;) {
        const end = at + 4 + readOrderedUint32(binary, at);
        values.push(codec.fromBinary(binary.substring(at + 4, end) as BinaryString, false));
        at = end;
      }
      return { side, values };
    },
  });
}

/** Groups are single characters of our own. */
export const unmatchedKeySerde: AnySerde = Serdes.bytes();

export type GiveOut = (side: Side, key: unknown, value: unknown, timestamp: number) => void;

export class UnmatchedRows {
  readonly #store: OrderedStorePort;
  readonly #keys: Codec<unknown>;
  /** Milliseconds after its own time that a row of each side can still be matched, grace included. */
  readonly #openMs: readonly [right: number, left: number];
  readonly #remove: (row: StoreEntry) => void;

  constructor(store: OrderedStorePort, keySerde: AnySerde, openMs: readonly [right: number, left: number]) {
    this.#store = store;
    this.#keys = compileCodec(keySerde);
    this.#openMs = openMs;
    this.#remove = (row) => store.set(row, null, row.timestamp);
  }

  add(side: Side, key: BinaryString, value: unknown, timestamp: number): void {
    const store = this.#store;
    const row = store.row(ROWS, suffixOf(side, key, timestamp));
    const before = store.value(row) as Unmatched | undefined;
    const values = before === undefined ? [value] : [...before.values, value];
    store.set(row, { side, values } satisfies Unmatched, timestamp);
    const mark = store.row(MARK, MARK_SUFFIX);
    if (mark.encoded === null || timestamp < readOrderedTime(mark.encoded, MARK_TIME_AT)) {
      store.set(mark, timestamp, timestamp);
    }
  }

  /** A record with this side, key and time was matched: all such are. */
  remove(side: Side, key: BinaryString, timestamp: number): void {
    const store = this.#store;
    const first = store.first(ROWS);
    if (first === null) return;
    const suffix = suffixOf(side, key, timestamp);
    if (suffix < store.suffixOf(first)) return;
    store.range(ROWS, suffix, (suffix + '\0') as BinaryString, this.#remove);
  }

  /** Is a round due, as seen by a side whose records look `afterMs` (with grace) ahead? */
  isDue(afterMs: number, now: number): boolean {
    const { encoded } = this.#store.row(MARK, MARK_SUFFIX);
    return encoded !== null && readOrderedTime(encoded, MARK_TIME_AT) + afterMs < now;
  }

  /** One round: gives out and forgets every row whose window has closed by `now`. */
  giveOut(now: number, to: GiveOut): void {
    const store = this.#store;
    const open = [false, false];
    let noted = -1;
    store.range(ROWS, null, null, (row) => {
      const suffix = store.suffixOf(row);
      const timestamp = readOrderedTime(suffix, 0);
      noted = timestamp;
      if (open[Side.LEFT] && open[Side.RIGHT]) return false;
      const side = suffix.charCodeAt(KEY_AT - 1) as Side;
      if (timestamp + this.#openMs[side] >= now) {
        open[side] = true;
        return true;
      }
      const key = this.#keys.fromBinary(suffix.substring(KEY_AT) as BinaryString, false);
      const { values } = store.value(row) as Unmatched;
      store.set(row, null, row.timestamp);
      for (let index = 0; index < values.length; index++) to(side, key, values[index], timestamp);
      return true;
    });
    const mark = store.row(MARK, MARK_SUFFIX);
    if (noted >= 0) store.set(mark, noted, noted);
    else if (mark.encoded !== null) store.set(mark, null, mark.timestamp);
  }
}

function suffixOf(side: Side, key: BinaryString, timestamp: number): BinaryString {
  return (orderedTime(timestamp) + SIDE_BYTES[side] + key) as BinaryString;
}
