// Owns what the caches of all stores share: decoding, encoding, and what the layers, read-ahead and eviction ask of a store.
// It never reads the database (read-ahead does) and never decides what is settled (layers and write-behind do).
//
// Decoded values: a number, string, boolean or bigint stays with its entry. An object is shared within one record only,
// because whoever got it may change it in place, and a later record would then see what was never set, committed or
// restored. A store declared `reuseDecoded` keeps objects until they are set, a record is undone or an epoch abandoned.
import { MillraceError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { SchemaPending, detachBinary } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { StateEntry, StateStoreSpec } from './contract.ts';
import type { Entry } from './entry.ts';
import type { Layers } from './layers.ts';
import type { Residency } from './residency.ts';

export abstract class EntryStore {
  readonly name: string;
  readonly index: number;
  readonly logged: boolean;
  /** Nothing leaves the store but by a tombstone: a key that is absent here is absent in the changelog too. */
  readonly losesNothing: boolean;
  /** Every key that the cache does not know is known to be absent. */
  complete: boolean;

  protected readonly layers: Layers;
  protected readonly residency: Residency;
  private readonly codec: Codec<unknown>;
  private readonly reuseDecoded: boolean;

  // The object decoded last, good within the record it was decoded in.
  private decodedEntry: StateEntry | null = null;
  private decodedValue: unknown = undefined;
  private decodedRecord = -1;
  // What `set` was given last, good within its record.
  private setValue: unknown = undefined;
  private setEncoded: BinaryString | undefined = undefined;
  private setRecord = -1;

  constructor(
    spec: StateStoreSpec,
    index: number,
    complete: boolean,
    codec: Codec<unknown>,
    layers: Layers,
    residency: Residency,
  ) {
    this.name = spec.name;
    this.index = index;
    this.logged = spec.logged;
    this.losesNothing = spec.kind !== 'ordered' || spec.expiry === null;
    this.reuseDecoded = spec.kind === 'keyValue' && spec.reuseDecoded === true;
    this.complete = complete;
    this.codec = codec;
    this.layers = layers;
    this.residency = residency;
  }

  /** By the time of a committed epoch. */
  isExpired(_entry: Entry): boolean {
    return false;
  }

  /** The entry of a key, when the cache has one. */
  abstract find(key: BinaryString): Entry | undefined;
  /** Is it known whether the key exists? If so what tells stays for this batch. */
  abstract touch(key: BinaryString, batch: number): boolean;
  /** Adds what the database answered; a key that became known meanwhile keeps what it has. */
  abstract admit(key: BinaryString, encoded: BinaryString | null, timestamp: number): void;
  /** Is the key, which has no entry, known to be absent? */
  abstract knowsAbsent(key: BinaryString): boolean;
  /** All entries, for a look at every one. */
  abstract allEntries(): Iterable<Entry>;
  /** The entry leaves the cache: residency says so. */
  abstract forget(entry: Entry): void;
  /** All of them leave; none is dirty, pending or being written. */
  abstract clear(): void;

  /** All that the database holds was admitted. */
  loaded(): void {
    this.complete = true;
  }

  /** The database may hold what the cache never heard of. */
  unknown(): void {
    this.complete = false;
  }

  /** A read of the key is under way, until `readEnded`. */
  readStarted(_key: BinaryString): void {
    // Only ordered stores need to know.
  }

  readEnded(_key: BinaryString): void {
    // As above.
  }

  /** May an entry that is in the database and out of use leave? */
  mayForget(_entry: Entry): boolean {
    return true;
  }

  /** The entry was given back what it held before: a record was undone, an epoch abandoned. */
  takenBack(_entry: Entry, _lengthDelta: number): void {
    // As above.
  }

  /** The database knows that the key is deleted, and so does every layer. */
  buried(_entry: Entry): void {
    // As above.
  }

  /** An epoch ended: no operator holds an entry now. */
  sealed(): void {
    // As above.
  }

  value(face: StateEntry): unknown {
    const entry = face as Entry;
    const memo = entry.memo;
    if (memo !== undefined && (typeof memo !== 'object' || entry.memoEra === this.layers.era)) return memo;
    if (entry.encoded === null) return undefined;
    if (this.decodedEntry === entry && this.decodedRecord === this.layers.record) return this.decodedValue;
    const value = this.decode(entry.encoded);
    this.remember(entry, value);
    return value;
  }

  set(face: StateEntry, value: unknown, timestamp: number): void {
    const entry = face as Entry;
    if (value === null) {
      this.layers.change(entry, null, timestamp);
      if (this.decodedEntry === entry) this.forgetDecoded();
      return;
    }
    let encoded = this.encode(entry.key, value);
    // A string, and then its encoding too, may be a slice of the text of a batch; every other encoding is made afresh.
    const isText = typeof value === 'string';
    if (isText) encoded = detachBinary(encoded);
    this.layers.change(entry, encoded, timestamp);
    if (this.decodedEntry === entry) this.forgetDecoded();
    if (isText) {
      if (encoded === value) entry.memo = encoded;
    } else if (typeof value !== 'object' || this.reuseDecoded) {
      this.remember(entry, value);
    }
    this.setValue = value;
    this.setEncoded = encoded;
    this.setRecord = this.layers.record;
  }

  encodingOf(value: unknown): BinaryString | undefined {
    return this.setRecord === this.layers.record && this.setValue === value ? this.setEncoded : undefined;
  }

  private remember(entry: Entry, value: unknown): void {
    if (typeof value !== 'object' && typeof value !== 'function') {
      entry.memo = value;
    } else if (this.reuseDecoded) {
      entry.memo = value;
      entry.memoEra = this.layers.era;
    } else {
      this.decodedEntry = entry;
      this.decodedValue = value;
      this.decodedRecord = this.layers.record;
    }
  }

  private forgetDecoded(): void {
    this.decodedEntry = null;
    this.decodedValue = undefined;
  }

  private decode(encoded: BinaryString): unknown {
    try {
      return this.codec.fromBinary(encoded, false);
    } catch (cause) {
      throw cause instanceof SchemaPending ? this.layers.await(cause) : cause;
    }
  }

  private encode(key: BinaryString, value: unknown): BinaryString {
    try {
      // JavaScript callers may hand over what the type rules out.
      if (value === undefined) throw new TypeError('the value is undefined; null deletes');
      return this.codec.toBinary(value);
    } catch (cause) {
      // SerdeError is one; what a schema registry throws to ask for patience passes too.
      if (cause instanceof SchemaPending) throw this.layers.await(cause);
      if (!(cause instanceof TypeError)) throw cause;
      throw new MillraceError({
        code: 'MILLRACE_SERIALIZATION_FAILED',
        message: `The value of a key of ${key.length} bytes could not be encoded for store "${this.name}".`,
        remedy: 'Return a value that the store’s value serde accepts, or change the serde of the store.',
        cause,
        context: { store: this.name },
      });
    }
  }
}
