// libs/serde: how values become bytes. Public serdes, and the compiled codecs the runtime calls per record.
export { createBinarySerde } from './binary-serde.ts';
export { createSerde, createTextSerde } from './serde.ts';
export type { InnerSerde, Serde, SerdeUse, TextCodec } from './serde.ts';
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
export type { AvroLogicalTypes, AvroSchema, AvroSchemaObject } from './avro.ts';
export { avroLogicalTypes } from './avro-logical-types.ts';
export { avroTypeScript } from './avro-typescript.ts';
export type { AvroTypeScriptOptions } from './avro-typescript.ts';
export { SchemaRegistryClient } from './registry/client.ts';
export type {
  JsonSchemaSerdeOptions,
  OwnReference,
  ProtobufSerdeOptions,
  RegisterPolicy,
  RegistrySerdeOptions,
  RegistryTlsOptions,
  SchemaRegistryOptions,
} from './registry/registry-options.ts';
export type { SubjectNaming } from './registry/subjects.ts';
export { prepareSerdes } from './prepare.ts';
export { TimeWindow, WindowedKey, WindowedSerdes, windowSuffixBytes } from './windowed.ts';
export type { Window, Windowed } from './windowed.ts';
