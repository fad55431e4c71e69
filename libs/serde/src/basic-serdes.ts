// Owns the serdes of text and of plain bytes.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, binaryFromUtf8, bytesFromBinary, detachBinary } from './binary.ts';
import { COMPILE, textOfBinary } from './codec.ts';
import type { Codec, CompilableSerde } from './codec.ts';
import { serializationFailed } from './serde-error.ts';

function assertText(value: unknown): asserts value is string {
  if (typeof value !== 'string')
    throw serializationFailed('string', { why: `the value is of type ${typeof value}, not string` });
}

export function stringSerde(): CompilableSerde<string> {
  const toText = (value: string): string => {
    assertText(value);
    return value;
  };
  const codec: Codec<string> = {
    name: 'string',
    isText: true,
    toBinary: (value) => {
      assertText(value);
      return binaryFromUtf8(value);
    },
    // A user may keep the string: it must not keep its batch alive.
    fromBinary: (binary, ascii) => {
      const text = textOfBinary('string', binary, ascii);
      return text === binary ? detachBinary(binary) : text;
    },
    toText,
    fromText: (text) => text,
    decodeRange: (text, start, end, bytes, ascii = bytes === undefined) => {
      const binary = text.substring(start, end) as BinaryString;
      return codec.fromBinary(binary, ascii);
    },
  };
  return {
    name: 'string',
    text: { encode: toText, decode: (text) => text },
    serialize: (value) => Buffer.from(toText(value), 'utf8'),
    deserialize: (bytes) => codec.fromBinary(binaryFromBytes(bytes), false),
    [COMPILE]: () => codec,
  };
}

export function bytesSerde(): CompilableSerde<Uint8Array> {
  const assertBytes = (value: unknown): void => {
    if (!(value instanceof Uint8Array))
      throw serializationFailed('bytes', { why: 'the value is not a Uint8Array' });
  };
  const codec: Codec<Uint8Array> = {
    name: 'bytes',
    isText: false,
    toBinary: (value) => {
      assertBytes(value);
      return binaryFromBytes(value);
    },
    fromBinary: (binary) => bytesFromBinary(binary),
  };
  return {
    name: 'bytes',
    serialize: (value) => {
      assertBytes(value);
      return value;
    },
    deserialize: (bytes) => Buffer.from(bytes),
    [COMPILE]: () => codec,
  };
}
