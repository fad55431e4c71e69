// Owns windows, keys with a window, and their serdes in Kafka Streams' binary formats:
//
//   timeWindowed      key ++ start (8 bytes)
//   sessionWindowed   key ++ end (8 bytes) ++ start (8 bytes)
//
// Times are big-endian 64-bit integers. Both give back the very bytes they decoded wherever the serde of the key does.
// Sources: TimeWindowedSerializer, SessionWindowedSerializer, WindowKeySchema and SessionKeySchema of Kafka Streams.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes } from './binary.ts';
import { COMPILE, compileCodec } from './codec.ts';
import type { Codec, CompilableSerde } from './codec.ts';
import { deserializationFailed, serializationFailed } from './serde-error.ts';
import type { Serde } from './serde.ts';

const TWO_32 = 2 ** 32;
const TIME_BYTES = 8;

/**
 * A span of event time, milliseconds since the Unix epoch. `end` is exclusive for windows of `TimeWindows`, `CumulativeWindows` and
 * `UnlimitedWindows` (there it is `Infinity`), inclusive for `SlidingWindows` and `SessionWindows`. In `CountWindows` both count records.
 */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** A key and the window that its value is of. */
export interface Windowed<K> {
  readonly key: K;
  readonly window: Window;
}

/** A window whose bytes are made once: many keys share one. */
export class TimeWindow implements Window {
  readonly start: number;
  readonly end: number;
  #startBytes: string | null = null;
  #bytes: string | null = null;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  static startBytes(window: Window): string {
    if (!(window instanceof TimeWindow)) return int64(window.start);
    return (window.#startBytes ??= int64(window.start));
  }

  static bytes(window: Window): string {
    if (!(window instanceof TimeWindow)) return int64(window.end) + int64(window.start);
    return (window.#bytes ??= int64(window.end) + int64(window.start));
  }
}

/** A windowed key that remembers the bytes of its key, so that a sink need not encode it again. */
export class WindowedKey<K = unknown> implements Windowed<K> {
  readonly key: K;
  readonly window: Window;
  readonly #encoded: BinaryString;
  readonly #serde: string;

  /** `encoded` is what the serde of the name `serde` writes for `key`. */
  constructor(key: K, window: Window, encoded: BinaryString, serde: string) {
    this.key = key;
    this.window = window;
    this.#encoded = encoded;
    this.#serde = serde;
  }

  /** The bytes of the key alone. */
  static keyBytes<K>(windowed: Windowed<K>, inner: Codec<K>): BinaryString {
    if (windowed instanceof WindowedKey && windowed.#serde === inner.name) return windowed.#encoded;
    return inner.toBinary(windowed.key);
  }
}

function int64(value: number): string {
  const high = Math.floor(value / TWO_32);
  const low = value - high * TWO_32;
  return String.fromCharCode(
    (high >>> 24) & 255,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  );
}

function int64At(text: string, at: number): number {
  const uint32 = (from: number): number =>
    ((text.charCodeAt(from) << 24) |
      (text.charCodeAt(from + 1) << 16) |
      (text.charCodeAt(from + 2) << 8) |
      text.charCodeAt(from + 3)) >>>
    0;
  return (uint32(at) | 0) * TWO_32 + uint32(at + 4);
}

/** How many bytes at the end of what a windowed serde writes are the window; 0: it is no windowed serde. */
export function windowSuffixBytes(serde: object): number {
  return (serde as { readonly [WINDOW_BYTES]?: number })[WINDOW_BYTES] ?? 0;
}

const WINDOW_BYTES = Symbol('millrace.windowBytes');

interface WindowedSerde<K> extends CompilableSerde<Windowed<K>> {
  readonly [WINDOW_BYTES]: number;
}

function windowedSerde<K>(
  name: string,
  inner: Serde<K>,
  suffixBytes: number,
  suffixOf: (window: Window) => string,
  windowAt: (text: string, at: number) => Window,
): WindowedSerde<K> {
  const innerCodec = compileCodec(inner);
  const codec: Codec<Windowed<K>> = {
    name,
    isText: false,
    toBinary(windowed) {
      const window = (windowed as Windowed<K> | undefined)?.window;
      if (
        window === undefined ||
        !Number.isSafeInteger(window.start) ||
        (suffixBytes > TIME_BYTES && !Number.isSafeInteger(window.end))
      ) {
        throw serializationFailed(name, { why: 'the value is no key with a window of whole milliseconds' });
      }
      return (WindowedKey.keyBytes(windowed, innerCodec) + suffixOf(window)) as BinaryString;
    },
    fromBinary(binary, ascii) {
      const at = binary.length - suffixBytes;
      if (at < 0) {
        throw deserializationFailed(name, {
          why: `it has ${binary.length} bytes, fewer than a window takes`,
          payload: binary,
        });
      }
      const window = windowAt(binary, at);
      if (!Number.isSafeInteger(window.start)) {
        throw deserializationFailed(name, {
          why: 'the window is beyond 2^53 milliseconds',
          payload: binary,
        });
      }
      return { key: innerCodec.fromBinary(binary.slice(0, at) as BinaryString, ascii), window };
    },
  };
  return {
    name,
    serialize: (windowed) => Buffer.from(codec.toBinary(windowed), 'latin1'),
    deserialize: (bytes) => codec.fromBinary(binaryFromBytes(bytes), false),
    inner: [{ serde: inner }],
    [COMPILE]: () => codec,
    [WINDOW_BYTES]: suffixBytes,
  };
}

/** The formats of Kafka Streams' WindowedSerdes, for topics with windowed keys. */
export const WindowedSerdes = {
  /**
   * Keys of windows of one size: `TimeWindows`, `SlidingWindows` (its time difference), `UnlimitedWindows` (`Infinity`), `CountWindows`
   * (records). The end is not written: it is `start + size`.
   */
  timeWindowed: <K>(inner: Serde<K>, size: number): Serde<Windowed<K>> =>
    windowedSerde(
      `timeWindowed(${inner.name},${size})`,
      inner,
      TIME_BYTES,
      (window) => TimeWindow.startBytes(window),
      (text, at) => {
        const start = int64At(text, at);
        return { start, end: start + size };
      },
    ),
  /** Keys of windows of any size: `SessionWindows`, `CumulativeWindows`. Start and end are written. */
  sessionWindowed: <K>(inner: Serde<K>): Serde<Windowed<K>> =>
    windowedSerde(
      `sessionWindowed(${inner.name})`,
      inner,
      2 * TIME_BYTES,
      (window) => TimeWindow.bytes(window),
      (text, at) => ({ start: int64At(text, at + TIME_BYTES), end: int64At(text, at) }),
    ),
} as const;
