// Owns the durable timers of one keyed operator: rows of a resident ordered store, in the order of time.
// It never fires anything; the operator's alarms ask it what is due.
//
//   group  suffix                                            value
//   e, w   time ++ length of key ++ key ++ name              -        timers by event time and by wall clock
//   n      length of key ++ key ++ kind ++ name              time     the one timer of a name
//   x, y   time ++ length of state ++ state ++ length of key ++ key ++ suffix   -   entries to be looked at for their TTL, by event and wall time
//
// A state is called by its name: a new version of the function may declare others before it. A row of x or y says when to look, not that something ends: an entry that was written again since is looked at again later.
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { binaryFromUtf8, utf8FromBinary } from '#libs/serde';
import type { OrderedStorePort, StoreEntry } from '../ports.ts';

export type TimerKind = 'event' | 'wall';

export interface Timer {
  readonly kind: TimerKind;
  readonly key: BinaryString;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
}

/** A state entry whose time to live may be over. */
export interface TtlLook {
  /** Its name. */
  readonly state: string;
  readonly key: BinaryString;
  readonly suffix: BinaryString;
}

const TIMERS: Readonly<Record<TimerKind, BinaryString>> = {
  event: 'e' as BinaryString,
  wall: 'w' as BinaryString,
};
const LOOKS: Readonly<Record<TimerKind, BinaryString>> = {
  event: 'x' as BinaryString,
  wall: 'y' as BinaryString,
};
const NAMES = 'n' as BinaryString;
const TIME_BYTES = 8;
const NOTHING = new Uint8Array(0);

export class TimerTable {
  private readonly store: OrderedStorePort;

  constructor(store: OrderedStorePort) {
    this.store = store;
  }

  /** Sets the timer of a name; one of the same kind and name is replaced. */
  set(kind: TimerKind, key: BinaryString, name: string, time: number): void {
    this.cancel(kind, key, name);
    const { store } = this;
    store.set(store.row(TIMERS[kind], timerSuffix(time, key, name)), NOTHING, time);
    store.set(store.row(NAMES, nameSuffix(kind, key, name)), timeBytes(time), time);
  }

  /** False: there was none. */
  cancel(kind: TimerKind, key: BinaryString, name: string): boolean {
    const { store } = this;
    const row = store.row(NAMES, nameSuffix(kind, key, name));
    if (row.encoded === null) return false;
    const time = readOrderedTime(row.encoded, 0);
    store.set(store.row(TIMERS[kind], timerSuffix(time, key, name)), null, time);
    store.set(row, null, time);
    return true;
  }

  /** When the timer of a name fires; `null`: there is none. */
  timeOf(kind: TimerKind, key: BinaryString, name: string): number | null {
    const { encoded } = this.store.row(NAMES, nameSuffix(kind, key, name));
    return encoded === null ? null : readOrderedTime(encoded, 0);
  }

  /** Time of the earliest timer; `Infinity`: none. */
  timerTime(kind: TimerKind): number {
    return this.firstTime(TIMERS[kind]);
  }

  /** Time of the earliest look; `Infinity`: none. */
  lookTime(kind: TimerKind): number {
    return this.firstTime(LOOKS[kind]);
  }

  /** Takes the earliest timer out, if its time has come. */
  takeTimer(kind: TimerKind, now: number): Timer | null {
    const row = this.store.first(TIMERS[kind]);
    if (row === null) return null;
    const suffix = this.store.suffixOf(row);
    const time = readOrderedTime(suffix, 0);
    if (time > now) return null;
    const keyLength = readOrderedUint32(suffix, TIME_BYTES);
    const keyStart = TIME_BYTES + 4;
    const key = suffix.slice(keyStart, keyStart + keyLength) as BinaryString;
    const encodedName = suffix.slice(keyStart + keyLength) as BinaryString;
    const name = utf8FromBinary(encodedName, false)!;
    this.cancel(kind, key, name);
    return { kind, key, name, time };
  }

  lookAt(kind: TimerKind, time: number, state: string, key: BinaryString, suffix: BinaryString): void {
    const encodedState = binaryFromUtf8(state);
    const at = (orderedTime(time) +
      orderedUint32(encodedState.length) +
      encodedState +
      orderedUint32(key.length) +
      key +
      suffix) as BinaryString;
    this.store.set(this.store.row(LOOKS[kind], at), NOTHING, time);
  }

  /** Takes the earliest look out, if its time has come. */
  takeLook(kind: TimerKind, now: number): TtlLook | null {
    const row = this.store.first(LOOKS[kind]);
    if (row === null) return null;
    const suffix = this.store.suffixOf(row);
    if (readOrderedTime(suffix, 0) > now) return null;
    const stateStart = TIME_BYTES + 4;
    const stateEnd = stateStart + readOrderedUint32(suffix, TIME_BYTES);
    const state = utf8FromBinary(suffix.slice(stateStart, stateEnd) as BinaryString, false)!;
    const keyLength = readOrderedUint32(suffix, stateEnd);
    const keyStart = stateEnd + 4;
    this.store.set(row, null, now);
    return {
      state,
      key: suffix.slice(keyStart, keyStart + keyLength) as BinaryString,
      suffix: suffix.slice(keyStart + keyLength) as BinaryString,
    };
  }

  private firstTime(group: BinaryString): number {
    const row: StoreEntry | null = this.store.first(group);
    return row === null ? Infinity : readOrderedTime(this.store.suffixOf(row), 0);
  }
}

function timerSuffix(time: number, key: BinaryString, name: string): BinaryString {
  return (orderedTime(time) + orderedUint32(key.length) + key + binaryFromUtf8(name)) as BinaryString;
}

function nameSuffix(kind: TimerKind, key: BinaryString, name: string): BinaryString {
  return (orderedUint32(key.length) + key + TIMERS[kind] + binaryFromUtf8(name)) as BinaryString;
}

function timeBytes(time: number): Uint8Array {
  return Buffer.from(orderedTime(time), 'latin1');
}
