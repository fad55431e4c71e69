// Owns what a serde of a registry needs of a kind of schema: to write values, to read what any registered schema of that kind wrote, and to
// tell beforehand whether it can. The frame of magic byte and id is registry-serde.ts's.
import type { RegistrySchema, SchemaKind } from './registry-api.ts';
import type { OwnReference } from './registry-options.ts';

/** A schema and the texts of those it names, each before those that name it. */
export interface WrittenSchema extends RegistrySchema {
  readonly referenced: readonly { readonly name: string; readonly text: string }[];
}

/** Reads what one registered schema wrote. */
export interface PayloadReader {
  /** @throws SerdeError unless `[at, end)` is a value. `bytes` is only valid during the call. */
  decode(bytes: Buffer, at: number, end: number): unknown;
}

/** Why what a registered schema wrote cannot be read. */
export interface PayloadRefusal {
  readonly refusal: string;
}

/** The own schema as it is to be registered. The references' versions are known once they are registered. */
export interface OwnSchema {
  readonly text: string;
  readonly references: readonly { readonly name: string; readonly subject: string; readonly text: string }[];
}

export interface SchemaFormat {
  readonly kind: SchemaKind;
  /** Of the record, message or title, for subjects; '' where there is none. */
  readonly record: string;
  /** `null`: the serde only reads. */
  readonly own: OwnSchema | null;
  /** Writes a value at `at` and gives the position behind it; below 0: so many bytes more are needed. @throws SerdeError */
  encode(value: unknown, bytes: Buffer, at: number): number;
  /** Never throws. */
  reader(written: WrittenSchema): PayloadReader | PayloadRefusal;
}

/** A schema that is JSON, as the user wrote it: a registry compares texts, and our normal form need not be its own. */
export function ownJsonSchema<Schema>(
  schema: Schema | undefined,
  references: readonly OwnReference<Schema>[],
): OwnSchema | null {
  if (schema === undefined) return null;
  return {
    text: JSON.stringify(schema),
    references: references.map((each) => ({
      name: each.name,
      subject: each.subject,
      text: JSON.stringify(each.schema),
    })),
  };
}
