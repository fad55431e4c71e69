// Owns serdes that are composed of other serdes' codecs: they deal in binary strings and need no Uint8Array on the hot path.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, bytesFromBinary } from './binary.ts';
import { COMPILE } from './codec.ts';
import type { Codec, CompilableSerde } from './codec.ts';
import type { InnerSerde, Serde } from './serde.ts';

/** What the two functions throw comes out as it is: let it be a `SerdeError`, or what the codecs inside throw. */
export function createBinarySerde<T>(definition: {
  readonly name: string;
  readonly toBinary: (value: T) => BinaryString;
  readonly fromBinary: (binary: BinaryString) => T;
  /** The serdes it is made of, if any. */
  readonly inner?: readonly InnerSerde[];
}): Serde<T> {
  const { name, toBinary, fromBinary, inner } = definition;
  const codec: Codec<T> = { name, isText: false, toBinary, fromBinary };
  const serde: CompilableSerde<T> = {
    name,
    serialize: (value) => bytesFromBinary(toBinary(value)),
    deserialize: (bytes) => fromBinary(binaryFromBytes(bytes)),
    ...(inner === undefined ? {} : { inner }),
    [COMPILE]: () => codec,
  };
  return serde;
}
