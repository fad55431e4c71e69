// Owns the velocity limit: a keyed function that sums up what a card has spent, against a limit that may be changed while it runs.
//
// Each transaction waits until the watermark has reached it: only then all that happened before it is here. So the function has one timer
// for each transaction that waits, and what it looks back on is complete and in order, however the transactions arrived.
import { Serdes, State } from '#libs/millrace';
import type { GlobalKTable, KeyedProcessFunction } from '#libs/millrace';
import { SPENDING_LIMIT } from '../data/transaction.ts';
import type { Alert, SpendingLimitRule, Transaction } from '../data/transaction.ts';
import { euros } from './patterns/euros.ts';

const MINUTE_MS = 60_000;

const SPENT = {
  /** What may still matter, by when and what: keys sort in the order of time. */
  transactions: State.map(Serdes.string(), Serdes.json<Transaction>()),
  /** Over the limit, and told so: not again until it is below. */
  isOver: State.value(Serdes.boolean()),
};

/** Broadcast state: the same table, whole, in every copy of the service. */
type Broadcast = { readonly rules: GlobalKTable<string, SpendingLimitRule> };

export function spendingLimit(
  rules: GlobalKTable<string, SpendingLimitRule>,
): KeyedProcessFunction<string, Transaction, Alert, typeof SPENT, Broadcast> {
  return {
    name: 'spending-limit',
    state: SPENT,
    broadcast: { rules },
    valueSerde: Serdes.json<Alert>(),
    onRecord(transaction, { state, timers }) {
      if (transaction.outcome !== 'approved') return;
      const at = rowOf(transaction);
      state.transactions.set(at, transaction);
      timers.setEventTime(at, transaction.at);
    },
    onTimer({ name, time: now }, context) {
      const { key: card, state, broadcast } = context;
      const rule = broadcast.rules.get(SPENDING_LIMIT);
      const limit = rule?.limits.findLast(({ fromMs }) => fromMs <= now);
      const from = now - (rule?.minutes ?? 0) * MINUTE_MS;
      const counted: Transaction[] = [];
      for (const [row, transaction] of state.transactions.entries()) {
        if (transaction.at <= from) state.transactions.delete(row);
        else if (row <= name) counted.push(transaction);
      }
      const cents = counted.reduce((sum, transaction) => sum + transaction.cents, 0);
      const isOver = limit !== undefined && cents > limit.cents;
      if (isOver && state.isOver.get() !== true) {
        context.emit({
          kind: 'spending-limit',
          card,
          at: now,
          transactions: counted.map(({ id }) => id),
          note: `${euros(cents)} within ${rule!.minutes} min; the limit is ${euros(limit.cents)}`,
        });
      }
      if (isOver) state.isOver.set(true);
      else state.isOver.clear();
    },
  };
}

/** Of equal width, so that the order of the text is that of time. */
function rowOf({ at, id }: Transaction): string {
  return `${String(at).padStart(14, '0')} ${id}`;
}
