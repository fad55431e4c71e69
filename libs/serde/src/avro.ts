// Owns the Avro serde of a fixed schema: Avro's binary encoding without any framing, by avsc.
// Schemas that are found by an id in front of the data are schema-registry.ts's business.
import { createRequire } from 'node:module';
import type * as Avsc from 'avsc';
import type { Type } from 'avsc';
import { MillraceError } from '#libs/core';
import type { Serde } from './serde.ts';
import { deserializationFailed, serializationFailed } from './serde-error.ts';

/** An Avro schema as parsed JSON: the name of a primitive type, or an object with `type`, or an array for a union. */
export type AvroSchema = string | AvroSchemaObject | readonly AvroSchema[];

export interface AvroSchemaObject {
  readonly type: unknown;
  readonly [attribute: string]: unknown;
}

/** avsc is large: it is loaded with the first schema. */
export function avroType(schema: AvroSchema): Type {
  const avsc = createRequire(import.meta.url)('avsc') as typeof Avsc;
  try {
    return avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0]);
  } catch (error) {
    throw new MillraceError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `An Avro schema is invalid: ${error instanceof Error ? error.message : String(error)}.`,
      remedy:
        'Correct the schema; the Avro specification, section Schema Declaration, lists what it may hold.',
      cause: error,
    });
  }
}

export function avroSerde<T>(schema: AvroSchema): Serde<T> {
  const type = avroType(schema);
  // Two schemas of one fingerprint write the same bytes: it is what identifies stored state.
  const name = `avro:${type.fingerprint('md5').toString('hex')}`;
  return {
    name,
    serialize: (value) => encodeAvro(name, type, value),
    deserialize: (bytes) => decodeAvro(name, type, bytes) as T,
  };
}

/** @throws SerdeError naming the path of the first field that does not fit. */
export function encodeAvro(serde: string, type: Pick<Type, 'toBuffer' | 'isValid'>, value: unknown): Buffer {
  try {
    return type.toBuffer(value);
  } catch {
    // The library's message quotes the value, so it is not passed on.
    let invalid: string | undefined;
    type.isValid(value, { errorHook: (path) => (invalid ??= path.join('.')) });
    throw serializationFailed(serde, {
      why: `it does not fit the schema at \`${invalid === undefined || invalid === '' ? '(root)' : invalid}\``,
    });
  }
}

export function decodeAvro(
  serde: string,
  type: { fromBuffer(bytes: Buffer): unknown },
  bytes: Uint8Array,
): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return type.fromBuffer(buffer);
  } catch {
    throw deserializationFailed(serde, {
      why: 'it does not fit the schema',
      payload: buffer.toString('latin1', 0, 8),
    });
  }
}
