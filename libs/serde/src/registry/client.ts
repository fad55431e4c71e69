// Owns a registry as users see it: one client, shared by the serdes made of it.
import { MillraceError } from '#libs/core';
import type { Serde } from '../serde.ts';
import { avroFormat } from './avro-format.ts';
import { SchemaCatalog } from './catalog.ts';
import type { SchemaFormat } from './format.ts';
import { httpRegistry } from './http-registry.ts';
import { jsonFormat } from './json-format.ts';
import { memoryRegistry } from './memory-registry.ts';
import { protobufFormat } from './protobuf-format.ts';
import { RegistrySerde } from './registry-serde.ts';
import type {
  JsonSchemaSerdeOptions,
  ProtobufSerdeOptions,
  RegistrySerdeOptions,
  SchemaRegistryOptions,
} from './registry-options.ts';

const MEMORY = 'memory://';

function isPlain(host: string): boolean {
  const url = URL.canParse(host) ? new URL(host) : null;
  return url !== null && `${url.username}${url.password}${url.search}${url.hash}` === '';
}

/** A schema registry with Confluent's API: Confluent's own, Apicurio, Karapace, Redpanda's. Nothing is asked before a serde is used. */
export class SchemaRegistryClient {
  readonly host: string;
  readonly #options: SchemaRegistryOptions;
  readonly #catalog: SchemaCatalog;

  /** @throws MillraceError MILLRACE_INVALID_CONFIG */
  constructor(options: SchemaRegistryOptions) {
    const { host } = options;
    if (typeof host !== 'string' || !/^(https?|memory):\/\/./.test(host)) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: 'The `host` of a schema registry is no URL that begins with http://, https:// or memory://.',
        remedy: 'Give its base URL, such as `http://localhost:8081`.',
      });
    }
    // It is shown in errors, and so are the URLs made of it.
    if (!host.startsWith(MEMORY) && !isPlain(host)) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message:
          'The `host` of a schema registry holds more than an address and a path: a user, a password, or a question mark.',
        remedy: 'Give user and password as `auth`, or a bearer token as `token`.',
      });
    }
    this.host = host;
    this.#options = options;
    const api = host.startsWith(MEMORY) ? memoryRegistry(host.slice(MEMORY.length)) : httpRegistry(options);
    this.#catalog = new SchemaCatalog(this.host, api);
  }

  /** Avro, by avsc. Values are as avsc has them. @throws MillraceError MILLRACE_INVALID_CONFIG the schema is invalid. */
  avro<T>(options: RegistrySerdeOptions = {}): Serde<T> {
    return this.#serde('confluent-avro', options, (name) => avroFormat(name, options));
  }

  /** JSON Schema, by ajv: drafts 07, 2019-09 and 2020-12. @throws MillraceError MILLRACE_INVALID_CONFIG the schema is invalid. */
  json<T>(options: JsonSchemaSerdeOptions = {}): Serde<T> {
    return this.#serde('confluent-json', options, (name) => jsonFormat(name, options));
  }

  /** Protobuf, by protobufjs. @throws MillraceError MILLRACE_INVALID_CONFIG the schema is invalid. */
  protobuf<T>(options: ProtobufSerdeOptions): Serde<T> {
    return this.#serde('confluent-protobuf', options, (name) => protobufFormat(name, options));
  }

  #serde<T>(
    frame: string,
    options: Pick<RegistrySerdeOptions, 'subject' | 'subjectName' | 'register'>,
    formatOf: (name: string) => SchemaFormat,
  ): Serde<T> {
    const format = formatOf(frame);
    const { register, subjectName } = this.#options;
    const inMemory = this.host.startsWith(MEMORY);
    return new RegistrySerde<T>({
      // Not of the version: state is read across versions. The record's name tells apart what else would be taken for the same.
      name: format.record === '' ? frame : `${frame}:${format.record}`,
      catalog: this.#catalog,
      format,
      subject: options.subject,
      naming: options.subjectName ?? subjectName ?? 'topic',
      register: options.register ?? register ?? (inMemory ? true : 'internal'),
    });
  }
}
