// Owns the pattern "in two places at once": two purchases in shops within an hour, too far apart for any way to travel.
import { Pattern, hours } from '#libs/millrace';
import type { Match, MatchInfo } from '#libs/millrace';
import type { Alert, Transaction } from '../../data/transaction.ts';
import type { Distances } from '../distances.ts';

/** An airliner's. */
const KM_PER_HOUR_MAX = 900;

/** The second stage's condition looks at what the first one took. The stream has purchases in shops only. */
export function impossibleTravel(distances: Distances): Pattern<Transaction, 'here' | 'there'> {
  return Pattern.begin<Transaction, 'here'>('here')
    .next('there')
    .where((there, taken) => {
      const here = taken['here']![0]!;
      const km = distances.betweenKm(here.country, there.country);
      return km > (KM_PER_HOUR_MAX * (there.at - here.at)) / hours(1);
    })
    .within(hours(1));
}

export function impossibleTravelAlert(
  { here, there }: Match<Transaction, 'here' | 'there'>,
  { key: card, startMs, endMs }: MatchInfo<string>,
): Alert {
  const [from, to] = [here[0]!, there[0]!];
  return {
    kind: 'impossible-travel',
    card,
    at: endMs,
    transactions: [from.id, to.id],
    note: `in ${from.country}, and ${Math.round((endMs - startMs) / minuteMs)} min later in ${to.country}`,
  };
}

const minuteMs = 60_000;
