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
  /**
   * For a serde that looks something up, such as a schema: told where it is used, and awaited, before the application joins its group.
   * What it rejects with ends the start; a RetriableError is tried again. It may be called again, with other uses too.
   */
  readonly prepare?: (uses: readonly SerdeUse[]) => Promise<void>;
  /** The serdes that this one is made of: they are prepared for what it is used for. */
  readonly inner?: readonly InnerSerde[];
}

/** Where the records are that a serde reads or writes. */
export interface SerdeUse {
  /** The topic's name in the cluster; `null`: chosen record by record. */
  readonly topic: string | null;
  readonly part: 'key' | 'value';
  readonly reads: boolean;
  readonly writes: boolean;
  /** `repartition` and `changelog`: the topic is the application's own. State without a changelog is under the name it would have. */
  readonly kind: 'external' | 'repartition' | 'changelog';
}

export interface InnerSerde {
  readonly serde: Serde<unknown>;
  /** Tells it from the others inside, and from what the topic's key or value is itself, where records hold several things. */
  readonly role?: string;
}

/** A serde of your own over bytes. */
export function createSerde<T>(definition: {
  readonly name: string;
  readonly serialize: (value: T) => Uint8Array;
  readonly deserialize: (bytes: Uint8Array) => T;
  /** See `Serde.prepare`. */
  readonly prepare?: (uses: readonly SerdeUse[]) => Promise<void>;
  /** See `Serde.inner`. */
  readonly inner?: readonly InnerSerde[];
}): Serde<T> {
  const { name, serialize, deserialize, prepare, inner } = definition;
  return {
    name,
    serialize,
    deserialize,
    ...(prepare === undefined ? {} : { prepare }),
    ...(inner === undefined ? {} : { inner }),
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
