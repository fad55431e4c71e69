// Owns objects that hold secrets: whoever reads their properties gets them, whoever prints them does not.
import { inspect } from 'node:util';
import { NOT_SHOWN } from '../shown-configuration.ts';

/** `object`, printed and written as JSON without the values of `secrets`. The properties themselves are as they were. */
export function withHidden<T extends object>(object: T, secrets: readonly string[]): T {
  const shown = (): object =>
    Object.fromEntries(
      Object.entries(object).map(([name, value]: [string, unknown]) => [
        name,
        secrets.includes(name) ? NOT_SHOWN : value,
      ]),
    );
  for (const how of ['toJSON', inspect.custom]) {
    // Not enumerable: a copy of the object, which is another object, does not have it.
    Object.defineProperty(object, how, { value: shown, enumerable: false });
  }
  return object;
}
