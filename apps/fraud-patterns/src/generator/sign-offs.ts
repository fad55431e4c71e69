// Owns the end of the day: the terminals sign off. One record in each partition moves event time past all that came before.
import { PARTITIONS } from '../data/topics.ts';
import type { Transaction } from '../data/transaction.ts';
import { MINUTE_MS } from './everyday.ts';

export interface SignOff {
  readonly partition: number;
  readonly transaction: Transaction;
}

/** Their key is not what chooses the partition. They are no purchases, and nothing looks at them. */
export function signOffs(endsAt: number): SignOff[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    const name = `sign-off-${partition}`;
    const at = endsAt + MINUTE_MS;
    return {
      partition,
      transaction: {
        ...{ id: name, card: name, at, cents: 0 },
        ...{ country: '', channel: 'online', outcome: 'declined' },
      },
    };
  });
}
