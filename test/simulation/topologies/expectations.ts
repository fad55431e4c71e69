// Owns the comparison that most models share: what has to come out under a key, one after the other, and how far it came.
import { Violation } from '../violation.ts';
import type { InputRecord } from './topology-under-test.ts';

export interface Expected {
  readonly value: string;
  /** What was processed for it; `null`: no record of its own. */
  readonly cause: InputRecord | null;
}

/** By output key, in order. */
export class ExpectedByKey {
  count = 0;
  readonly #lists = new Map<string, Expected[]>();
  readonly #seen = new Map<string, number>();

  add(key: string, value: string, cause: InputRecord | null): void {
    const list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, [{ value, cause }]);
    else list.push({ value, cause });
    this.count++;
  }

  /** @throws Violation the record is not the next one of its key. */
  observe(topic: string, partition: number, key: string, value: string): Expected {
    const list = this.#lists.get(key) ?? [];
    const seen = this.#seen.get(key) ?? 0;
    const expected = list[seen];
    if (expected?.value !== value) throw new Violation(describe(topic, partition, key, value, list, seen));
    this.#seen.set(key, seen + 1);
    return expected;
  }

  /** The last value of each key. */
  get last(): string[] {
    return [...this.#lists.values()].map((list) => list.at(-1)!.value);
  }
}

function describe(
  topic: string,
  partition: number,
  key: string,
  value: string,
  list: readonly Expected[],
  seen: number,
): string {
  const at = list.findIndex((expected) => expected.value === value);
  const what =
    at < 0
      ? 'is none that this key can have'
      : at < seen
        ? `was there before: it is number ${at}, and ${seen} are out (doubled, or of an aborted attempt)`
        : `comes too early: it is number ${at}, and only ${seen} are out (something is lost, or out of order)`;
  return `Committed output ${value} under key ${key} in ${topic}-${partition} ${what}; due was ${list[seen]?.value ?? 'nothing more'}.`;
}
