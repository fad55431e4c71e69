// Owns keys in URLs and values in answers: by the store's serdes, as JSON.
import { MillraceError } from '#libs/core';
import { StoreQueryError } from '#libs/millrace';
import type { StoreShape } from '#libs/millrace';

/**
 * The key that a part of a URL means. Text serdes: the text itself, which is JSON where the serde is. Bytes: base64url. Any other: JSON.
 * @throws StoreQueryError MILLRACE_QUERY_INVALID
 */
export function keyOfText({ name, keyCodec, keySerde }: StoreShape, text: string): unknown {
  try {
    if (keyCodec.fromText !== undefined) return keyCodec.fromText(text);
    if (keySerde.name === 'bytes') return new Uint8Array(Buffer.from(text, 'base64url'));
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new StoreQueryError({
      code: 'MILLRACE_QUERY_INVALID',
      message: `The key in the path cannot be read by the serde "${keySerde.name}" of store "${name}".`,
      remedy:
        'Write the key as the serde does: text as it is, JSON as JSON text, bytes in base64url; all URL-encoded.',
      cause,
      context: { store: name },
    });
  }
}

/** As JSON; what JSON has no word for as text: big integers in decimal, bytes in base64. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_name, held: unknown) => {
    if (typeof held === 'bigint') return held.toString();
    if (held instanceof Uint8Array) return Buffer.from(held).toString('base64');
    if (held instanceof Map || held instanceof Set) return [...(held as Iterable<unknown>)];
    // A Buffer has become an object on the way here.
    const bytes = held as { type?: unknown; data?: unknown } | null;
    if (bytes?.type === 'Buffer' && Array.isArray(bytes.data))
      return Buffer.from(bytes.data as number[]).toString('base64');
    return held;
  });
}

/** The message of an error without its code and remedy. */
export function messageOf(error: Error): string {
  if (!(error instanceof MillraceError)) return error.message;
  const { message, code, remedy } = error;
  const bare = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  const suffix = ` Remedy: ${remedy ?? ''}`;
  return remedy !== undefined && bare.endsWith(suffix) ? bare.slice(0, -suffix.length) : bare;
}
