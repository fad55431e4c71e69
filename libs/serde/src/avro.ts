// Owns the Avro serde of a fixed schema: Avro's binary encoding without any framing, by avsc; and how schemas become avsc's types.
// Schemas that are found by an id in front of the data are the business of registry/.
import { createRequire } from 'node:module';
import type * as Avsc from 'avsc';
import type { Type } from 'avsc';
import { MillraceError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { AvroRefusal, guardedTypes, limitRecordTo, refuseProtoFields } from './avro-guards.ts';
import { exactLong } from './avro-long.ts';
import { binaryFromBytes, withBytesOf } from './binary.ts';
import { COMPILE } from './codec.ts';
import type { Codec, CompilableSerde } from './codec.ts';
import { deserializationFailed, serializationFailed } from './serde-error.ts';

/** An Avro schema as parsed JSON: the name of a primitive type, or an object with `type`, or an array for a union. */
export type AvroSchema = string | AvroSchemaObject | readonly AvroSchema[];

export interface AvroSchemaObject {
  readonly type: unknown;
  readonly [attribute: string]: unknown;
}

/** Classes made by extending avsc's `types.LogicalType`, by the name of the logical type. */
export type AvroLogicalTypes = Readonly<Record<string, new (...parts: never[]) => unknown>>;

export interface AvroTypeOptions {
  readonly logicalTypes?: AvroLogicalTypes | undefined;
  /** Schemas whose names the schema uses, each before those that use it. */
  readonly references?: readonly AvroSchema[];
}

/** avsc is large: it is loaded with the first schema. */
export function loadAvsc(): typeof Avsc {
  return createRequire(import.meta.url)('avsc') as typeof Avsc;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function avroType(schema: AvroSchema, options: AvroTypeOptions = {}): Type {
  try {
    return parseAvro(schema, options);
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

/** As `avroType`. @throws whatever avsc makes of an invalid schema */
export function parseAvro(schema: AvroSchema, { logicalTypes, references = [] }: AvroTypeOptions): Type {
  const avsc = loadAvsc();
  const guarded = guardedTypes(avsc);
  const ofLogical = new WeakSet<object>();
  // Shared by the schemas, so that the later find the names of the earlier.
  const options = {
    registry: {},
    typeHook: (part: unknown, inner: unknown) => {
      const { type, logicalType } = (
        typeof part === 'object' && part !== null ? part : {}
      ) as Partial<AvroSchemaObject>;
      if (part !== 'long' && isKnown(logicalTypes, logicalType) && !ofLogical.delete(part as object)) {
        // avsc makes the logical type, and comes back for what is under it.
        if (type === 'array' || type === 'map') ofLogical.add(part as object);
        return undefined;
      }
      if (type === 'array' || type === 'map') return new guarded[type](part, inner);
      return part === 'long' || type === 'long' ? (long ??= exactLong(avsc)) : undefined;
    },
    ...(logicalTypes === undefined ? {} : { logicalTypes: { ...logicalTypes } }),
  } as never;
  for (const reference of references) avsc.Type.forSchema(reference as never, options);
  return refuseProtoFields(avsc.Type.forSchema(schema as never, options));
}

let long: Type | undefined;

function isKnown(logicalTypes: AvroLogicalTypes | undefined, name: unknown): boolean {
  return typeof name === 'string' && logicalTypes?.[name] !== undefined;
}

export function avroSerde<T>(
  schema: AvroSchema,
  options: { readonly logicalTypes?: AvroLogicalTypes } = {},
): CompilableSerde<T> {
  const type = avroType(schema, options);
  // Two schemas of one fingerprint write the same bytes: it is what identifies stored state.
  const name = `avro:${type.fingerprint('md5').toString('hex')}`;
  const decode = (bytes: Buffer, at: number, end: number): T =>
    decodeAvro(name, type, undefined, bytes, at, end) as T;
  const codec: Codec<T> = {
    name,
    isText: false,
    toBinary: (value) => binaryFromBytes(encodeWhole(name, type, value)),
    fromBinary: (binary) => withBytesOf(binary, decode),
    writeTo: (value, bytes, at) => encodeAvro(name, type, value, bytes, at),
    decodeRange: (text, start, end, bytes) =>
      bytes === undefined
        ? withBytesOf(text.substring(start, end) as BinaryString, decode)
        : decode(asBuffer(bytes), start, end),
  };
  return {
    name,
    serialize: (value) => encodeWhole(name, type, value),
    deserialize: (bytes) => decode(asBuffer(bytes), 0, bytes.length),
    [COMPILE]: () => codec,
  };
}

/** The same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function encodeWhole(serde: string, type: Type, value: unknown): Buffer {
  try {
    return type.toBuffer(value);
  } catch {
    throw misfit(serde, type, value);
  }
}

/** Writes the value and gives the position behind it; below 0 there was too little room: as many bytes more are needed. @throws SerdeError */
export function encodeAvro(serde: string, type: Type, value: unknown, bytes: Buffer, at: number): number {
  let end: number;
  try {
    end = type.encode(value, bytes, at);
  } catch {
    throw misfit(serde, type, value);
  }
  return end;
}

/** An error that names the path of the first field that does not fit. */
function misfit(serde: string, type: Type, value: unknown): Error {
  // The library's message quotes the value, so it is not passed on.
  let invalid: string | undefined;
  try {
    type.isValid(value, { errorHook: (path) => (invalid ??= path.join('.')) });
  } catch {
    // A logical type of the user's that throws.
  }
  return serializationFailed(serde, {
    why: `it does not fit the schema at \`${invalid === undefined || invalid === '' ? '(root)' : invalid}\``,
  });
}

interface Decoded {
  readonly value: unknown;
  readonly offset: number;
}

/** @throws SerdeError unless the value takes all of `[at, end)`. */
export function decodeAvro(
  serde: string,
  type: Type,
  resolver: Avsc.Resolver | undefined,
  bytes: Buffer,
  at: number,
  end: number,
): unknown {
  let why = 'it does not fit the schema';
  try {
    limitRecordTo(end);
    const decoded: Decoded = type.decode(bytes, at, resolver);
    if (decoded.offset === end) return decoded.value;
  } catch (error) {
    // What it reads beyond the end, or what a logical type makes of it, is not worth telling apart.
    if (error instanceof AvroRefusal) why = error.why;
  } finally {
    limitRecordTo(Infinity);
  }
  throw deserializationFailed(serde, {
    why,
    payload: bytes.toString('latin1', at, end),
  });
}
