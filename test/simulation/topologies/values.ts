// Owns the values that flow through the topologies under test: what is put in, and the serdes.
import { Serdes } from '#libs/serde';

export interface InputValue {
  /** Unique over all inputs of a seed. */
  readonly id: number;
  readonly n: number;
}

export const text = Serdes.string();
export const input = Serdes.json<InputValue>();

export interface Total {
  /** Of the record that was added last. */
  readonly id: number;
  readonly count: number;
  readonly sum: number;
}

export const total = Serdes.json<Total>();
export const NOTHING: Total = { id: -1, count: 0, sum: 0 };

export function add({ count, sum }: Total, { id, n }: InputValue): Total {
  return { id, count: count + 1, sum: sum + n };
}
