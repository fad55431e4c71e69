// Owns what becomes of a card: an alert freezes it, a timer releases it; while it is frozen its transactions are blocked. One that is not
// used for long is said to be silent. A keyed function on two streams that share their state: transactions and alerts.
import { Serdes, State, hours, minutes } from '#libs/millrace';
import type { ConnectedProcessFunction, KeyedContext } from '#libs/millrace';
import type { Alert, CardEvent, Transaction } from '../data/transaction.ts';

export const FROZEN_MS = minutes(30);
export const SILENT_AFTER_MS = hours(2);

/** Event time after which, and before which, a card is frozen. */
export interface Frozen {
  readonly after: number;
  readonly until: number;
}

const STATUS = {
  frozen: State.value(Serdes.json<Frozen>()),
  /** Transactions that wait for event time, by when and what. */
  waiting: State.map(Serdes.string(), Serdes.json<Transaction>()),
};

type Context = KeyedContext<string, CardEvent, typeof STATUS>;

const RELEASE = 'release';
const SILENT = 'silent';

export const cardStatus: ConnectedProcessFunction<string, Transaction, Alert, CardEvent, typeof STATUS> = {
  name: 'card-status',
  state: STATUS,
  valueSerde: Serdes.json<CardEvent>(),

  onRecord(transaction, { state, timers }) {
    // Whether the card is frozen at that time is known once the alerts up to then are: when event time is there.
    const row = `${String(transaction.at).padStart(14, '0')} ${transaction.id}`;
    state.waiting.set(row, transaction);
    timers.setEventTime(row, transaction.at);
  },

  onOther({ kind, at }, context) {
    const { key: card, state, timers } = context;
    const until = at + FROZEN_MS;
    state.frozen.set({ after: state.frozen.get()?.after ?? at, until });
    // A card has one timer of each name: another alert moves the release.
    timers.setEventTime(RELEASE, until);
    context.emit({ event: 'frozen', card, at, until, reason: kind });
  },

  onTimer({ name, time: at }, context) {
    const { key: card, state } = context;
    if (name === RELEASE) {
      state.frozen.clear();
      context.emit({ event: 'released', card, at });
    } else if (name === SILENT) {
      context.emit({ event: 'silent', card, at, since: at - SILENT_AFTER_MS });
    } else {
      decide(name, context);
    }
  },
};

function decide(row: string, context: Context): void {
  const { key: card, state, timers, timestamp: at } = context;
  const { id } = state.waiting.get(row)!;
  state.waiting.delete(row);
  timers.setEventTime(SILENT, at + SILENT_AFTER_MS);
  const frozen = state.frozen.get();
  // The transaction that an alert rests on is through: the card is frozen after it.
  const isBlocked = frozen !== null && frozen.after < at && at < frozen.until;
  if (isBlocked) context.emit({ event: 'blocked', card, at, transaction: id });
}
