// Owns learning the shape of JSON records: which keys in which order, and the exact text between the values. It reads text
// that JSON.parse has accepted, so it need not refuse anything; what it does not want to speculate on has no shape.
//
// No shape: not an object; a key that is written with escapes, is not ASCII, occurs twice, is `__proto__`, `constructor` or an array index
// (JSON.parse orders those first, and so would an object literal, but their speed is another).

const FIELDS_MAX = 64;
const DEPTH_MAX = 4;
const LITERAL_CHARACTERS_MAX = 2048;

export interface Shape {
  readonly fields: readonly Field[];
  /** What follows the last value: the closing brace, with the whitespace around it. */
  readonly tail: string;
}

export interface Field {
  readonly key: string;
  /** What stands between the previous value and this one: separators, key and whitespace. */
  readonly literal: string;
  /** The value seen was an object of this shape. */
  readonly child: Shape | undefined;
  /** The value seen was a string: told apart first. */
  readonly isString: boolean;
}

/** The same for texts of the same shape. */
export function shapeSignature(shape: Shape): string {
  return JSON.stringify(shape);
}

/** The shape of `text`, which must be valid JSON; undefined when it has none worth speculating on. */
export function learnShape(text: string): Shape | undefined {
  const learner = new Learner(text);
  const shape = learner.object(0);
  if (shape === undefined || shape.fields.length === 0 || learner.fields > FIELDS_MAX) return undefined;
  const tail = shape.tail + learner.rest();
  if (learner.literalCharacters > LITERAL_CHARACTERS_MAX) return undefined;
  return { fields: shape.fields, tail };
}

const WHITESPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^,}\] \t\n\r]+/y;
const PLAIN_KEY = /^[\x20-\x7e]*$/;
const ARRAY_INDEX = /^(?:0|[1-9][0-9]*)$/;

class Learner {
  readonly text: string;
  at = 0;
  fields = 0;
  literalCharacters = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** At an object's text, whitespace allowed in front. Leaves `at` behind the closing brace. */
  object(depth: number): Shape | undefined {
    let literalStart = this.at;
    this.take(WHITESPACE);
    if (this.text[this.at] !== '{' || depth > DEPTH_MAX) return undefined;
    const seen = new Set<string>();
    const fields: Field[] = [];
    this.at++;
    this.take(WHITESPACE);
    while (this.text[this.at] === '"') {
      const quoted = this.take(STRING);
      const key = quoted.slice(1, -1);
      if (key.includes('\\') || !PLAIN_KEY.test(key) || ARRAY_INDEX.test(key)) return undefined;
      // What `constructor` holds is looked at by json-text.ts.
      if (key === '__proto__' || key === 'constructor' || seen.has(key) || ++this.fields > FIELDS_MAX)
        return undefined;
      seen.add(key);
      this.take(WHITESPACE);
      this.at++; // the colon
      this.take(WHITESPACE);
      const literal = this.literal(literalStart);
      const first = this.text[this.at];
      let child: Shape | undefined;
      if (first === '{') {
        child = this.object(depth + 1);
        if (child === undefined) return undefined;
        // An empty object is a value like any other: another record may have keys in it.
        if (child.fields.length === 0) child = undefined;
      } else {
        this.skipValue();
      }
      fields.push({ key, literal, child, isString: first === '"' });
      literalStart = this.at;
      this.take(WHITESPACE);
      if (this.text[this.at] === ',') this.at++;
      this.take(WHITESPACE);
    }
    this.at++; // the closing brace
    return { fields, tail: this.literal(literalStart) };
  }

  rest(): string {
    return this.text.slice(this.at);
  }

  private literal(start: number): string {
    this.literalCharacters += this.at - start;
    return this.text.slice(start, this.at);
  }

  private skipValue(): void {
    const first = this.text[this.at];
    if (first === '"') {
      this.take(STRING);
      return;
    }
    if (first !== '[' && first !== '{') {
      this.take(SCALAR);
      return;
    }
    let open = 0;
    do {
      const character = this.text[this.at];
      if (character === '"') {
        this.take(STRING);
        continue;
      }
      if (character === '[' || character === '{') open++;
      else if (character === ']' || character === '}') open--;
      this.at++;
    } while (open > 0);
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return '';
    this.at = pattern.lastIndex;
    return match[0];
  }
}
