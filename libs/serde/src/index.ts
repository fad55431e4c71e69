// libs/serde: how values become bytes. Public serdes, and the compiled codecs the runtime calls per record.
export { createBinarySerde } from './binary-serde.ts';
export { createSerde, createTextSerde } from './serde.ts';
export type { Serde, TextCodec } from './serde.ts';
export { Serdes } from './serdes.ts';
export { SerdeError } from './serde-error.ts';
export { SchemaPending } from './schema-pending.ts';
export { compileCodec } from './codec.ts';
export type { Codec } from './codec.ts';
export {
  binaryFromBytes,
  binaryFromUtf8,
  bytesFromBinary,
  detachBinary,
  isAsciiText,
  utf8FromBinary,
} from './binary.ts';
export type { BinaryString } from './binary.ts';
export type { AvroSchema, AvroSchemaObject } from './avro.ts';
export { SchemaRegistryClient } from './schema-registry.ts';
export type { RegistrySerdeOptions, SchemaRegistryOptions } from './schema-registry.ts';
export { TimeWindow, WindowedKey, WindowedSerdes, windowSuffixBytes } from './windowed.ts';
export type { Window, Windowed } from './windowed.ts';
