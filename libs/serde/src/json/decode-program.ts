// Owns turning a shape into a decoder: JavaScript source that checks the text between the values byte by byte, reads the
// values in between, and builds the object by one literal, so that V8 gives all records one hidden class.
//
// The generated function is right or says FAIL:
// 1. Every byte of the record is compared or read; it ends exactly at `end`.
// 2. It may look at bytes behind `end`, but what it then builds is discarded by rule 1.
// 3. A missing byte (behind the array) compares false with everything and ends every loop.
import type { Field, Shape } from './shape.ts';
import { FAIL, ownString, scan, scanComposite, scanNumber, scanString, STRING_BYTES } from './scan.ts';

/** `text` is `bytes` with one character a byte; the record lies in `[start, end)` of both. */
export type DecodeFunction = (bytes: Uint8Array, text: string, start: number, end: number) => unknown;

/** The decoder of a shape; undefined where code may not be generated (a content security policy, a Node flag). */
export function compileDecoder(shape: Shape): DecodeFunction | undefined {
  const source = new DecoderSource();
  const result = source.object(shape);
  const body = `
return function decode(b, text, p, end) {
  let c = 0, q = 0, n = 0;
${source.lines.join('\n')}
  return p === end ? ${result} : FAIL;
};`;
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- made of numbers, fixed code and JSON-quoted keys only
    const factory = new Function(
      'FAIL',
      'scan',
      'scanNumber',
      'scanString',
      'scanComposite',
      'ownString',
      'S',
      body,
    ) as (...helpers: unknown[]) => DecodeFunction;
    return factory(FAIL, scan, scanNumber, scanString, scanComposite, ownString, STRING_BYTES);
  } catch {
    return undefined;
  }
}

class DecoderSource {
  readonly lines: string[] = [];
  private variables = 0;

  /** Emits the code that reads an object; returns the expression that builds it. */
  object(shape: Shape): string {
    const properties: string[] = [];
    for (const field of shape.fields) {
      this.expect(field.literal);
      properties.push(`${JSON.stringify(field.key)}: ${this.value(field)}`);
    }
    this.expect(shape.tail);
    return `{ ${properties.join(', ')} }`;
  }

  private value(field: Field): string {
    if (field.child !== undefined) return this.object(field.child);
    const name = `v${this.variables++}`;
    const string = `if (c === 34) { ${stringValue(name)} }`;
    const number = `if (c <= 57 && c >= 45) { ${numberValue(name)} }`;
    this.lines.push(`
  let ${name};
  c = b[p];
  ${field.isString ? `${string} else ${number}` : `${number} else ${string}`}
  else if (c === 116) { if (b[p + 1] !== 114 || b[p + 2] !== 117 || b[p + 3] !== 101) return FAIL; p += 4; ${name} = true; }
  else if (c === 102) { if (b[p + 1] !== 97 || b[p + 2] !== 108 || b[p + 3] !== 115 || b[p + 4] !== 101) return FAIL; p += 5; ${name} = false; }
  else if (c === 110) { if (b[p + 1] !== 117 || b[p + 2] !== 108 || b[p + 3] !== 108) return FAIL; p += 4; ${name} = null; }
  else if (c === 91 || c === 123) { if ((${name} = scanComposite(text, b, p, end)) === FAIL) return FAIL; p = scan.at; }
  else return FAIL;`);
    return name;
  }

  private expect(literal: string): void {
    const checks: string[] = [];
    for (let i = 0; i < literal.length; i++) {
      checks.push(`b[p${i === 0 ? '' : ` + ${i}`}] !== ${literal.charCodeAt(i)}`);
    }
    this.lines.push(`  if (${checks.join(' || ')}) return FAIL;\n  p += ${literal.length};`);
  }
}

function stringValue(name: string): string {
  return `
    q = p + 1;
    while (S[b[q]] === 0) q++;
    if (b[q] === 34) { ${name} = ownString(text, b, p + 1, q); p = q + 1; }
    else { if ((${name} = scanString(b, p, end)) === FAIL) return FAIL; p = scan.at; }`;
}

/** Integers of up to 15 digits in place; all else out of line. A zero in front of digits is left to fail at the next literal. */
function numberValue(name: string): string {
  return `
    q = p;
    if (c === 45) c = b[++p];
    n = c - 48;
    if (!(n >= 0 && n <= 9)) return FAIL;
    p++;
    if (n !== 0) while ((c = b[p] - 48) >= 0 && c <= 9) { n = n * 10 + c; p++; }
    else c = b[p] - 48;
    if (c === -2 || c === 53 || c === 21 || p - q > 15) { if ((${name} = scanNumber(text, b, q)) === FAIL) return FAIL; p = scan.at; }
    else ${name} = b[q] === 45 ? -n : n;`;
}
