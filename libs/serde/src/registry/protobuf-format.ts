// Owns Protobuf for the serdes of a registry, by protobufjs: the message's place in its file, then the message, as Confluent's serializers
// write them. Values are plain objects with the fields' names in lower camel case; enums are numbers, bytes are Buffers, 64-bit integers are
// numbers and refused beyond ±(2^53 - 1).
import type * as Protobuf from 'protobufjs';
import { MillraceError, asError } from '#libs/core';
import { deserializationFailed, serializationFailed } from '../serde-error.ts';
import type { PayloadReader, PayloadRefusal, SchemaFormat, WrittenSchema } from './format.ts';
import { libraryRequire } from './library.ts';
import type { ProtobufSerdeOptions } from './registry-options.ts';

/** A `.proto` file as far as serdes need it. */
interface ParsedFile {
  /** In the order of the file, those inside others behind their outer one; the path is how Confluent's frame names a message. */
  readonly messages: readonly { readonly fullName: string; readonly path: readonly number[] }[];
  readonly root: Protobuf.Root;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function protobufFormat(name: string, options: ProtobufSerdeOptions): SchemaFormat {
  const { schema, message, references = [] } = options;
  const referenced = references.map((each) => ({ name: each.name, text: each.schema }));
  let file: ParsedFile;
  try {
    file = parseFile(schema, referenced);
  } catch (error) {
    throw invalid(asError(error).message, error);
  }
  const chosen = file.messages.find(
    ({ fullName }) => message === undefined || fullName === message || fullName.endsWith(`.${message}`),
  );
  if (chosen === undefined) {
    throw invalid(message === undefined ? 'it has no message' : `it has no message \`${message}\``);
  }
  const type = file.root.lookupType(chosen.fullName);
  const place = placeBytes(chosen.path);
  const display = `${name} ${chosen.fullName}`;
  return {
    kind: 'PROTOBUF',
    record: chosen.fullName,
    own: {
      text: schema,
      references: references.map((each) => ({ name: each.name, subject: each.subject, text: each.schema })),
    },
    encode(value, bytes, at) {
      const encoded = encodeMessage(display, type, value);
      const missing = at + place.length + encoded.length - bytes.length;
      if (missing > 0) return -missing;
      bytes.set(place, at);
      bytes.set(encoded, at + place.length);
      return at + place.length + encoded.length;
    },
    reader: (written) => protobufReader(display, type, chosen.fullName, written),
  };
}

function invalid(why: string, cause?: unknown): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `A Protobuf schema is invalid: ${why}.`,
    remedy: 'Correct the text of the `.proto` file; what it imports is to be given as `references`.',
    cause,
  });
}

function parseFile(text: string, referenced: readonly { name: string; text: string }[]): ParsedFile {
  const protobuf = libraryRequire('protobufjs') as typeof Protobuf;
  const alone = protobuf.parse(text, new protobuf.Root());
  const messages: ParsedFile['messages'][number][] = [];
  const scope = alone.package === undefined ? alone.root : alone.root.lookup(alone.package);
  collect(protobuf, scope as Protobuf.NamespaceBase | null, [], messages);
  const { root } = protobuf.parse(text, new protobuf.Root());
  const imports = [...(alone.imports ?? [])];
  for (const reference of referenced) {
    imports.push(...(protobuf.parse(reference.text, root).imports ?? []));
  }
  for (const path of imports) {
    const wellKnown = protobuf.common.get(path);
    if (wellKnown?.nested !== undefined) root.addJSON(wellKnown.nested);
  }
  root.resolveAll();
  return { messages, root };
}

function collect(
  protobuf: typeof Protobuf,
  scope: Protobuf.NamespaceBase | null,
  path: readonly number[],
  into: { fullName: string; path: readonly number[] }[],
): void {
  let index = 0;
  for (const nested of scope?.nestedArray ?? []) {
    if (!(nested instanceof protobuf.Type)) continue;
    const own = [...path, index++];
    into.push({ fullName: nested.fullName.replace(/^\./, ''), path: own });
    // The messages that `map` fields stand for are not in the text, and protobufjs makes none.
    collect(protobuf, nested, own, into);
  }
}

