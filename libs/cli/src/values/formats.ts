// Owns how keys and values that lie encoded are shown: by a chosen format, as something that JSON can hold.
import { readFileSync } from 'node:fs';
import { FatalError, asError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { SchemaRegistryClient, Serdes } from '#libs/millrace';
import type { AvroSchema, Serde } from '#libs/millrace';
import { SchemaPending, compileCodec, utf8FromBinary } from '#libs/serde';

export const FORMATS = [
  'auto',
  'utf8',
  'json',
  'hex',
  'base64',
  'int32',
  'int64',
  'float64',
  'avro',
] as const;

export type Format = (typeof FORMATS)[number];

/** A decoder; a promise where a schema is looked up first. */
export type Show = (encoded: BinaryString) => unknown;

export interface FormatOptions {
  readonly registry?: string;
  /** Where there is no registry: an .avsc file. */
  readonly schema?: string;
}

/** @throws FatalError MILLRACE_INVALID_CONFIG */
export function formatOf(
  format: Format,
  part: 'key' | 'value',
  { registry, schema }: FormatOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Show {
  switch (format) {
    case 'auto':
      return part === 'key' ? showText : showAny;
    case 'hex':
      return (encoded) => hex(encoded);
    case 'base64':
      return (encoded) => Buffer.from(encoded, 'latin1').toString('base64');
    case 'utf8':
      return by(Serdes.string());
    case 'json':
      return by(Serdes.json());
    case 'int32':
      return by(Serdes.int32());
    case 'int64': {
      const show = by(Serdes.int64());
      return (encoded) => String(show(encoded));
    }
    case 'float64':
      return by(Serdes.float64());
    case 'avro':
      if (schema !== undefined) return by(Serdes.avro(readSchema(schema)));
      if (registry === undefined)
        throw invalid(
          `--${part}-format avro needs --registry, or a schema of its own.`,
          'Name the registry’s URL, or an .avsc file.',
        );
      return by(registryClient(registry, environment).avro());
  }
}

export function hex(encoded: BinaryString): string {
  return Buffer.from(encoded, 'latin1').toString('hex');
}

/** What `show` gives, once it can. @throws what the serde refuses with */
export async function shown(show: Show, encoded: BinaryString): Promise<unknown> {
  for (;;) {
    try {
      return show(encoded);
    } catch (error) {
      if (!(error instanceof SchemaPending)) throw error;
      await error.ready;
    }
  }
}

/** Text where all of it can be read; else base64. Keys stay the text they are: 7 is not 007. */
function showText(encoded: BinaryString): unknown {
  return readableText(encoded) ?? { base64: Buffer.from(encoded, 'latin1').toString('base64') };
}

/** JSON where it is; else text where all of it can be read; else base64. */
function showAny(encoded: BinaryString): unknown {
  const text = readableText(encoded);
  if (text === null) return { base64: Buffer.from(encoded, 'latin1').toString('base64') };
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `null`: it is no text, or has control characters in it. */
export function readableText(encoded: BinaryString): string | null {
  const text = utf8FromBinary(encoded);
  if (text === undefined) return null;
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? null : text;
}

function by<T>(serde: Serde<T>): Show {
  const codec = compileCodec(serde);
  return (encoded) => {
    const value: unknown = codec.fromBinary(encoded, false);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
  };
}

/** User and password from the environment, so that they stand in no list of processes. */
function registryClient(
  host: string,
  environment: Readonly<Record<string, string | undefined>>,
): SchemaRegistryClient {
  const { MILLRACE_REGISTRY_USERNAME: username, MILLRACE_REGISTRY_PASSWORD: password } = environment;
  const { MILLRACE_REGISTRY_TOKEN: token } = environment;
  return new SchemaRegistryClient({
    host,
    ...(username === undefined || password === undefined ? {} : { auth: { username, password } }),
    ...(token === undefined ? {} : { token }),
  });
}

function readSchema(file: string): AvroSchema {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as AvroSchema;
  } catch (error) {
    throw invalid(
      `The schema in "${file}" cannot be read: ${asError(error).message}.`,
      'Name an .avsc file.',
    );
  }
}

function invalid(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
