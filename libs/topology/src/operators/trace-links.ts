// Owns what operators need to link their outputs with what fed them: the port where nobody looks on, and the id of a key that is not encoded.
import type { LinksPort } from '../ports.ts';

export const NO_LINKS: LinksPort = {
  enabled: false,
  feed: () => undefined,
  move: () => undefined,
  copy: () => undefined,
  through: () => false,
  emit: () => false,
  done: () => undefined,
};

/** Equal for equal keys; not every key has one: `null` is that of no key at all. */
export function linkId(key: unknown): string | null {
  switch (typeof key) {
    case 'string':
      return key;
    case 'number':
    case 'bigint':
    case 'boolean':
      return `${typeof key} ${key}`;
    case 'object':
      try {
        return key === null ? null : JSON.stringify(key);
      } catch {
        return null;
      }
    default:
      return null;
  }
}
