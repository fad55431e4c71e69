// Owns what a suppressed table holds back: the newest change of each key in the order of their time, in one ordered store that is resident.
//   group 'b'  time, key's bytes → the change
//   group 'k'  key's bytes → its time, where the key does not tell it
//   group 't'  '' → how many changes there are and their bytes, where there is a limit
// The size of a change is that of Kafka Streams' InMemoryTimeOrderedKeyValueChangeBuffer, so that limits mean the same.
import { orderedTime, orderedUint32, orderedUint64, readOrderedTime, readOrderedUint32 } from '#libs/core';
import { readOrderedUint64 } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import {
  binaryFromBytes,
  binaryFromUtf8,
  bytesFromBinary,
  createBinarySerde,
  utf8FromBinary,
} from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { OrderedStorePort, StoreEntry } from '../ports.ts';

const CHANGES = 'b' as BinaryString;
const TIMES = 'k' as BinaryString;
const TOTALS = 't' as BinaryString;
const ONLY = '' as BinaryString;
const TIME_BYTES = 8;

/** A change held back, its values encoded. */
export interface HeldChange {
  readonly timestamp: number;
  readonly newValue: BinaryString | null;
  /** What those downstream saw last. */
  readonly priorValue: BinaryString | null;
  readonly headers: readonly RecordHeader[];
  readonly bytes: number;
}

/** Rows are packed by this file itself. The name is the identity of the values inside. */
export function heldChangesSerde(values: AnySerde): AnySerde {
  return createBinarySerde<BinaryString>({
    name: `held(${values.name})`,
    inner: [{ serde: values }],
    toBinary: (packed) => packed,
    fromBinary: (packed) => packed,
  });
}

export class SuppressBuffer {
  private readonly store: OrderedStorePort;
  private readonly keysTellTime: boolean;
  private readonly isLimited: boolean;

  constructor(
    store: OrderedStorePort,
    options: { readonly keysTellTime: boolean; readonly isLimited: boolean },
  ) {
    this.store = store;
    this.keysTellTime = options.keysTellTime;
    this.isLimited = options.isLimited;
  }

  /** The change held of a key; `time` is used where keys tell it. */
  held(key: BinaryString, time: number): HeldChange | null {
    const row = this.rowOf(key, time);
    const packed = row === null ? undefined : this.store.value(row);
    return packed === undefined ? null : unpack(packed as BinaryString);
  }

  /** Holds a change. One of a key that is held already takes that one's place. */
  put(key: BinaryString, time: number, change: HeldChange, replaced: HeldChange | null): void {
    const { store } = this;
    let row = this.rowOf(key, time);
    if (row === null) {
      row = store.row(CHANGES, (orderedTime(time) + key) as BinaryString);
      store.set(store.row(TIMES, key), orderedTime(time), time);
    }
    store.set(row, pack(change), change.timestamp);
    this.account(replaced === null ? 1 : 0, change.bytes - (replaced === null ? 0 : replaced.bytes));
  }

  /** The change that is due first; `null`: none is held. Good until the buffer changes. */
  first(): StoreEntry | null {
    return this.store.first(CHANGES);
  }

  timeOf(row: StoreEntry): number {
    return readOrderedTime(this.store.suffixOf(row), 0);
  }

  /** Takes a row of `first` out. */
  take(row: StoreEntry): { readonly key: BinaryString; readonly change: HeldChange } {
    const { store } = this;
    const key = store.suffixOf(row).slice(TIME_BYTES) as BinaryString;
    const change = unpack(store.value(row) as BinaryString);
    store.set(row, null, change.timestamp);
    if (!this.keysTellTime) store.set(store.row(TIMES, key), null, change.timestamp);
    this.account(-1, -change.bytes);
    return { key, change };
  }

  get records(): number {
    return this.total(0);
  }

  get bytes(): number {
    return this.total(TIME_BYTES);
  }

  private rowOf(key: BinaryString, time: number): StoreEntry | null {
    const { store } = this;
    if (this.keysTellTime) return store.row(CHANGES, (orderedTime(time) + key) as BinaryString);
    const known = store.value(store.row(TIMES, key)) as BinaryString | undefined;
    return known === undefined ? null : store.row(CHANGES, (known + key) as BinaryString);
  }

  private total(at: number): number {
    const packed = this.store.value(this.store.row(TOTALS, ONLY)) as BinaryString | undefined;
    return packed === undefined ? 0 : readOrderedUint64(packed, at);
  }

  private account(records: number, bytes: number): void {
    if (!this.isLimited) return;
    const packed = orderedUint64(this.records + records) + orderedUint64(this.bytes + bytes);
    this.store.set(this.store.row(TOTALS, ONLY), packed, 0);
  }
}

/** As Kafka Streams estimates it; `null` values take nothing, an old value that is the prior one is counted once. */
export function changeBytes(
  key: BinaryString,
  values: {
    readonly newValue: BinaryString | null;
    readonly oldValue: BinaryString | null;
    readonly priorValue: BinaryString | null;
  },
  topic: string,
  headers: readonly RecordHeader[],
): number {
  const { newValue, oldValue, priorValue } = values;
  let bytes = TIME_BYTES + key.length + 2 * TIME_BYTES + topic.length + 4;
  if (newValue !== null) bytes += newValue.length;
  if (priorValue !== null) bytes += priorValue.length;
  if (oldValue !== null && oldValue !== priorValue) bytes += oldValue.length;
  for (const header of headers)
    bytes += header.key.length + (header.value === null ? 0 : header.value.length);
  return bytes;
}

const NO_VALUE = 0xffffffff;
const NO_HEADERS: readonly RecordHeader[] = [];

function sized(binary: BinaryString | null): string {
  return binary === null ? orderedUint32(NO_VALUE) : orderedUint32(binary.length) + binary;
}

/** timestamp (8), bytes (4), new value, prior value, headers: key, value … Each with 4 bytes of length; 2^32 - 1: none. */
function pack({ timestamp, newValue, priorValue, headers, bytes }: HeldChange): BinaryString {
  let packed = orderedTime(timestamp) + orderedUint32(bytes) + sized(newValue) + sized(priorValue);
  for (const { key, value } of headers) {
    packed += sized(binaryFromUtf8(key)) + sized(value === null ? null : binaryFromBytes(value));
  }
  return packed as BinaryString;
}

function unpack(packed: BinaryString): HeldChange {
  let at = TIME_BYTES + 4;
  const take = (): BinaryString | null => {
    const length = readOrderedUint32(packed, at);
    at += 4;
    if (length === NO_VALUE) return null;
    at += length;
    return packed.slice(at - length, at) as BinaryString;
  };
  const newValue = take();
  const priorValue = take();
  let headers = NO_HEADERS;
  if (at < packed.length) {
    const all: RecordHeader[] = [];
    while (at < packed.length) {
      const key = utf8FromBinary(take()!) ?? '';
      const value = take();
      all.push({ key, value: value === null ? null : bytesFromBinary(value) });
    }
    headers = all;
  }
  return {
    timestamp: readOrderedTime(packed, 0),
    bytes: readOrderedUint32(packed, TIME_BYTES),
    newValue,
    priorValue,
    headers,
  };
}
