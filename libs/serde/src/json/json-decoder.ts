// Owns decoding JSON records by speculation: records of one topic nearly always have the same keys in the same order, so a
// decoder made for that shape reads most of them, and JSON.parse the rest. The result never differs from JSON.parse's.
//
// 1. A shape seen twice is compiled; at most SHAPES_MAX of them, after at most LEARNING_MAX looks at records.
// 2. Where speculation fails more often than it succeeds it is given up.
// 3. What is returned shares no memory with the batch: whoever keeps it keeps nothing else alive.
import type { BinaryString } from '#libs/core';
import { textOfBinary } from '../codec.ts';
import { compileDecoder } from './decode-program.ts';
import type { DecodeFunction } from './decode-program.ts';
import { parseJson } from './json-text.ts';
import { FAIL, scan, scanNumber } from './scan.ts';
import { learnShape, shapeSignature } from './shape.ts';

const SHAPES_MAX = 8;
const LEARNING_MAX = 64;
const MISSES_WINDOW = 256;
/** Longer records are left to JSON.parse: copying them to the scratch bytes costs more than it saves. */
const SCRATCH_BYTES = 16 * 1024;

type TextBuffer = Buffer & {
  latin1Write(text: string, offset: number, length: number): number;
  utf8Write(text: string, offset: number, length: number): number;
};

const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES) as TextBuffer;

export class JsonDecoder {
  /** The likeliest first. */
  readonly #programs: DecodeFunction[] = [];
  readonly #compiledSignatures = new Set<string>();
  readonly #seenSignatures = new Set<string>();
  #first: DecodeFunction | undefined;
  #learningLeft = LEARNING_MAX;
  #hits = 0;
  #misses = 0;

  /** How many shapes are being speculated on. */
  get shapeCount(): number {
    return this.#programs.length;
  }

  /** A record in a batch: `[start, end)` of `bytes`, and of `text`, which has one character a byte. */
  decodeRange(bytes: Uint8Array, text: string, start: number, end: number): unknown {
    const first = this.#first;
    if (first !== undefined) {
      const value = first(bytes, text, start, end);
      if (value !== FAIL) {
        this.#hits++;
        return value;
      }
    }
    return this.#decodeSlowly(bytes, text, start, end);
  }

  /** A record by itself. */
  decodeBinary(binary: BinaryString, ascii: boolean): unknown {
    const length = binary.length;
    if (length > SCRATCH_BYTES || length === 0) return parseJson(textOfBinary('json', binary, ascii));
    scratch.latin1Write(binary, 0, length);
    return this.decodeRange(scratch, binary, 0, length);
  }

  decodeText(text: string): unknown {
    const length = text.length;
    if (length <= SCRATCH_BYTES && length > 0 && scratch.utf8Write(text, 0, SCRATCH_BYTES) === length) {
      return this.decodeRange(scratch, text, 0, length);
    }
    return parseJson(text);
  }

  #decodeSlowly(bytes: Uint8Array, text: string, start: number, end: number): unknown {
    const code = bytes[start];
    if (code !== undefined && code <= 0x39 && code >= 0x2d && end > start) {
      const number = scanNumber(text, bytes, start);
      if (number !== FAIL && scan.at === end) return number;
    }
    const programs = this.#programs;
    for (let i = 1; i < programs.length; i++) {
      const program = programs[i]!;
      const value = program(bytes, text, start, end);
      if (value === FAIL) continue;
      programs[i] = programs[0]!;
      programs[0] = program;
      this.#first = program;
      this.#hits++;
      return value;
    }
    const record = textOfBinary('json', text.substring(start, end) as BinaryString, false);
    const value = parseJson(record);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) this.#miss(record);
    return value;
  }

  #miss(record: string): void {
    if (this.#first !== undefined && ++this.#misses >= MISSES_WINDOW) {
      if (this.#hits < this.#misses) this.#giveUp();
      this.#hits = 0;
      this.#misses = 0;
    }
    if (this.#learningLeft > 0) this.#learn(record);
  }

  #learn(record: string): void {
    this.#learningLeft--;
    const shape = learnShape(record);
    if (shape === undefined || this.#programs.length >= SHAPES_MAX) return;
    const signature = shapeSignature(shape);
    if (this.#compiledSignatures.has(signature)) return;
    if (!this.#seenSignatures.delete(signature)) {
      this.#seenSignatures.add(signature);
      return;
    }
    const program = compileDecoder(shape);
    if (program === undefined) {
      this.#learningLeft = 0;
      return;
    }
    this.#compiledSignatures.add(signature);
    this.#programs.push(program);
    this.#first ??= program;
  }

  #giveUp(): void {
    this.#programs.length = 0;
    this.#first = undefined;
    this.#learningLeft = 0;
    this.#seenSignatures.clear();
  }
}
