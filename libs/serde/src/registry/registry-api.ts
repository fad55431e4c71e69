// Owns what is asked of a schema registry, whoever answers: one over HTTP (http-registry.ts) or one in memory (memory-registry.ts).

export type SchemaKind = 'AVRO' | 'JSON' | 'PROTOBUF';

/** A schema of a subject that another one names. */
export interface SchemaReference {
  /** What the referring text calls it: Avro's full name, the file that Protobuf imports, the `$ref` of a JSON Schema. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

export interface RegistrySchema {
  readonly kind: SchemaKind;
  readonly text: string;
  readonly references: readonly SchemaReference[];
}

export interface RegisteredVersion extends RegistrySchema {
  readonly id: number;
  readonly version: number;
}

/** Every method throws `RegistryRefusal` for an answer that is none of those named, and whatever else when there is no answer. */
export interface RegistryApi {
  /** `null`: no such id. */
  byId(id: number): Promise<RegistrySchema | null>;
  /** The version of `subject` that has this schema; `null`: none. */
  find(subject: string, schema: RegistrySchema): Promise<{ id: number; version: number } | null>;
  /** `null`: the subject has no version, or not this one. */
  version(subject: string, version: number | 'latest'): Promise<RegisteredVersion | null>;
  /** @throws RegistryRefusal 409 it does not go with what the subject has; 422 it is no valid schema. */
  register(subject: string, schema: RegistrySchema): Promise<number>;
  /** Asks without registering; also what the registry gives as the reasons, if it does. A subject without versions takes anything. */
  isCompatible(
    subject: string,
    schema: RegistrySchema,
  ): Promise<{ compatible: boolean; reasons: readonly string[] }>;
}

/** The registry answered, and not with what was asked for. */
export class RegistryRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'RegistryRefusal';
    this.status = status;
  }
}
