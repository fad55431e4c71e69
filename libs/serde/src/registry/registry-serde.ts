// Owns the serde of values whose schema is in a registry: a zero byte, the schema's id as four bytes, the data.
//
// 1. `prepare` finds out, before the first record, the id to write with and whether what is there can be read.
// 2. Once an id is known everything is synchronous. The first sight of another id throws SchemaPending; the caller awaits `ready` and runs the
//    record again.
// 3. A registry that does not answer says nothing about the record: `ready` rejects with a RetriableError.
// 4. An id that the registry does not know, or a schema that does not fit the reader's, is the record's fault: SerdeError.
import { FatalError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { asBuffer } from '../avro.ts';
import { binaryFromBytes, withBytesOf } from '../binary.ts';
import { COMPILE } from '../codec.ts';
import type { Codec, CompilableSerde } from '../codec.ts';
import { SchemaPending } from '../schema-pending.ts';
import type { SerdeUse } from '../serde.ts';
import { deserializationFailed, serializationFailed } from '../serde-error.ts';
import type { SchemaCatalog } from './catalog.ts';
import { readsOnly } from './avro-format.ts';
import type { PayloadReader, SchemaFormat, WrittenSchema } from './format.ts';
import type { RegistrySchema } from './registry-api.ts';
import type { RegisterPolicy } from './registry-options.ts';
import { SubjectCheck, resolveOwn } from './subject-check.ts';
import type { SubjectUse } from './subject-check.ts';
import { subjectOf } from './subjects.ts';
import type { SubjectNaming } from './subjects.ts';

const MAGIC = 0;
const HEADER_BYTES = 5;
const NO_ID = -1;
/** A larger scratch buffer is let go after use. */
const SCRATCH_RETAINED_BYTES_MAX = 4 * 1024 * 1024;

let scratch = Buffer.allocUnsafeSlow(16 * 1024);

export interface RegistrySerdeParts {
  readonly name: string;
  readonly catalog: SchemaCatalog;
  readonly format: SchemaFormat;
  readonly subject: string | undefined;
  readonly naming: SubjectNaming;
  readonly register: RegisterPolicy;
}

export class RegistrySerde<T> implements CompilableSerde<T> {
  readonly name: string;
  readonly #parts: RegistrySerdeParts;
  readonly #readers = new Map<number, PayloadReader>();
  /** Why the schema of an id cannot be used. That of an id nobody knows is forgotten once it was told: the next record asks again. */
  readonly #refusals = new Map<number, { readonly why: string; readonly once: boolean }>();
  readonly #pending = new Map<number, SchemaPending>();
  readonly #prepared = new Map<string, number | null>();
  #lastId = NO_ID;
  #lastReader: PayloadReader | null = null;
  #writerId = NO_ID;
  #writerPending: SchemaPending | null = null;

  constructor(parts: RegistrySerdeParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  // --- before the first record ---------------------------------------------------------------------------------

  /** @throws FatalError what is wrong with a subject, RetriableError MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE */
  prepare = async (uses: readonly SerdeUse[]): Promise<void> => {
    const { catalog, format, register } = this.#parts;
    const subjects = this.#subjectsOf(uses);
    if (subjects.length === 0) return;
    let asked = `subject "${subjects[0]!.subject}"`;
    try {
      const own = await resolveOwn(catalog, format, register);
      const checks = subjects.map((use) => new SubjectCheck(catalog, format, register, use));
      const ids = await Promise.all(checks.map((check) => check.check(own)));
      // Nothing is registered unless all is well: what will be refused goes first.
      const order = [...checks.keys()].sort(
        (a, b) => Number(checks[b]!.isRefused) - Number(checks[a]!.isRefused),
      );
      for (const index of order) {
        const check = checks[index]!;
        const { subject, writes } = check.use;
        asked = `subject "${subject}"`;
        let id = ids[index]!;
        if (id === null && writes && own !== null) id = await check.register(own);
        if (id !== null && own !== null) await this.#keep(id, own);
        this.#prepared.set(keyOf(check.use), writes ? id : null);
      }
      this.#chooseId();
    } catch (error) {
      throw catalog.failure(error, asked);
    }
  };

  #subjectsOf(uses: readonly SerdeUse[]): SubjectUse[] {
    const { format, naming, subject: fixed, name } = this.#parts;
    const bySubject = new Map<string, SubjectUse>();
    for (const use of uses) {
      if (use.writes && format.own === null) {
        throw unusable(
          `The serde \`${name}\` was made without a schema, and ${placeOf(use)} is written with it.`,
        );
      }
      const subject =
        fixed !== undefined && use.kind === 'external' ? fixed : subjectOf(naming, use, format.record);
      if (subject === null || subject === '') {
        if (!use.writes) continue;
        throw unusable(
          subject === null
            ? `The serde \`${name}\` cannot tell the subject of ${placeOf(use)}.`
            : `The schema of the serde \`${name}\` has no name, which is to be the subject of ${placeOf(use)}.`,
        );
      }
      const known = bySubject.get(subject);
      const internal = use.kind !== 'external';
      const stateKey = use.kind === 'changelog' && use.part === 'key';
      if (known === undefined) {
        bySubject.set(subject, { subject, reads: use.reads, writes: use.writes, internal, stateKey });
      } else {
        known.reads ||= use.reads;
        known.writes ||= use.writes;
        known.internal ||= internal;
        known.stateKey ||= stateKey;
      }
    }
    // In an order that is the same everywhere: where a registry gives one schema several ids, all instances take the same.
    return [...bySubject.values()]
      .filter((use) => !this.#prepared.has(keyOf(use)))
      .sort((a, b) => (a.subject < b.subject ? -1 : 1));
  }

  async #keep(id: number, own: RegistrySchema): Promise<void> {
    this.#admit(id, await this.#parts.catalog.keep(id, own));
  }

  #chooseId(): void {
    for (const key of [...this.#prepared.keys()].sort()) {
      const id = this.#prepared.get(key)!;
      if (id === null) continue;
      this.#writerId = id;
      return;
    }
  }

  // --- writing -------------------------------------------------------------------------------------------------

  serialize(value: T): Uint8Array {
    const end = this.#encodeToScratch(value);
    const bytes = Buffer.allocUnsafe(end);
    scratch.copy(bytes, 0, 0, end);
    this.#shrink();
    return bytes;
  }

  #encodeToScratch(value: T): number {
    for (;;) {
      const end = this.#encode(value, scratch, 0);
      if (end >= 0) return end;
      scratch = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, scratch.length - end));
    }
  }

  #shrink(): void {
    if (scratch.length > SCRATCH_RETAINED_BYTES_MAX) scratch = Buffer.allocUnsafeSlow(16 * 1024);
  }

  /** The position behind it; below 0: so many bytes more are needed. */
  #encode(value: T, bytes: Buffer, at: number): number {
    let id = this.#writerId;
    if (id === NO_ID) id = this.#awaitId();
    const end = this.#parts.format.encode(value, bytes, at + HEADER_BYTES);
    if (end < 0) return end;
    bytes[at] = MAGIC;
    bytes[at + 1] = id >>> 24;
    bytes[at + 2] = id >>> 16;
    bytes[at + 3] = id >>> 8;
    bytes[at + 4] = id;
    return end;
  }

  /** Nobody prepared the serde: it is used by itself, under a subject that needs no topic. */
  #awaitId(): never {
    const { format, subject, naming, catalog, name } = this.#parts;
    if (format.own === null) throw readsOnly(name);
    if (subject === undefined && naming !== 'record') {
      throw serializationFailed(name, {
        why: 'it was not told which topic it is for: give it a `subject`, or await its `prepare`',
      });
    }
    this.#writerPending ??= new SchemaPending(
      `subject ${subject ?? format.record} of ${catalog.host}`,
      settled(
        this.prepare([{ topic: null, part: 'value', reads: false, writes: true, kind: 'external' }]),
        () => (this.#writerPending = null),
      ),
    );
    throw this.#writerPending;
  }

  // --- reading -------------------------------------------------------------------------------------------------

  deserialize(bytes: Uint8Array): T {
    return this.#decode(asBuffer(bytes), 0, bytes.length);
  }

  readonly #decode = (bytes: Buffer, at: number, end: number): T => {
    if (end - at < HEADER_BYTES || bytes[at] !== MAGIC) {
      throw deserializationFailed(this.name, {
        why: 'it does not begin with the zero byte and the schema id of a schema registry',
        payload: bytes.toString('latin1', at, end),
      });
    }
    const id = bytes[at + 1]! * 2 ** 24 + (bytes[at + 2]! << 16) + (bytes[at + 3]! << 8) + bytes[at + 4]!;
    const reader = id === this.#lastId ? this.#lastReader! : this.#readerOf(id);
    return reader.decode(bytes, at + HEADER_BYTES, end) as T;
  };

  #readerOf(id: number): PayloadReader {
    let reader = this.#readers.get(id);
    if (reader === undefined) {
      const known = this.#parts.catalog.known(id);
      if (known !== undefined && !this.#refusals.has(id)) this.#admit(id, known);
      reader = this.#readers.get(id);
    }
    if (reader !== undefined) {
      this.#lastId = id;
      this.#lastReader = reader;
      return reader;
    }
    const refusal = this.#refusals.get(id);
    if (refusal !== undefined) {
      if (refusal.once) this.#refusals.delete(id);
      throw deserializationFailed(this.name, { why: refusal.why });
    }
    throw this.#awaitReader(id);
  }

  #awaitReader(id: number): SchemaPending {
    let wait = this.#pending.get(id);
    if (wait === undefined) {
      const { catalog } = this.#parts;
      const ready = catalog.byId(id).then((schema) => {
        if (schema !== null) this.#admit(id, schema);
        else this.#refusals.set(id, { why: `schema ${id} is not in ${catalog.host}`, once: true });
      });
      wait = new SchemaPending(
        `schema ${id} of ${catalog.host}`,
        settled(ready, () => this.#pending.delete(id)),
      );
      this.#pending.set(id, wait);
    }
    return wait;
  }

  #admit(id: number, schema: WrittenSchema): void {
    if (this.#readers.has(id)) return;
    const reader = this.#parts.format.reader(schema);
    if ('refusal' in reader) this.#refusals.set(id, { why: `schema ${id}: ${reader.refusal}`, once: false });
    else this.#readers.set(id, reader);
  }

  // --- as the runtime calls it -----------------------------------------------------------------------------------

  [COMPILE](): Codec<T> {
    return {
      name: this.name,
      isText: false,
      toBinary: (value) => {
        const end = this.#encodeToScratch(value);
        const binary = binaryFromBytes(scratch.subarray(0, end));
        this.#shrink();
        return binary;
      },
      fromBinary: (binary) => withBytesOf(binary, this.#decode),
      writeTo: (value, bytes, at) => {
        const end = this.#encode(value, bytes, at);
        return end < 0 ? -1 : end;
      },
      decodeRange: (text, start, end, bytes) =>
        bytes === undefined
          ? withBytesOf(text.substring(start, end) as BinaryString, this.#decode)
          : this.#decode(asBuffer(bytes), start, end),
    };
  }
}

function keyOf({ subject, reads, writes, stateKey }: SubjectUse): string {
  return JSON.stringify([subject, reads, writes, stateKey]);
}

function placeOf({ topic, part }: SerdeUse): string {
  return topic === null ? `the ${part} of topics chosen record by record` : `the ${part} of topic "${topic}"`;
}

function unusable(message: string): FatalError {
  return new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message,
    remedy:
      'Give the serde a `schema`, and a `subject` or `subjectName: "record"` where its topics are chosen record by record.',
  });
}

/** `promise`, with `after` run when it settles; never an unhandled rejection if nobody awaits it. */
function settled(promise: Promise<void>, after: () => void): Promise<void> {
  const result = promise.finally(after);
  result.catch(() => undefined);
  return result;
}
