// Owns the pattern "the fourth guess was right": three transactions declined one right after the other, and the very next one approved.
import { Pattern, minutes } from '#libs/millrace';
import type { Match, MatchInfo } from '#libs/millrace';
import type { Alert, Transaction } from '../../data/transaction.ts';

const DECLINES = 3;

/** `consecutive` and `next`: nothing of the card lies between. After five declines these are the last three. */
export const guessedPin = Pattern.begin<Transaction, 'declined'>('declined')
  .where(({ outcome }) => outcome === 'declined')
  .times(DECLINES)
  .consecutive()
  .next('approved')
  .where(({ outcome }) => outcome === 'approved')
  .within(minutes(10));

export function guessedPinAlert(
  { declined, approved }: Match<Transaction, 'declined' | 'approved'>,
  { key: card, endMs }: MatchInfo<string>,
): Alert {
  return {
    kind: 'guessed-pin',
    card,
    at: endMs,
    transactions: [...declined, ...approved].map(({ id }) => id),
    note: `declined ${declined.length} times, then approved`,
  };
}
