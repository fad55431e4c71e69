// Owns the serdes of numbers and booleans in the encodings of Kafka's Java serializers: big-endian, fixed length.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes } from './binary.ts';
import { COMPILE } from './codec.ts';
import type { Codec, CompilableSerde } from './codec.ts';
import { deserializationFailed, serializationFailed } from './serde-error.ts';

const TWO_POW_32 = 0x1_0000_0000;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const numberBytes = new Uint8Array(8);
const numberView = new DataView(numberBytes.buffer);

/** A serde whose codec is the primary form: its byte form goes through the binary string. */
function fixedSerde<T>(
  name: string,
  length: number,
  encode: (value: T) => BinaryString,
  decode: (binary: BinaryString) => T,
): CompilableSerde<T> {
  const codec: Codec<T> = {
    name,
    isText: false,
    toBinary: encode,
    fromBinary(binary) {
      if (binary.length !== length) {
        throw deserializationFailed(name, {
          why: `it has ${binary.length} bytes, not ${length}`,
          payload: binary,
        });
      }
      return decode(binary);
    },
  };
  return {
    name,
    serialize: (value) => Buffer.from(encode(value), 'latin1'),
    deserialize: (bytes) => codec.fromBinary(binaryFromBytes(bytes), false),
    [COMPILE]: () => codec,
  };
}

function int32At(binary: string, at: number): number {
  return (
    (binary.charCodeAt(at) << 24) |
    (binary.charCodeAt(at + 1) << 16) |
    (binary.charCodeAt(at + 2) << 8) |
    binary.charCodeAt(at + 3)
  );
}

function binaryOfInt32(value: number): BinaryString {
  return String.fromCharCode(
    value >>> 24,
    (value >> 16) & 0xff,
    (value >> 8) & 0xff,
    value & 0xff,
  ) as BinaryString;
}

function binaryOfInt64(high: number, low: number): BinaryString {
  return String.fromCharCode(
    high >>> 24,
    (high >> 16) & 0xff,
    (high >> 8) & 0xff,
    high & 0xff,
    low >>> 24,
    (low >> 16) & 0xff,
    (low >> 8) & 0xff,
    low & 0xff,
  ) as BinaryString;
}

export function int32Serde(): CompilableSerde<number> {
  return fixedSerde(
    'int32',
    4,
    (value) => {
      if ((value | 0) !== value)
        throw serializationFailed('int32', { why: 'the value is not a 32-bit integer' });
      return binaryOfInt32(value);
    },
    (binary) => int32At(binary, 0),
  );
}

export function int64Serde(): CompilableSerde<bigint> {
  return fixedSerde(
    'int64',
    8,
    (value) => {
      if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) {
        throw serializationFailed('int64', { why: 'the value is not a 64-bit bigint' });
      }
      numberView.setBigInt64(0, value);
      return binaryOfInt64(numberView.getInt32(0), numberView.getInt32(4));
    },
    (binary) => {
      numberView.setInt32(0, int32At(binary, 0));
      numberView.setInt32(4, int32At(binary, 4));
      return numberView.getBigInt64(0);
    },
  );
}

export function safeIntegerSerde(): CompilableSerde<number> {
  // The bytes are those of int64, so either may read what the other wrote, as long as the numbers are safe.
  return fixedSerde(
    'int64',
    8,
    (value) => {
      if (!Number.isSafeInteger(value))
        throw serializationFailed('int64', { why: 'the value is not a safe integer' });
      const high = Math.floor(value / TWO_POW_32);
      return binaryOfInt64(high, value - high * TWO_POW_32);
    },
    (binary) => {
      const value = int32At(binary, 0) * TWO_POW_32 + (int32At(binary, 4) >>> 0);
      if (!Number.isSafeInteger(value)) {
        throw deserializationFailed('int64', {
          why: 'the number is beyond 2^53, read it as bigint',
          payload: binary,
        });
      }
      return value;
    },
  );
}

export function float64Serde(): CompilableSerde<number> {
  return fixedSerde(
    'float64',
    8,
    (value) => {
      if (typeof value !== 'number')
        throw serializationFailed('float64', { why: 'the value is not a number' });
      numberView.setFloat64(0, value);
      return binaryOfInt64(numberView.getInt32(0), numberView.getInt32(4));
    },
    (binary) => {
      numberView.setInt32(0, int32At(binary, 0));
      numberView.setInt32(4, int32At(binary, 4));
      return numberView.getFloat64(0);
    },
  );
}

export function booleanSerde(): CompilableSerde<boolean> {
  return fixedSerde(
    'boolean',
    1,
    (value) => {
      if (typeof value !== 'boolean')
        throw serializationFailed('boolean', { why: 'the value is not a boolean' });
      return (value ? '\u0001' : '\u0000') as BinaryString;
    },
    (binary) => {
      const byte = binary.charCodeAt(0);
      if (byte > 1)
        throw deserializationFailed('boolean', { why: 'the byte is neither 0 nor 1', payload: binary });
      return byte === 1;
    },
  );
}
