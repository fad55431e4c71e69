// Owns the JSON serde: UTF-8 text of JSON.stringify, read as JSON.parse reads it.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes } from '../binary.ts';
import { COMPILE } from '../codec.ts';
import type { Codec, CompilableSerde } from '../codec.ts';
import { JsonDecoder } from './json-decoder.ts';
import { JsonEncoder } from './json-encoder.ts';
import { parseJson, stringifyJson } from './json-text.ts';

export function jsonSerde<T>(): CompilableSerde<T> {
  const decoder = new JsonDecoder();
  const encoder = new JsonEncoder();
  const codec: Codec<T> = {
    name: 'json',
    isText: true,
    toBinary: (value) => encoder.encodeBinary(value),
    fromBinary: (binary, ascii) => decoder.decodeBinary(binary, ascii) as T,
    writeTo: (value, bytes, at) => encoder.writeTo(value, bytes, at),
    toText: (value) => encoder.encodeText(value),
    fromText: (text) => decoder.decodeText(text) as T,
    decodeRange: (text, start, end, bytes) =>
      (bytes === undefined
        ? decoder.decodeBinary(text.substring(start, end) as BinaryString, true)
        : decoder.decodeRange(bytes, text, start, end)) as T,
  };
  return {
    name: 'json',
    text: { encode: stringifyJson, decode: (text) => parseJson(text) as T },
    serialize: (value) => Buffer.from(stringifyJson(value), 'utf8'),
    deserialize: (bytes) => decoder.decodeBinary(binaryFromBytes(bytes), false) as T,
    [COMPILE]: () => codec,
  };
}
