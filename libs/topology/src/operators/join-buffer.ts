// Owns the buffer of a stream–table join with a grace period: records wait until event time has passed them by that much, so that updates
// of the table that come late are seen. Source of the rules: RocksDBTimeOrderedKeyValueBuffer of Kafka Streams (KIP-923).
//
// Rows: group '', suffix time ++ key ++ sequence, so that records leave in the order of time; value: headers and value.
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import {
  binaryFromBytes,
  binaryFromUtf8,
  bytesFromBinary,
  compileCodec,
  createBinarySerde,
  utf8FromBinary,
} from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { OrderedStorePort, RecordContext, StoreEntry } from '../ports.ts';

interface Buffered {
  readonly value: unknown;
  readonly headers: readonly RecordHeader[];
}

const ALL = '' as BinaryString;
const TIME_BYTES = 8;
const SEQUENCE_BYTES = 4;
const NO_VALUE = 0xffffffff;

const withLength = (bytes: BinaryString): string => orderedUint32(bytes.length) + bytes;

/** The number of headers, then each key and value with its length, then the value. */
export function bufferedSerde(values: AnySerde): AnySerde {
  const codec = compileCodec(values);
  return createBinarySerde<unknown>({
    name: `buffered(${values.name})`,
    inner: [{ serde: values }],
    toBinary(given) {
      const { value, headers } = given as Buffered;
      let head: string = orderedUint32(headers.length);
      for (const { key, value: header } of headers) {
        head += withLength(binaryFromUtf8(key));
        head += header === null ? orderedUint32(NO_VALUE) : withLength(binaryFromBytes(header));
      }
      return (head + codec.toBinary(value)) as BinaryString;
    },
    fromBinary(binary): Buffered {
      const headers: RecordHeader[] = [];
      let at = 4;
      const bytes = (length: number): BinaryString => {
        at += length;
        return binary.substring(at - length, at) as BinaryString;
      };
      const length = (): number => {
        at += 4;
        return readOrderedUint32(binary, at - 4);
      };
      for (let left = readOrderedUint32(binary, 0); left > 0; left--) {
        const key = utf8FromBinary(bytes(length())) ?? '';
        const size = length();
        headers.push({ key, value: size === NO_VALUE ? null : bytesFromBinary(bytes(size)) });
      }
      return { headers, value: codec.fromBinary(binary.substring(at) as BinaryString, false) };
    },
  });
}

export class JoinBuffer {
  readonly #store: OrderedStorePort;
  readonly #keys: Codec<unknown>;
  readonly #context: RecordContext;

  constructor(store: OrderedStorePort, keySerde: AnySerde, context: RecordContext) {
    this.#store = store;
    this.#keys = compileCodec(keySerde);
    this.#context = context;
  }

  add(key: BinaryString, value: unknown, timestamp: number): void {
    const store = this.#store;
    const begin = orderedTime(timestamp) + key;
    let sequence = 0;
    let row = store.row(ALL, (begin + orderedUint32(sequence)) as BinaryString);
    while (row.encoded !== null) row = store.row(ALL, (begin + orderedUint32(++sequence)) as BinaryString);
    const headers = this.#context.outputHeaders ?? this.#context.headers();
    store.set(row, { value, headers } satisfies Buffered, timestamp);
  }

  /** Takes out what is not newer than `time`, the oldest first. It goes on with its own headers. */
  takeUntil(time: number, to: (key: unknown, value: unknown, timestamp: number) => void): void {
    const store = this.#store;
    const first = store.first(ALL);
    if (first === null || readOrderedTime(store.suffixOf(first), 0) > time) return;
    const context = this.#context;
    const before = context.outputHeaders;
    store.range(ALL, null, orderedTime(time + 1), (row: StoreEntry) => {
      const suffix = store.suffixOf(row);
      const key = suffix.substring(TIME_BYTES, suffix.length - SEQUENCE_BYTES) as BinaryString;
      const { value, headers } = store.value(row) as Buffered;
      const { timestamp } = row;
      store.set(row, null, timestamp);
      context.outputHeaders = headers;
      to(this.#keys.fromBinary(key, false), value, timestamp);
    });
    context.outputHeaders = before;
  }
}
