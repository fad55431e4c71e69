// Owns the list of built-in serdes users choose from.
import { avroSerde } from './avro.ts';
import type { AvroLogicalTypes, AvroSchema } from './avro.ts';
import { bytesSerde, stringSerde } from './basic-serdes.ts';
import { jsonSerde } from './json/json-serde.ts';
import { booleanSerde, float64Serde, int32Serde, int64Serde, safeIntegerSerde } from './numbers.ts';
import type { Serde } from './serde.ts';

/** Encodings are those of Kafka's Java serializers of the same types, so that other clients read and write them. */
export const Serdes = {
  /** Text as UTF-8. Bytes that are not UTF-8 are refused (Java's would replace them). */
  string: (): Serde<string> => stringSerde(),
  /** Anything JSON holds, as UTF-8 text. A key `__proto__` is refused. `T` is a promise of yours, not checked. */
  json: <T = unknown>(): Serde<T> => jsonSerde<T>(),
  /** Bytes as they are. Decoding gives a copy. */
  bytes: (): Serde<Uint8Array> => bytesSerde(),
  /** 4 bytes, big-endian (Java's Integer). */
  int32: (): Serde<number> => int32Serde(),
  /** 8 bytes, big-endian (Java's Long). */
  int64: (): Serde<bigint> => int64Serde(),
  /** The bytes of `int64` as a number; numbers beyond ±(2^53 - 1) are refused. */
  safeInteger: (): Serde<number> => safeIntegerSerde(),
  /** 8 bytes, IEEE 754, big-endian (Java's Double). */
  float64: (): Serde<number> => float64Serde(),
  /** One byte, 0 or 1. */
  boolean: (): Serde<boolean> => booleanSerde(),
  /** Avro's binary encoding of one schema, without framing. @throws MillraceError MILLRACE_INVALID_CONFIG */
  avro: <T = unknown>(
    schema: AvroSchema,
    options: { readonly logicalTypes?: AvroLogicalTypes } = {},
  ): Serde<T> => avroSerde<T>(schema, options),
} as const;
