// Owns the options of a schema registry and of the serdes made of it.
import type { AvroLogicalTypes, AvroSchema } from '../avro.ts';
import type { SubjectNaming } from './subjects.ts';

export interface SchemaRegistryOptions {
  /**
   * Base URL, such as `https://registry:8081`; Apicurio's is `…/apis/ccompat/v7`. `memory://<name>` is a registry inside this process, for
   * tests, shared by all clients of that name.
   */
  readonly host: string;
  /** HTTP basic authorization. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** A bearer token; a function is asked before every request, so that it can renew it. */
  readonly token?: string | (() => string | Promise<string>);
  /** For `https://`: what to trust besides Node's authorities, and what to show for mutual TLS. PEM texts. */
  readonly tls?: RegistryTlsOptions;
  readonly clientId?: string;
  /** Milliseconds to wait for an answer. Default 10,000. */
  readonly timeoutMs?: number;
  /** What serdes do that say nothing themselves, see `RegistrySerdeOptions`. */
  readonly register?: RegisterPolicy;
  /** What serdes do that say nothing themselves, see `RegistrySerdeOptions`. */
  readonly subjectName?: SubjectNaming;
}

export interface RegistryTlsOptions {
  readonly ca?: string | string[];
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** The name in the registry's certificate, where it is not that of the URL. */
  readonly servername?: string;
}

/** Register the schema where the subject does not have it? `internal`: for changelog and repartition topics, which are the application's own. */
export type RegisterPolicy = boolean | 'internal';

/** A schema that the own one names. It is looked up, or registered, under its subject before the own one is. */
export interface OwnReference<Schema> {
  readonly name: string;
  readonly subject: string;
  readonly schema: Schema;
}

interface CommonSerdeOptions<Schema> {
  /** One subject for all topics the serde is used for, instead of a name made by `subjectName`. */
  readonly subject?: string;
  /** How the subject is named. Default `topic`: `<topic>-value` or `<topic>-key`. */
  readonly subjectName?: SubjectNaming;
  /** Default `internal`: schemas of other topics are a matter of deployment. */
  readonly register?: RegisterPolicy;
  readonly references?: readonly OwnReference<Schema>[];
}

export interface RegistrySerdeOptions extends CommonSerdeOptions<AvroSchema> {
  /** What values are written with and read into. Without it values are read by the schema they were written with, and cannot be written. */
  readonly schema?: AvroSchema;
  /** Classes by the name of the logical type: what values of it are in JavaScript. `avroLogicalTypes` is a set to begin with. */
  readonly logicalTypes?: AvroLogicalTypes;
}

export interface JsonSchemaSerdeOptions extends CommonSerdeOptions<object> {
  /** What values are checked against when written and read. Without it those read are checked against their own, and none can be written. */
  readonly schema?: object;
}

export interface ProtobufSerdeOptions extends CommonSerdeOptions<string> {
  /** The text of a `.proto` file, proto3 or proto2. */
  readonly schema: string;
  /** The message of the file that values are, by its full name or its last part. Default: the first. */
  readonly message?: string;
}
