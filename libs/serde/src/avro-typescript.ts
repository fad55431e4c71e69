// Owns TypeScript types for Avro schemas: what the values are that avsc reads and takes, unions included, since it is avsc's own types that are
// walked. Pure text from schemas; files are scripts' business.
import type { Type, types } from 'avsc';
import { MillraceError } from '#libs/core';
import { avroType } from './avro.ts';
import type { AvroSchema } from './avro.ts';
import { avroLogicalTypes } from './avro-logical-types.ts';

export interface AvroTypeScriptOptions {
  /** Types as `avroLogicalTypes` reads them (Date, decimal text). Default false: the numbers, strings and bytes underneath. */
  readonly logicalTypes?: boolean;
  /** Schemas that are named by the given ones, each before those that name it. Types are made for them too. */
  readonly references?: readonly AvroSchema[];
  /** The name for a schema that has none, such as a union or a map. Default `Value`. */
  readonly name?: string;
}

const LOGICAL: Readonly<Record<string, string>> = {
  'logical:timestamp-millis': 'Date',
  'logical:local-timestamp-millis': 'Date',
  'logical:date': 'Date',
  'logical:uuid': 'string',
  'logical:decimal': 'string',
};

const PRIMITIVES: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Buffer',
  fixed: 'Buffer',
};

/**
 * A module with an exported type for every record and enum of the schema, and the schema itself as a constant (`flightSchema` for `Flight`).
 * @throws MillraceError MILLRACE_INVALID_CONFIG the schema is invalid.
 */
export function avroTypeScript(schema: AvroSchema, options: AvroTypeScriptOptions = {}): string {
  const { logicalTypes = false, references = [], name: given = 'Value' } = options;
  const root = avroType(schema, { references, logicalTypes: logicalTypes ? avroLogicalTypes() : undefined });
  const writer = new TypeWriter();
  let name = writer.write(root);
  let alias = '';
  if (!/^\w+$/.test(name) || Object.values(PRIMITIVES).includes(name)) {
    alias = `\nexport type ${given} = ${name};\n`;
    name = given;
  }
  const constant = `${name[0]!.toLowerCase()}${name.slice(1)}Schema`;
  return (
    `// Generated from an Avro schema. Do not edit: change the schema and generate it again.\n` +
    `${writer.declarations.map((text) => `\n${text}\n`).join('')}${alias}` +
    `\nexport const ${constant} = ${JSON.stringify(schema, null, 2)} as const;\n`
  );
}

class TypeWriter {
  readonly declarations: string[] = [];
  /** By full name of the Avro type. */
  readonly #names = new Map<string, string>();

  /** The type's name or text; declares what it needs. */
  write(type: Type): string {
    const { typeName } = type;
    const primitive = PRIMITIVES[typeName] ?? LOGICAL[typeName];
    if (primitive !== undefined) return primitive;
    switch (typeName) {
      case 'record':
      case 'error':
        return this.#record(type as types.RecordType);
      case 'enum':
        return this.#enum(type as types.EnumType);
      case 'array':
        return `${bracketed(this.write((type as types.ArrayType).itemsType))}[]`;
      case 'map':
        return `Record<string, ${this.write((type as types.MapType).valuesType as Type)}>`;
      case 'union:unwrapped':
        return (type as types.UnwrappedUnionType).types.map((each) => this.write(each)).join(' | ');
      case 'union:wrapped':
        // Branches that could not be told apart by their values: avsc has them as objects with the branch's name.
        return (type as types.WrappedUnionType).types
          .map((each) =>
            each.typeName === 'null' ? 'null' : `{ ${JSON.stringify(each.branchName)}: ${this.write(each)} }`,
          )
          .join(' | ');
      default:
        throw new MillraceError({
          code: 'MILLRACE_INVALID_CONFIG',
          message: `There is no TypeScript type for the Avro type ${typeName}.`,
          remedy: 'Leave the logical type out.',
        });
    }
  }

  #record(type: types.RecordType): string {
    const known = this.#names.get(type.name!);
    if (known !== undefined) return known;
    const name = this.#declare(type.name!);
    // Its place is before those of its fields, as it is in the schema.
    const place = this.declarations.push('') - 1;
    const fields = type.fields.map((field) => {
      const doc = comment((field as { doc?: string }).doc, '  ');
      return `${doc}  ${field.name}: ${this.write(field.type)};\n`;
    });
    const doc = comment(type.doc, '');
    // A type, not an interface: it is then also a value of index signatures such as JSON's.
    this.declarations[place] = `${doc}export type ${name} = {\n${fields.join('')}};`;
    return name;
  }

  #enum(type: types.EnumType): string {
    const known = this.#names.get(type.name!);
    if (known !== undefined) return known;
    const name = this.#declare(type.name!);
    const values = type.symbols.map((symbol) => `'${symbol}'`).join(' | ');
    this.declarations.push(`${comment(type.doc, '')}export type ${name} = ${values};`);
    return name;
  }

  /** The last part of the full name; the whole of it, in capitals, where another namespace has the same. */
  #declare(fullName: string): string {
    const parts = fullName.split('.');
    const taken = new Set(this.#names.values());
    let name = capital(parts.at(-1)!);
    for (let from = parts.length - 2; taken.has(name) && from >= 0; from--)
      name = capital(parts[from]!) + name;
    this.#names.set(fullName, name);
    return name;
  }
}

function capital(word: string): string {
  return word[0]!.toUpperCase() + word.slice(1);
}

function bracketed(text: string): string {
  return text.includes('|') ? `(${text})` : text;
}

function comment(doc: string | undefined, indent: string): string {
  if (doc === undefined || doc === '') return '';
  return `${indent}/** ${doc.replaceAll('*/', '*∕').replaceAll(/\s+/g, ' ').trim()} */\n`;
}
