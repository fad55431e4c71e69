// Owns the exact, general way between JSON text and values: JSON.parse and JSON.stringify with Millrace's refusals.
// Faster ways (shape-decoder.ts) fall back to this and must never differ from it.
import { deserializationFailed, serializationFailed } from '../serde-error.ts';

const NAME = 'json';

/** @throws SerdeError the text is no JSON, or an object in it has a key `__proto__`. */
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
  // The key may be written with escapes, hence the second question.
  if (typeof value === 'object' && (text.includes('__proto__') || text.includes('\\u')))
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
  return text;
}

/**
 * JSON.parse itself makes `__proto__` an ordinary property. Copied by assignment, as users' code does, it would become the
 * copy's prototype.
 */
function refuseProtoKeys(value: unknown, text: string): void {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Object.hasOwn(node, '__proto__')) {
      throw deserializationFailed(NAME, { why: 'an object in it has the key __proto__', payload: text });
    }
    for (const child of Object.values(node)) if (typeof child === 'object') open.push(child);
  }
}

function positionOf(error: unknown): number | undefined {
  const match = / at position (\d+)/.exec(error instanceof Error ? error.message : '');
  return match === null ? undefined : Number(match[1]);
}
