// Owns tests that wait for most of their time, for sessions to run out and the like: those of one group all begin when the first is due, and
// each reports its own outcome in its turn. They share the hooks around the whole only: a hook around each test would meet the others.
import { it } from '@jest/globals';

/** An `it` for such a group. Each has `timeoutMs` from when its turn comes. */
export function sideBySide(timeoutMs: number): (name: string, test: () => Promise<void>) => void {
  const tests: (() => Promise<void>)[] = [];
  let outcomes: readonly Promise<void>[] | null = null;
  return (name, test) => {
    const index = tests.push(test) - 1;
    it(
      name,
      () => {
        outcomes ??= tests.map((begin) => begin());
        // Told in its turn: until then nobody waits for it.
        for (const outcome of outcomes) outcome.catch(() => undefined);
        return outcomes[index];
      },
      timeoutMs,
    );
  };
}
