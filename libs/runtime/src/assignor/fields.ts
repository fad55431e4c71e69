// Owns the bytes of our data in the group: fields with a number and a length each, so that a reader passes over those it does not
// know. Sets of tasks are runs of partitions, a byte or two each. Texts, numbers up to 2^53; nothing here knows what a field means.
import { formatTaskId, parseTaskId } from '#libs/core';
import type { TaskIdText } from '#libs/core';

/** Bytes that do not decode. Turned into an error with a code where it is known whose they are. */
export class MalformedFields extends Error {}

/** More than any cluster has partitions: what says more is no set of tasks. */
const TASKS_MAX = 1 << 20;

export class FieldWriter {
  private readonly bytes: number[] = [];

  number(tag: number, value: number): this {
    const inner = new FieldWriter();
    inner.varint(value);
    return this.field(tag, inner);
  }

  text(tag: number, value: string): this {
    return this.texts(tag, [value]);
  }

  texts(tag: number, values: readonly string[]): this {
    const inner = new FieldWriter();
    for (const value of values) {
      const encoded = Buffer.from(value);
      inner.varint(encoded.length);
      for (const byte of encoded) inner.bytes.push(byte);
    }
    return values.length === 0 ? this : this.field(tag, inner);
  }

  tasks(tag: number, names: readonly TaskIdText[]): this {
    const inner = new FieldWriter();
    inner.taskSet(names);
    return names.length === 0 ? this : this.field(tag, inner);
  }

  /** A number for each task. */
  figures(tag: number, figures: ReadonlyMap<TaskIdText, number>): this {
    if (figures.size === 0) return this;
    const inner = new FieldWriter();
    for (const name of inner.taskSet([...figures.keys()])) inner.varint(figures.get(name)!);
    return this.field(tag, inner);
  }

  /** Pairs of numbers. */
  pairs(tag: number, pairs: ReadonlyMap<number, number>): this {
    const inner = new FieldWriter();
    for (const [key, value] of pairs) {
      inner.varint(key);
      inner.varint(value);
    }
    return this.field(tag, inner);
  }

  /** Texts, each with sets of tasks, as many for each. */
  placements(tag: number, placements: readonly (readonly [name: string, ...sets: TaskIdText[][]])[]): this {
    if (placements.length === 0) return this;
    const inner = new FieldWriter();
    for (const [name, ...sets] of placements) {
      const encoded = Buffer.from(name);
      inner.varint(encoded.length);
      for (const byte of encoded) inner.bytes.push(byte);
      for (const set of sets) inner.taskSet(set);
    }
    return this.field(tag, inner);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }

  private field(tag: number, inner: FieldWriter): this {
    this.varint(tag);
    this.varint(inner.bytes.length);
    for (const byte of inner.bytes) this.bytes.push(byte);
    return this;
  }

  private varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.bytes.push(rest);
  }

  /** Sub-topologies, each with its runs of partitions: the gap before a run, and how many follow its first. Returns the order. */
  private taskSet(names: readonly TaskIdText[]): TaskIdText[] {
    const ids = names.map(parseTaskId);
    ids.sort((a, b) => a.subTopology - b.subTopology || a.partition - b.partition);
    const bySub = new Map<number, number[]>();
    for (const { subTopology, partition } of ids) {
      const list = bySub.get(subTopology);
      if (list === undefined) bySub.set(subTopology, [partition]);
      else if (list.at(-1) !== partition) list.push(partition);
    }
    this.varint(bySub.size);
    const order: TaskIdText[] = [];
    for (const [subTopology, partitions] of bySub) {
      const runs: { first: number; last: number }[] = [];
      for (const partition of partitions) {
        order.push(formatTaskId({ subTopology, partition }));
        const run = runs.at(-1);
        if (run !== undefined && run.last + 1 === partition) run.last = partition;
        else runs.push({ first: partition, last: partition });
      }
      this.varint(subTopology);
      this.varint(runs.length);
      let next = 0;
      for (const { first, last } of runs) {
        this.varint(first - next);
        this.varint(last - first);
        next = last + 1;
      }
    }
    return order;
  }
}

/** The fields of a message, by their numbers; one that comes twice counts as its last. */
export function readFields(bytes: Uint8Array): Map<number, FieldReader> {
  const fields = new Map<number, FieldReader>();
  const reader = new FieldReader(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    fields.set(tag, new FieldReader(reader.take(reader.varint())));
  }
  return fields;
}

/** Each method reads a whole field. @throws MalformedFields */
export class FieldReader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  texts(): string[] {
    const values: string[] = [];
    while (!this.isAtEnd) values.push(Buffer.from(this.take(this.varint())).toString('utf8'));
    return values;
  }

  tasks(): TaskIdText[] {
    const names: TaskIdText[] = [];
    const subs = this.varint();
    for (let i = 0; i < subs; i++) {
      const subTopology = this.varint();
      const runs = this.varint();
      let partition = 0;
      for (let j = 0; j < runs; j++) {
        partition += this.varint();
        const count = this.varint() + 1;
        if (names.length + count > TASKS_MAX) throw new MalformedFields(`more than ${TASKS_MAX} tasks`);
        for (let k = 0; k < count; k++) names.push(formatTaskId({ subTopology, partition: partition++ }));
      }
    }
    return names;
  }

  /** `setCount`: sets of tasks behind each text. */
  placements(setCount: number): { readonly name: string; readonly sets: TaskIdText[][] }[] {
    const placements: { readonly name: string; readonly sets: TaskIdText[][] }[] = [];
    while (!this.isAtEnd) {
      const name = Buffer.from(this.take(this.varint())).toString('utf8');
      placements.push({ name, sets: Array.from({ length: setCount }, () => this.tasks()) });
    }
    return placements;
  }

  figures(): Map<TaskIdText, number> {
    return new Map(this.tasks().map((name) => [name, this.varint()]));
  }

  pairs(): Map<number, number> {
    const pairs = new Map<number, number>();
    while (!this.isAtEnd) pairs.set(this.varint(), this.varint());
    return pairs;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.isAtEnd) throw new MalformedFields(`they end within a number`);
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new MalformedFields('a number is out of range');
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) {
      throw new MalformedFields(`a field of ${length} bytes has ${this.bytes.length - this.at}`);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
