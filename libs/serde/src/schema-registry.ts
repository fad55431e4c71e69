// Owns serdes whose schemas live in a Confluent-compatible registry: a zero byte, the schema's id as four bytes, the data.
//
// 1. Once an id is known everything is synchronous. The first sight of it throws SchemaPending; the caller awaits `ready`
//    and runs the record again.
// 2. A registry that does not answer says nothing about the record: `ready` rejects with a RetriableError.
// 3. An id that the registry does not know, or a schema that does not fit the reader's, is the record's fault: SerdeError.
import { createRequire } from 'node:module';
import type { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import type { Type } from 'avsc';
import { MillraceError, RetriableError, asError } from '#libs/core';
import { avroType, decodeAvro, encodeAvro } from './avro.ts';
import type { AvroSchema } from './avro.ts';
import { SchemaPending } from './schema-pending.ts';
import type { Serde } from './serde.ts';
import { deserializationFailed, serializationFailed } from './serde-error.ts';

const MAGIC = 0;
const HEADER_BYTES = 5;

export interface SchemaRegistryOptions {
  /** Base URL, such as `http://localhost:8081`. */
  readonly host: string;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly clientId?: string;
}

export interface RegistrySerdeOptions {
  /** Where the schema is kept: `<topic>-value` or `<topic>-key` by Confluent's convention. */
  readonly subject: string;
  /** What values are written with and read into. Without it values are read by the schema they were written with, and cannot be written. */
  readonly schema?: AvroSchema;
  /** Register `schema` if the subject does not have it. Default false: registering is a matter of deployment. */
  readonly register?: boolean;
}

/** A registered schema, ready to use: its decoder into what the serde reads. */
type Reader = { fromBuffer(bytes: Buffer): unknown } | { readonly refusal: string };

/** One registry, shared by the serdes made of it. */
export class SchemaRegistryClient {
  readonly host: string;
  readonly #registry: SchemaRegistry;

  constructor(options: SchemaRegistryOptions) {
    this.host = options.host;
    const library = createRequire(import.meta.url)('@kafkajs/confluent-schema-registry') as {
      SchemaRegistry: new (options: object) => SchemaRegistry;
    };
    this.#registry = new library.SchemaRegistry({
      host: options.host,
      ...(options.auth === undefined ? {} : { auth: { ...options.auth } }),
      ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
    });
  }

  /** A serde of Avro values under a subject. */
  avro<T>(options: RegistrySerdeOptions): Serde<T> {
    const { subject, schema } = options;
    const name = `avro-registry:${subject}`;
    const ownType = schema === undefined ? undefined : avroType(schema);
    const readers = new Map<number, Reader>();
    const pending = new Map<number, SchemaPending>();
    let writerId: number | undefined;
    let writerRefusal: string | undefined;
    let writerPending: SchemaPending | undefined;

    const readerOf = (id: number): Reader => {
      const known = readers.get(id);
      if (known !== undefined) return known;
      let wait = pending.get(id);
      if (wait === undefined) {
        const ready = this.#reader(id, ownType).then(
          (reader) => void readers.set(id, reader),
          (error: unknown) => {
            throw this.#failure(error, `schema ${id}`);
          },
        );
        wait = new SchemaPending(
          `schema ${id} of ${this.host}`,
          settled(ready, () => pending.delete(id)),
        );
        pending.set(id, wait);
      }
      throw wait;
    };

    const writerSchemaId = (): number => {
      if (writerId !== undefined) return writerId;
      if (writerRefusal !== undefined) throw serializationFailed(name, { why: writerRefusal });
      if (writerPending === undefined) {
        const ready = this.#idOf(options).then(
          (id) => void (writerId = id),
          (error: unknown) => {
            if (statusOf(error) !== 404) throw this.#failure(error, `subject ${subject}`);
            writerRefusal = `subject \`${subject}\` of ${this.host} does not have its schema (register it, or set \`register\`)`;
          },
        );
        writerPending = new SchemaPending(
          `subject ${subject} of ${this.host}`,
          settled(ready, () => (writerPending = undefined)),
        );
      }
      throw writerPending;
    };

    return {
      name,
      serialize(value) {
        if (ownType === undefined) {
          throw serializationFailed(name, { why: 'it was made without a `schema`, so it can only read' });
        }
        const id = writerSchemaId();
        const payload = encodeAvro(name, ownType, value);
        const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
        bytes[0] = MAGIC;
        bytes.writeInt32BE(id, 1);
        bytes.set(payload, HEADER_BYTES);
        return bytes;
      },
      deserialize(bytes) {
        if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) {
          throw deserializationFailed(name, {
            why: 'it does not begin with the zero byte and the schema id of a schema registry',
            payload: Buffer.from(bytes.subarray(0, 8)).toString('latin1'),
          });
        }
        const id = ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0;
        const reader = readerOf(id);
        if ('refusal' in reader) throw deserializationFailed(name, { why: reader.refusal });
        return decodeAvro(name, reader, bytes.subarray(HEADER_BYTES)) as T;
      },
    };
  }

  async #reader(id: number, ownType: Type | undefined): Promise<Reader> {
    let written: Type;
    try {
      written = (await this.#registry.getSchema(id)) as unknown as Type;
    } catch (error) {
      if (statusOf(error) === 404) return { refusal: `schema ${id} is not in ${this.host}` };
      throw error;
    }
    if (ownType === undefined) return written;
    try {
      const resolver = ownType.createResolver(written);
      return { fromBuffer: (bytes) => ownType.fromBuffer(bytes, resolver) as unknown };
    } catch {
      return { refusal: `schema ${id} cannot be read into the serde's schema` };
    }
  }

  async #idOf({ subject, schema: own, register }: RegistrySerdeOptions): Promise<number> {
    // As the user wrote it: a registry compares texts, and our normal form need not be its own.
    const schema = { type: 'AVRO', schema: JSON.stringify(own) } as never;
    try {
      return await this.#registry.getRegistryIdBySchema(subject, schema);
    } catch (error) {
      // The library wraps the answer 404 of this one call, and loses its status.
      const unknown = statusOf(error) === 404 || asError(error).name === 'ConfluentSchemaRegistryError';
      if (!unknown) throw error;
      if (register !== true) throw Object.assign(new Error('not registered'), { status: 404, cause: error });
    }
    return (await this.#registry.register(schema, { subject, updateConfig: false })).id;
  }

  #failure(error: unknown, what: string): MillraceError {
    const status = statusOf(error);
    if (status === 401 || status === 403) {
      return new MillraceError({
        code: 'MILLRACE_AUTHENTICATION_FAILED',
        message: `The schema registry at ${this.host} refused to give ${what} (status ${status}).`,
        remedy: 'Check the user, the password and the rights in the options of the schema registry.',
        cause: error,
      });
    }
    return new RetriableError({
      code: 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE',
      message: `The schema registry at ${this.host} did not give ${what}: ${asError(error).message}.`,
      remedy: 'Check that it runs and is reachable from here; the record is tried again.',
      cause: error,
    });
  }
}

function statusOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null ? (error as { status?: number }).status : undefined;
}

/** `promise`, with `after` run when it settles; never an unhandled rejection if nobody awaits it. */
function settled(promise: Promise<void>, after: () => void): Promise<void> {
  const result = promise.finally(after);
  result.catch(() => undefined);
  return result;
}
