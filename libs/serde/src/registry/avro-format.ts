// Owns Avro for the serdes of a registry: avsc's types, and its resolvers for what other versions of a schema wrote.
import type { Type } from 'avsc';
import { avroType, decodeAvro, encodeAvro, parseAvro } from '../avro.ts';
import type { AvroLogicalTypes, AvroSchema } from '../avro.ts';
import { serializationFailed } from '../serde-error.ts';
import { ownJsonSchema } from './format.ts';
import type { PayloadReader, PayloadRefusal, SchemaFormat, WrittenSchema } from './format.ts';
import type { RegistrySerdeOptions } from './registry-options.ts';

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function avroFormat(name: string, options: RegistrySerdeOptions): SchemaFormat {
  const { schema, logicalTypes, references = [] } = options;
  const own =
    schema === undefined
      ? null
      : avroType(schema, { logicalTypes, references: references.map((each) => each.schema) });
  const display = own?.name === undefined ? name : `${name} ${own.name}`;
  return {
    kind: 'AVRO',
    record: own?.name ?? (own === null ? '' : own.typeName),
    own: ownJsonSchema(schema, references),
    encode(value, bytes, at) {
      if (own === null) throw readsOnly(display);
      return encodeAvro(display, own, value, bytes, at);
    },
    reader: (written) => avroReader(display, own, written, logicalTypes),
  };
}

export function readsOnly(serde: string): Error {
  return serializationFailed(serde, { why: 'it was made without a `schema`, so it can only read' });
}

function avroReader(
  name: string,
  own: Type | null,
  written: WrittenSchema,
  logicalTypes: AvroLogicalTypes | undefined,
): PayloadReader | PayloadRefusal {
  if (written.kind !== 'AVRO') return { refusal: `it is a schema of the kind ${written.kind}, not AVRO` };
  let type: Type;
  try {
    type = parseAvro(JSON.parse(written.text) as AvroSchema, {
      logicalTypes,
      references: written.referenced.map((each) => JSON.parse(each.text) as AvroSchema),
    });
  } catch (error) {
    return { refusal: `avsc cannot read the schema: ${(error as Error).message}` };
  }
  if (own === null) return { decode: (bytes, at, end) => decodeAvro(name, type, undefined, bytes, at, end) };
  try {
    // Also for equal schemas: they may differ in defaults and in what logical types make of them.
    const resolver = own.createResolver(type);
    return same(own, type)
      ? { decode: (bytes, at, end) => decodeAvro(name, own, undefined, bytes, at, end) }
      : { decode: (bytes, at, end) => decodeAvro(name, own, resolver, bytes, at, end) };
  } catch (error) {
    return { refusal: `it cannot be read into the serde's schema: ${(error as Error).message}` };
  }
}

/** The same bytes mean the same: reading without a resolver is faster. */
function same(own: Type, written: Type): boolean {
  return own.fingerprint().equals(written.fingerprint());
}
