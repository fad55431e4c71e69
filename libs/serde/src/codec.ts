// Owns the compiled form of a serde, the one the runtime calls per record: between values and binary strings, without
// Uint8Arrays in between wherever the encoding allows.
import type { BinaryString } from '#libs/core';
import {
  binaryFromBytes,
  binaryFromUtf8,
  bytesFromBinary,
  invalidUtf8Position,
  utf8FromBinary,
} from './binary.ts';
import { SchemaPending } from './schema-pending.ts';
import type { Serde, TextCodec } from './serde.ts';
import { deserializationFailed, SerdeError, serializationFailed } from './serde-error.ts';

/** All methods throw `SerdeError` and nothing else (and `SchemaPending`, of a schema registry's serde). */
export interface Codec<T> {
  readonly name: string;
  /** Is the encoding UTF-8 text? Then `toText` and `fromText` are there, and `appendText` of an encoder takes the text. */
  readonly isText: boolean;
  toBinary(value: T): BinaryString;
  /** `ascii`: all units of `binary` are known to be below 128. False is always right. */
  fromBinary(binary: BinaryString, ascii: boolean): T;
  /** Text serdes only: the value's text, not yet UTF-8. */
  readonly toText?: (value: T) => string;
  readonly fromText?: (text: string) => T;
  /**
   * The value in `[start, end)` of a batch's text, which has one character a byte, without cutting it out first. With the
   * batch's `bytes` (RecordColumns has both) it is right for any batch and much faster; without, the range must be ASCII.
   * `ascii`: all values of the batch are known to be ASCII. What it returns never keeps `text` alive.
   */
  readonly decodeRange?: (text: string, start: number, end: number, bytes?: Uint8Array, ascii?: boolean) => T;
  /**
   * Writes the value's bytes straight into `bytes` from `at` on and returns the position behind them; -1 when it cannot (too
   * little room, an unusual value), and then `toText` or `toBinary` is to be used. `RecordBatchEncoder.appendValue` takes it.
   */
  readonly writeTo?: (value: T, bytes: Buffer, at: number) => number;
}

/** Built-in serdes bring their codec along. */
export const COMPILE = Symbol('millrace.compileCodec');

export interface CompilableSerde<T> extends Serde<T> {
  [COMPILE](): Codec<T>;
}

const compiled = new WeakMap<object, unknown>();

/** The codec of `serde`: the same object for the same serde, so that what it learns of its data is shared by all tasks. */
export function compileCodec<T>(serde: Serde<T>): Codec<T> {
  let codec = compiled.get(serde) as Codec<T> | undefined;
  if (codec === undefined) {
    if (COMPILE in serde) codec = (serde as CompilableSerde<T>)[COMPILE]();
    else if (serde.text !== undefined) codec = textCodec(serde.name, serde.text);
    else codec = bytesCodec(serde);
    compiled.set(serde, codec);
  }
  return codec;
}

/** The text of a record's bytes. @throws SerdeError they are not UTF-8. */
export function textOfBinary(serde: string, binary: BinaryString, ascii: boolean): string {
  const text = utf8FromBinary(binary, ascii);
  if (text !== undefined) return text;
  throw deserializationFailed(serde, {
    why: 'it is not valid UTF-8',
    position: invalidUtf8Position(binary),
    payload: binary,
  });
}

/** Whatever a user's serde threw, as a SerdeError. */
export function asDeserializationError(serde: string, error: unknown, payload: string): unknown {
  if (error instanceof SerdeError || error instanceof SchemaPending) return error;
  return deserializationFailed(serde, { why: `it threw ${nameOf(error)}`, payload, cause: error });
}

export function asSerializationError(serde: string, error: unknown): unknown {
  if (error instanceof SerdeError || error instanceof SchemaPending) return error;
  return serializationFailed(serde, { why: `it threw ${nameOf(error)}`, cause: error });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function textCodec<T>(name: string, text: TextCodec<T>): Codec<T> {
  const toText = (value: T): string => {
    let encoded: unknown;
    try {
      encoded = text.encode(value);
    } catch (error) {
      throw asSerializationError(name, error);
    }
    if (typeof encoded !== 'string') throw serializationFailed(name, { why: 'it gave no text' });
    return encoded;
  };
  const fromText = (encoded: string): T => {
    try {
      return text.decode(encoded);
    } catch (error) {
      throw asDeserializationError(name, error, encoded);
    }
  };
  return {
    name,
    isText: true,
    toBinary: (value) => binaryFromUtf8(toText(value)),
    fromBinary: (binary, ascii) => fromText(textOfBinary(name, binary, ascii)),
    toText,
    fromText,
  };
}

function bytesCodec<T>(serde: Serde<T>): Codec<T> {
  const { name } = serde;
  return {
    name,
    isText: false,
    toBinary(value) {
      let bytes: unknown;
      try {
        bytes = serde.serialize(value);
      } catch (error) {
        throw asSerializationError(name, error);
      }
      if (!(bytes instanceof Uint8Array)) throw serializationFailed(name, { why: 'it gave no Uint8Array' });
      return binaryFromBytes(bytes);
    },
    fromBinary(binary) {
      try {
        return serde.deserialize(bytesFromBinary(binary));
      } catch (error) {
        throw asDeserializationError(name, error, binary);
      }
    },
  };
}
