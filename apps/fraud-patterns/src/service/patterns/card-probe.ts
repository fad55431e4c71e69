// Owns the pattern "is this card alive?": a tiny charge, and a large one within a minute.
import { Pattern, minutes } from '#libs/millrace';
import type { Match, MatchInfo } from '#libs/millrace';
import type { Alert, Transaction } from '../../data/transaction.ts';
import { euros } from './euros.ts';

const TINY_CENTS_MAX = 200;
const LARGE_CENTS_MIN = 50_000;

/** `followedBy`: whatever lies between the two does not matter. */
export const cardProbe = Pattern.begin<Transaction, 'tiny'>('tiny')
  .where(({ outcome, cents }) => outcome === 'approved' && cents <= TINY_CENTS_MAX)
  .followedBy('large')
  .where(({ outcome, cents }) => outcome === 'approved' && cents >= LARGE_CENTS_MIN)
  .within(minutes(1));

export function cardProbeAlert(
  { tiny, large }: Match<Transaction, 'tiny' | 'large'>,
  { key: card, startMs, endMs }: MatchInfo<string>,
): Alert {
  const [first, second] = [tiny[0]!, large[0]!];
  return {
    kind: 'card-probe',
    card,
    at: endMs,
    transactions: [first.id, second.id],
    note: `${euros(first.cents)}, and ${(endMs - startMs) / 1_000} s later ${euros(second.cents)}`,
  };
}
