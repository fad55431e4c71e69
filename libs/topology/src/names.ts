// Owns the rules for names: of topics, stores and processors. Kafka's rule for topics holds for all of them.
import type { TopologyFault } from './faults.ts';

const LEGAL = /^[a-zA-Z0-9._-]+$/;
export const NAME_LENGTH_MAX = 249;

/** Room that `<application.id>-` and `-repartition` need around the name of an internal topic. */
export const INTERNAL_NAME_LENGTH_MAX = NAME_LENGTH_MAX - '-repartition'.length - 'a-'.length;

/** How a name is shown in a path: quoted, or nothing where there is none. */
export function labelOf(named: unknown): string {
  const name = typeof named === 'object' && named !== null ? (named as { name?: unknown }).name : named;
  return typeof name === 'string' ? JSON.stringify(name) : '';
}

/** What is wrong with a name; `null`: nothing. `what` is its role, such as `store name`. */
export function nameFault(
  what: string,
  name: unknown,
  lengthMax: number = NAME_LENGTH_MAX,
): Omit<TopologyFault, 'path'> | null {
  const remedy = `Use 1 to ${lengthMax} of the characters a-z, A-Z, 0-9, ".", "_" and "-".`;
  if (typeof name !== 'string') return { problem: `the ${what} is not a string.`, remedy };
  if (name === '') return { problem: `the ${what} is empty.`, remedy };
  if (name === '.' || name === '..') return { problem: `"${name}" is no legal ${what}.`, remedy };
  if (name.length > lengthMax) {
    return { problem: `the ${what} "${name.slice(0, 40)}…" has ${name.length} characters.`, remedy };
  }
  if (!LEGAL.test(name)) return { problem: `"${name}" is no legal ${what}.`, remedy };
  return null;
}
