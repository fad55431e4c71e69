// Owns the public contract of serdes and the ways for a user to make one. Built-in ones are in serdes.ts.

/** A text form of values, for serdes whose encoding is that text in UTF-8. */
export interface TextCodec<T> {
  encode(value: T): string;
  decode(text: string): T;
}

/**
 * How values of one type become bytes and come back. Synchronous, without state that outlives a call, and exact:
 * `deserialize(serialize(v))` equals `v`. Whatever it throws becomes a `SerdeError` with the serde's name.
 */
export interface Serde<T> {
  /**
   * The encoding's identity. It is stored with state and compared when the state is opened, so two serdes that write
   * different bytes need different names, and a change of encoding needs a new name.
   */
  readonly name: string;
  serialize(value: T): Uint8Array;
  /** `bytes` is only valid during the call: copy what is kept. */
  deserialize(bytes: Uint8Array): T;
  /** Present if the bytes are this text in UTF-8. The runtime then skips the bytes wherever it can. */
  readonly text?: TextCodec<T>;
}

/** A serde of your own over bytes. */
export function createSerde<T>(definition: {
  readonly name: string;
  readonly serialize: (value: T) => Uint8Array;
  readonly deserialize: (bytes: Uint8Array) => T;
}): Serde<T> {
  return {
    name: definition.name,
    serialize: definition.serialize,
    deserialize: definition.deserialize,
  };
}

/** A serde of your own over text, which is written as UTF-8. Faster than bytes where the encoding is text anyway. */
export function createTextSerde<T>(definition: {
  readonly name: string;
  readonly encode: (value: T) => string;
  readonly decode: (text: string) => T;
}): Serde<T> {
  const { name, encode, decode } = definition;
  return {
    name,
    text: { encode, decode },
    serialize: (value) => Buffer.from(encode(value), 'utf8'),
    deserialize: (bytes) =>
      decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')),
  };
}
