// Owns the change of a table as it travels over a repartition topic: old and new value in one record, so that neither is lost nor
// overtakes the other. A format of our own; its first byte says which, and which of the two values there are.
import type { BinaryString } from '#libs/core';
import { orderedUint32, readOrderedUint32 } from '#libs/core';
import { compileCodec, createBinarySerde, SerdeError } from '#libs/serde';
import type { AnySerde } from '../graph.ts';

/** Kafka Streams' `Change`. `null`: no value; not both. */
export interface Change {
  readonly newValue: unknown;
  readonly oldValue: unknown;
}

const VERSION = 0x10;
const HAS_NEW = 1;
const HAS_OLD = 2;
const LENGTH_AT = 1;
const LENGTH_BYTES = 4;

/** Version and presence in one byte, then, when both are there, 4 bytes of the new value's length; then new and old. */
export function changeSerde(values: AnySerde): AnySerde {
  const codec = compileCodec(values);
  const name = `change(${values.name})`;
  return createBinarySerde<unknown>({
    name,
    inner: [{ serde: values }],
    toBinary(change) {
      const { newValue, oldValue } = change as Change;
      if (oldValue === null) return flagged(HAS_NEW, codec.toBinary(newValue));
      if (newValue === null) return flagged(HAS_OLD, codec.toBinary(oldValue));
      const encoded = codec.toBinary(newValue);
      const both = orderedUint32(encoded.length) + encoded + codec.toBinary(oldValue);
      return flagged(HAS_NEW | HAS_OLD, both as BinaryString);
    },
    fromBinary(binary): Change {
      const flags = binary.charCodeAt(0) - VERSION;
      const rest = binary.substring(LENGTH_AT) as BinaryString;
      if (flags === HAS_NEW) return { newValue: codec.fromBinary(rest, false), oldValue: null };
      if (flags === HAS_OLD) return { newValue: null, oldValue: codec.fromBinary(rest, false) };
      const split =
        binary.length < LENGTH_AT + LENGTH_BYTES
          ? Infinity
          : LENGTH_AT + LENGTH_BYTES + readOrderedUint32(binary, LENGTH_AT);
      if (flags !== (HAS_NEW | HAS_OLD) || split > binary.length) {
        throw new SerdeError('MILLRACE_DESERIALIZATION_FAILED', name, {
          why: 'it is no change of a table in a format of this version',
          payload: binary,
        });
      }
      return {
        newValue: codec.fromBinary(binary.substring(LENGTH_AT + LENGTH_BYTES, split) as BinaryString, false),
        oldValue: codec.fromBinary(binary.substring(split) as BinaryString, false),
      };
    },
  });
}

function flagged(flags: number, encoded: BinaryString): BinaryString {
  return (String.fromCharCode(VERSION | flags) + encoded) as BinaryString;
}
