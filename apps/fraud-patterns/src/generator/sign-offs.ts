// Owns the end of the day: the terminals sign off. Their records move event time past all that came before, in every partition.
import type { Transaction } from '../data/transaction.ts';
import { MINUTE_MS } from './everyday.ts';

/** Enough of them for each partition to get one. */
const TERMINALS = 24;

/** They are no purchases, and nothing looks at them. */
export function signOffs(endsAt: number): Transaction[] {
  return Array.from({ length: TERMINALS }, (_, terminal) => {
    const name = `sign-off-${terminal}`;
    return {
      ...{ id: name, card: name, at: endsAt + MINUTE_MS, cents: 0 },
      ...{ country: '', channel: 'online', outcome: 'declined' },
    };
  });
}
