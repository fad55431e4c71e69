// Owns the JSON serde: UTF-8 text of JSON.stringify, read as JSON.parse reads it.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, binaryFromUtf8 } from '../binary.ts';
import { COMPILE } from '../codec.ts';
import type { Codec, CompilableSerde } from '../codec.ts';
import { JsonDecoder } from './json-decoder.ts';
import { parseJson, stringifyJson } from './json-text.ts';

export function jsonSerde<T>(): CompilableSerde<T> {
  const decoder = new JsonDecoder();
  const codec: Codec<T> = {
    name: 'json',
    isText: true,
    toBinary: (value) => binaryFromUtf8(stringifyJson(value)),
    fromBinary: (binary, ascii) => decoder.decodeBinary(binary, ascii) as T,
    toText: stringifyJson,
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
