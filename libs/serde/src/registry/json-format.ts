// Owns JSON Schema for the serdes of a registry: text in UTF-8, checked by ajv. Nothing is converted: a reader's schema adds no defaults, and
// whether it takes what another version wrote shows record by record, or by the registry's rule of compatibility.
import { MillraceError, asError } from '#libs/core';
import { parseJson, stringifyJson } from '../json/json-text.ts';
import { deserializationFailed, serializationFailed } from '../serde-error.ts';
import { readsOnly } from './avro-format.ts';
import { ownJsonSchema } from './format.ts';
import type { PayloadReader, PayloadRefusal, SchemaFormat, WrittenSchema } from './format.ts';
import { libraryRequire } from './library.ts';
import type { JsonSchemaSerdeOptions } from './registry-options.ts';

interface Check {
  (value: unknown): boolean;
  errors?: readonly { readonly instancePath: string; readonly message?: string }[] | null;
}

interface Ajv {
  addSchema(schema: object, name: string): void;
  compile(schema: object): Check;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function jsonFormat(name: string, options: JsonSchemaSerdeOptions): SchemaFormat {
  const { schema, references = [] } = options;
  let check: Check | null = null;
  if (schema !== undefined) {
    try {
      check = compile(schema, references);
    } catch (error) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `A JSON Schema is invalid: ${asError(error).message}.`,
        remedy: 'Correct the schema. Drafts 07 (default), 2019-09 and 2020-12 are told apart by `$schema`.',
        cause: error,
      });
    }
  }
  return {
    kind: 'JSON',
    record: (schema as { title?: string } | undefined)?.title ?? '',
    own: ownJsonSchema(schema, references),
    encode(value, bytes, at) {
      if (check === null) throw readsOnly(name);
      if (!check(value)) throw serializationFailed(name, { why: misfit(check) });
      const text = stringifyJson(value);
      const room = bytes.length - at;
      const size = Buffer.byteLength(text);
      if (size > room) return room - size;
      return at + bytes.write(text, at, 'utf8');
    },
    reader: (written) => jsonReader(name, check, written),
  };
}

function jsonReader(name: string, own: Check | null, written: WrittenSchema): PayloadReader | PayloadRefusal {
  if (written.kind !== 'JSON') return { refusal: `it is a schema of the kind ${written.kind}, not JSON` };
  let check = own;
  if (check === null) {
    try {
      const references = written.referenced.map((each) => ({
        name: each.name,
        schema: JSON.parse(each.text) as object,
      }));
      check = compile(JSON.parse(written.text) as object, references);
    } catch (error) {
      return { refusal: `ajv cannot read the schema: ${asError(error).message}` };
    }
  }
  return {
    decode(bytes, at, end) {
      const value = parseJson(bytes.toString('utf8', at, end));
      if (check(value)) return value;
      throw deserializationFailed(name, { why: misfit(check), payload: bytes.toString('latin1', at, end) });
    },
  };
}

/** Where, and against which rule: ajv's message quotes the schema, never the value. */
function misfit(check: Check): string {
  const [first] = check.errors ?? [];
  const path = first?.instancePath ?? '';
  return `it does not fit the schema at \`${path === '' ? '(root)' : path}\` (${first?.message ?? 'no reason given'})`;
}

/** Formats such as `date-time` are not checked: ajv itself has none. */
function compile(schema: object, references: readonly { name: string; schema: object }[]): Check {
  const { $schema } = schema as { $schema?: unknown };
  const draft = typeof $schema === 'string' ? $schema : '';
  const path = draft.includes('2020-12')
    ? 'ajv/dist/2020'
    : draft.includes('2019-09')
      ? 'ajv/dist/2019'
      : 'ajv';
  const { default: Ajv } = libraryRequire(path) as {
    default: new (options: object) => Ajv;
  };
  const ajv = new Ajv({ strict: false, validateFormats: false, allowUnionTypes: true });
  for (const reference of references) ajv.addSchema(reference.schema, reference.name);
  return ajv.compile(schema);
}
