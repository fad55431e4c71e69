// Owns encoding JSON records by speculation: values of one serde nearly always have the same keys, so an encoder made for
// them writes most, and JSON.stringify the rest. The text never differs from JSON.stringify's.
import type { BinaryString } from '#libs/core';
import { binaryFromUtf8 } from '../binary.ts';
import { compileEncoder, CONSTANT_BYTES_MAX, learnKeys } from './encode-program.ts';
import type { EncodeFunction } from './encode-program.ts';
import { NUMBER_BYTES_MAX, writeNumber, written } from './encode-values.ts';
import { stringifyJson } from './json-text.ts';

const PROGRAMS_MAX = 4;
const LEARNING_MAX = 64;
const MISSES_WINDOW = 256;
/** Longer values are left to JSON.stringify. */
const STRING_BYTES_MAX = 16 * 1024;

type TextBuffer = Buffer & {
  utf8Write(text: string, offset: number, length: number): number;
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
};

const scratch = Buffer.allocUnsafeSlow(STRING_BYTES_MAX + CONSTANT_BYTES_MAX) as TextBuffer;

export class JsonEncoder {
  readonly #programs: EncodeFunction[] = [];
  readonly #compiledSignatures = new Set<string>();
  readonly #seenSignatures = new Set<string>();
  #learningLeft = LEARNING_MAX;
  #hits = 0;
  #misses = 0;

  /** How many lists of keys are being speculated on. */
  get programCount(): number {
    return this.#programs.length;
  }

  encodeText(value: unknown): string {
    if (typeof value === 'object' && value !== null) {
      const length = this.#write(value, scratch, 0, STRING_BYTES_MAX);
      if (length >= 0) return written.ascii ? scratch.latin1Slice(0, length) : scratch.utf8Slice(0, length);
    }
    return typeof value === 'number' ? numberText(value) : stringifyJson(value);
  }

  encodeBinary(value: unknown): BinaryString {
    if (typeof value === 'number') return numberText(value) as BinaryString;
    if (typeof value === 'object' && value !== null) {
      const length = this.#write(value, scratch, 0, STRING_BYTES_MAX);
      if (length >= 0) return scratch.latin1Slice(0, length) as BinaryString;
    }
    return binaryFromUtf8(stringifyJson(value));
  }

  /** Writes the value's UTF-8 text from `at` on and returns the position behind it; -1 when `encodeText` must be used. */
  writeTo(value: unknown, bytes: Buffer, at: number): number {
    if (typeof value === 'number') {
      return at + NUMBER_BYTES_MAX > bytes.length ? -1 : writeNumber(bytes, at, value);
    }
    if (typeof value !== 'object' || value === null) return -1;
    return this.#write(value, bytes as TextBuffer, at, bytes.length - CONSTANT_BYTES_MAX);
  }

  #write(value: object, bytes: TextBuffer, at: number, limit: number): number {
    if (at > limit) return -1;
    const programs = this.#programs;
    for (let i = 0; i < programs.length; i++) {
      written.ascii = true;
      written.direct = true;
      const end = attempt(programs[i]!, value, bytes, at, limit);
      if (end < 0) continue;
      if (i > 0) {
        const program = programs[i]!;
        programs[i] = programs[0]!;
        programs[0] = program;
      }
      if (written.direct) this.#hits++;
      else this.#missed();
      return end;
    }
    this.#missed();
    if (this.#learningLeft > 0) this.#learn(value);
    return -1;
  }

  /** Values that need JSON.stringify for a part cost more than JSON.stringify of the whole. */
  #missed(): void {
    if (this.#programs.length === 0 || ++this.#misses < MISSES_WINDOW) return;
    if (this.#hits < this.#misses) {
      this.#programs.length = 0;
      this.#learningLeft = 0;
    }
    this.#hits = 0;
    this.#misses = 0;
  }

  #learn(value: object): void {
    this.#learningLeft--;
    if (this.#programs.length >= PROGRAMS_MAX) return;
    const keys = learnKeys(value);
    if (keys === undefined) return;
    const signature = JSON.stringify(keys);
    if (this.#compiledSignatures.has(signature)) return;
    if (!this.#seenSignatures.delete(signature)) {
      this.#seenSignatures.add(signature);
      return;
    }
    const program = compileEncoder(keys);
    if (program === undefined) {
      this.#learningLeft = 0;
      return;
    }
    this.#compiledSignatures.add(signature);
    this.#programs.push(program);
  }
}

/** A getter or a cycle may throw: JSON.stringify then throws again, and that error is reported. */
function attempt(
  program: EncodeFunction,
  value: object,
  bytes: TextBuffer,
  at: number,
  limit: number,
): number {
  try {
    return program(value, bytes, at, limit);
  } catch {
    return -1;
  }
}

function numberText(value: number): string {
  return Number.isFinite(value) ? `${value}` : 'null';
}
