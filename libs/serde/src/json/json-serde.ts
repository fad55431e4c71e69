// Owns the JSON serde: UTF-8 text of JSON.stringify, read as JSON.parse reads it.
import { binaryFromUtf8 } from '../binary.ts';
import { COMPILE, textOfBinary } from '../codec.ts';
import type { Codec, CompilableSerde } from '../codec.ts';
import { parseJson, stringifyJson } from './json-text.ts';

export function jsonSerde<T>(): CompilableSerde<T> {
  const codec: Codec<T> = {
    name: 'json',
    isText: true,
    toBinary: (value) => binaryFromUtf8(stringifyJson(value)),
    fromBinary: (binary, ascii) => parseJson(textOfBinary('json', binary, ascii)) as T,
    toText: stringifyJson,
    fromText: (text) => parseJson(text) as T,
    decodeRange: (text, start, end) => parseJson(text.substring(start, end)) as T,
  };
  return {
    name: 'json',
    text: { encode: stringifyJson, decode: (text) => parseJson(text) as T },
    serialize: (value) => Buffer.from(stringifyJson(value), 'utf8'),
    deserialize: (bytes) =>
      parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')) as T,
    [COMPILE]: () => codec,
  };
}
