// Owns the way from a zod schema to the JSON Schema that OpenAPI 3.1 has for it.
import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

export function jsonSchema(schema: z.ZodType, description?: string): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });
  void $schema;
  return description === undefined ? rest : { ...rest, description };
}

/** `schema` typed as what it means inside, where it is text in JSON. */
export function textAs<T extends string>(): z.ZodType<T> {
  return z.string() as unknown as z.ZodType<T>;
}
