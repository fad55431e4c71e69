// Owns turning the keys of an object into an encoder: JavaScript source that checks that an object has exactly these keys
// in this order and writes its values between constant bytes. What JSON.stringify would treat differently it leaves alone.
import { writeNumber, writeOther, writeString } from './encode-values.ts';
import type { TextBuffer } from './encode-values.ts';

const FIELDS_MAX = 64;
const DEPTH_MAX = 4;
const KEY_CHARACTERS_MAX = 1024;
/** JSON text of a key that needs no escapes and no UTF-8. */
const PLAIN_KEY = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** `constructor` tells plain objects from others: none of them may have it as a property. */
const ODD_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'toJSON']);

/** Bytes that the constant parts and the numbers of one object may take besides its strings. */
export const CONSTANT_BYTES_MAX = 3072;

/**
 * Writes `value` from `at` on; returns the position behind it or -1. Strings end below `limit`, behind which there must be
 * room for CONSTANT_BYTES_MAX.
 */
export type EncodeFunction = (value: object, bytes: TextBuffer, at: number, limit: number) => number;

export interface Keys {
  readonly names: readonly string[];
  /** By position: the keys of the object there. */
  readonly children: readonly (Keys | undefined)[];
}

/** The keys of `value` and of the objects in it; undefined where there is nothing to speculate on. */
export function learnKeys(value: object): Keys | undefined {
  const budget = { fields: FIELDS_MAX, characters: KEY_CHARACTERS_MAX };
  return keysOf(value, 0, budget);
}

function keysOf(
  value: object,
  depth: number,
  budget: { fields: number; characters: number },
): Keys | undefined {
  // Arrays, dates, boxed numbers, classes with toJSON, what JSON.rawJSON makes: all have another prototype than literals.
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value || depth > DEPTH_MAX)
    return undefined;
  const names = Object.keys(value);
  const children: (Keys | undefined)[] = [];
  for (const name of names) {
    budget.fields--;
    budget.characters -= name.length;
    if (!PLAIN_KEY.test(name) || ODD_KEYS.has(name) || budget.fields < 0 || budget.characters < 0)
      return undefined;
    const child = (value as Record<string, unknown>)[name];
    children.push(typeof child === 'object' && child !== null ? keysOf(child, depth + 1, budget) : undefined);
  }
  return names.length === 0 ? undefined : { names, children };
}

/** The encoder of objects with these keys; undefined where code may not be generated. */
export function compileEncoder(keys: Keys): EncodeFunction | undefined {
  const source = new EncoderSource();
  source.object(keys, 'o');
  source.flush();
  const body = `
return function encode(o, b, p, limit) {
  let i = 0;
${source.lines.join('\n')}
  return p;
};`;
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- made of numbers, fixed code and JSON-quoted keys only
    const factory = new Function('O', 'writeNumber', 'writeString', 'writeOther', 'K', body) as (
      ...helpers: unknown[]
    ) => EncodeFunction;
    return factory(Object, writeNumber, writeString, writeOther, source.keyLists);
  } catch {
    return undefined;
  }
}

class EncoderSource {
  readonly lines: string[] = [];
  readonly keyLists: (readonly string[])[] = [];
  private variables = 0;
  /** Constant text not yet written: it is merged across the borders of objects. */
  private pending = '';

  object(keys: Keys, variable: string): void {
    const list = `k${this.keyLists.length}`;
    this.lines.push(`
  if (${variable}.constructor !== O || ${variable}.toJSON !== undefined) return -1;
  const ${list} = K[${this.keyLists.length}];
  i = 0;
  for (const k in ${variable}) if (k !== ${list}[i++]) return -1;
  if (i !== ${keys.names.length}) return -1;`);
    this.keyLists.push(keys.names);
    keys.names.forEach((name, index) => {
      this.pending += `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`;
      this.value(`${variable}[${JSON.stringify(name)}]`, keys.children[index]);
    });
    this.pending += '}';
  }

  private value(access: string, child: Keys | undefined): void {
    const name = `v${this.variables++}`;
    if (child !== undefined) {
      this.lines.push(
        `\n  const ${name} = ${access};\n  if (typeof ${name} !== 'object' || ${name} === null) return -1;`,
      );
      this.object(child, name);
      return;
    }
    this.flush();
    this.lines.push(`
  const ${name} = ${access};
  if (typeof ${name} === 'number') p = writeNumber(b, p, ${name});
  else if (typeof ${name} === 'string') { p = writeString(b, p, ${name}, limit); if (p < 0) return -1; }
  else if (${name} === true) { ${stores('true')} }
  else if (${name} === false) { ${stores('false')} }
  else if (${name} === null) { ${stores('null')} }
  else { p = writeOther(b, p, ${name}, limit); if (p < 0) return -1; }`);
  }

  flush(): void {
    if (this.pending === '') return;
    this.lines.push(`  ${stores(this.pending)}`);
    this.pending = '';
  }
}

function stores(text: string): string {
  let code = '';
  for (let i = 0; i < text.length; i++) code += `b[p${i === 0 ? '' : ` + ${i}`}] = ${text.charCodeAt(i)}; `;
  return `${code}p += ${text.length};`;
}
