// Owns the plain recomputation of what becomes of the cards: straight over the day's transactions, sorted, with no stream and no timer. It
// shares no code with the topology, so that the two can be held against each other.
import type { CardEvent, Transaction } from '../data/transaction.ts';
import type { Day } from '../generator/day.ts';

const MINUTE_MS = 60_000;
const FREEZE_MINUTES = 30;
const SILENT_MINUTES = 120;

/** Every card event of the day, as a line each, sorted. `endedAt`: how far event time came. */
export function expectedCardEvents(day: Day, endedAt: number): string[] {
  const events: CardEvent[] = [];
  for (const { card, at, kind } of day.labels) {
    const until = at + FREEZE_MINUTES * MINUTE_MS;
    events.push({ event: 'frozen', card, at, until, reason: kind }, { event: 'released', card, at: until });
    for (const { id, at: when } of timesOf(day, card)) {
      if (when > at && when < until) events.push({ event: 'blocked', card, at: when, transaction: id });
    }
  }
  for (const card of new Set(day.transactions.map((transaction) => transaction.card))) {
    const times = timesOf(day, card).map(({ at }) => at);
    for (const [index, since] of times.entries()) {
      const silentAt = since + SILENT_MINUTES * MINUTE_MS;
      if (silentAt < (times[index + 1] ?? endedAt + 1))
        events.push({ event: 'silent', card, at: silentAt, since });
    }
  }
  return events.map(lineOf).sort();
}

/** What was published, in the same form. */
export function linesOf(events: readonly CardEvent[]): string[] {
  return events.map(lineOf).sort();
}

function timesOf({ transactions, late }: Day, card: string): Transaction[] {
  return transactions
    .filter((transaction) => transaction.card === card && !late.has(transaction.id))
    .sort((a, b) => a.at - b.at);
}

function lineOf(event: CardEvent): string {
  const { card, at, event: what } = event;
  const more =
    what === 'frozen'
      ? [event.reason, event.until]
      : what === 'blocked'
        ? [event.transaction]
        : what === 'silent'
          ? [event.since]
          : [];
  return [card, at, what, ...more].join(' ');
}
