// Owns the exact, general way between JSON text and values: JSON.parse and JSON.stringify with Millrace's refusals.
// Faster ways (shape-decoder.ts) fall back to this and must never differ from it.
import { deserializationFailed, serializationFailed } from '../serde-error.ts';

const NAME = 'json';

/**
 * Objects and arrays in one another. JSON.parse knows no limit; what users' code does with the value, and JSON.stringify, would run out of
 * stack at some ten thousand.
 */
export const JSON_DEPTH_MAX = 1_000;

/** @throws SerdeError the text is no JSON, is nested too deeply, or an object in it has a key that would reach a prototype. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The engine's message quotes the payload, so neither it nor the error itself goes further.
    throw deserializationFailed(NAME, {
      why: 'it is not valid JSON',
      position: positionOf(error),
      payload: text,
    });
  }
  if (typeof value !== 'object') return value;
  if (nestsTooDeeply(text))
    throw deserializationFailed(NAME, {
      why: `it nests more than ${JSON_DEPTH_MAX} levels deep`,
      payload: text,
    });
  // The keys may be written with escapes, hence the last question.
  if (text.includes('__proto__') || text.includes('"constructor"') || text.includes('\\u'))
    refuseProtoKeys(value, text);
  return value;
}

/** @throws SerdeError the value has no JSON text (undefined, a function, a cycle, a bigint). */
export function stringifyJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw serializationFailed(NAME, { why: 'JSON.stringify refused it', cause: error });
  }
  if (text === undefined)
    throw serializationFailed(NAME, { why: `a value of type ${typeof value} has no JSON text` });
  // It could not be read again.
  if (nestsTooDeeply(text))
    throw serializationFailed(NAME, { why: `it nests more than ${JSON_DEPTH_MAX} levels deep` });
  return text;
}

/** May `text` nest more than `depth` levels, as far as its brackets tell? Those in strings count, too. */
export function mayNestBeyond(text: string, depth: number): boolean {
  if (text.length <= 2 * depth) return false;
  let count = 0;
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (++count > depth) return true;
  }
  return false;
}

/** Does `text`, which is JSON, nest more than JSON_DEPTH_MAX levels deep? */
function nestsTooDeeply(text: string): boolean {
  if (!mayNestBeyond(text, JSON_DEPTH_MAX)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // A string, up to its closing quote.
        for (at++; text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > JSON_DEPTH_MAX) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
    }
  }
  return false;
}

/**
 * JSON.parse itself makes `__proto__` an ordinary property. Copied by assignment, as users' code does, it would become the
 * copy's prototype. `constructor` with a `prototype` in it is what reaches the prototype of all objects, merged level by level as users'
 * code does; by itself it is a name like any other.
 */
function refuseProtoKeys(value: unknown, text: string): void {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Object.hasOwn(node, '__proto__')) {
      throw deserializationFailed(NAME, { why: 'an object in it has the key __proto__', payload: text });
    }
    const made = Object.hasOwn(node, 'constructor') ? (node as { constructor: unknown }).constructor : null;
    if (typeof made === 'object' && made !== null && Object.hasOwn(made, 'prototype')) {
      throw deserializationFailed(NAME, {
        why: 'an object in it has the key constructor, and in that prototype',
        payload: text,
      });
    }
    for (const child of Object.values(node)) if (typeof child === 'object') open.push(child);
  }
}

function positionOf(error: unknown): number | undefined {
  const match = / at position (\d+)/.exec(error instanceof Error ? error.message : '');
  return match === null ? undefined : Number(match[1]);
}