/** The number of indexes and each of them as zigzag varints; the first message of the file, the usual one, is a single zero. */
function placeBytes(path: readonly number[]): Uint8Array {
  if (path.length === 1 && path[0] === 0) return Uint8Array.of(0);
  const bytes: number[] = [];
  for (const number of [path.length, ...path]) {
    let rest = number * 2;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

const PLACE_DEPTH_MAX = 32;

/** `null`: it is no place. */
function placeAt(bytes: Buffer, at: number, end: number): { path: readonly number[]; next: number } | null {
  let next = at;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; next < end && factor <= 2 ** 28; factor *= 128) {
      const byte = bytes[next++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -1;
    }
    return -1;
  };
  const count = number();
  if (count < 0 || count > PLACE_DEPTH_MAX) return null;
  if (count === 0) return { path: [0], next };
  const path = Array.from({ length: count }, number);
  return path.includes(-1) ? null : { path, next };
}

function encodeMessage(name: string, type: Protobuf.Type, value: unknown): Uint8Array {
  if (typeof value !== 'object' || value === null)
    throw serializationFailed(name, { why: 'it is no object' });
  // It names the field and what was expected, not the value.
  const fault = type.verify(value);
  if (fault !== null) throw serializationFailed(name, { why: `it does not fit the schema: ${fault}` });
  return type.encode(value).finish();
}

function protobufReader(
  name: string,
  own: Protobuf.Type,
  ownName: string,
  written: WrittenSchema,
): PayloadReader | PayloadRefusal {
  if (written.kind !== 'PROTOBUF')
    return { refusal: `it is a schema of the kind ${written.kind}, not PROTOBUF` };
  let file: ParsedFile;
  try {
    file = parseFile(written.text, written.referenced);
  } catch (error) {
    return { refusal: `protobufjs cannot read the schema: ${asError(error).message}` };
  }
  const byPath = new Map(file.messages.map(({ fullName, path }) => [path.join('.'), fullName]));
  const wide = hasWideIntegers(own, new Set());
  return {
    decode(bytes, at, end) {
      const place = placeAt(bytes, at, end);
      const message = place === null ? undefined : byPath.get(place.path.join('.'));
      if (place === null || message === undefined) {
        throw deserializationFailed(name, { why: 'it does not say which message of the schema it is' });
      }
      if (message !== ownName) throw deserializationFailed(name, { why: `it is a message ${message}` });
      try {
        // A copy: fields of type `bytes` are views of what is decoded.
        const payload = Buffer.from(bytes.subarray(place.next, end));
        const decoded = own.decode(payload);
        const value = own.toObject(decoded, wide ? WIDE : NARROW);
        if (payload.includes('__proto__')) refuseProtoKeys(value);
        return wide ? withNumbers(value) : value;
      } catch {
        throw deserializationFailed(name, {
          why: 'it does not fit the schema',
          payload: bytes.toString('latin1', at, end),
        });
      }
    },
  };
}

/** As of JSON: copied by assignment, the key of a map would become the copy's prototype. @throws Error */
function refuseProtoKeys(value: unknown): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if (Object.hasOwn(value, '__proto__')) throw new Error('a map has the key __proto__');
  for (const inner of Object.values(value)) refuseProtoKeys(inner);
}

const NARROW = { defaults: true, arrays: true, objects: true };
const WIDE = { ...NARROW, longs: BigInt };

function hasWideIntegers(type: Protobuf.Type, seen: Set<string>): boolean {
  if (seen.has(type.fullName)) return false;
  seen.add(type.fullName);
  for (const field of type.fieldsArray) {
    field.resolve();
    if (field.type.endsWith('64')) return true;
    const inner = field.resolvedType as Protobuf.Type | null;
    if (inner !== null && 'fieldsArray' in inner && hasWideIntegers(inner, seen)) return true;
  }
  return false;
}

/** @throws RangeError an integer is beyond what a number holds exactly. */
function withNumbers<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    const inner = object[key];
    if (typeof inner === 'bigint') {
      const number = Number(inner);
      if (!Number.isSafeInteger(number)) throw new RangeError('an integer is beyond 2^53');
      object[key] = number;
    } else if (typeof inner === 'object') withNumbers(inner);
  }
  return value;
}
