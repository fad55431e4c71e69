// Owns everyday transactions: a card is used now and then, for little, in shops of its country or somewhere on the web.
import type { Random } from '../../../lesson-kit/src/index.ts';
import type { Planned } from './day.ts';

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;

/** Near enough to one another for nobody to wonder. */
export const HOMES = ['AT', 'BE', 'DE', 'FR', 'NL', 'PL'] as const;
export const FAR_AWAY = ['BR', 'JP', 'SG', 'US', 'ZA'] as const;

export function homeOf(card: string): string {
  return HOMES[Number(card.slice(-4)) % HOMES.length]!;
}

/** Never more than one in twelve minutes, and never declined twice in a row: nothing that any pattern looks for. */
export function everyday(random: Random, card: string, from: number, until: number): Planned[] {
  const all: Planned[] = [];
  let wasDeclined = false;
  for (let at = from + gap(random); at < until; at += gap(random)) {
    const isOnline = random.chance(0.25);
    const isDeclined: boolean = !wasDeclined && random.chance(0.04);
    wasDeclined = isDeclined;
    all.push({
      card,
      at,
      cents: random.between(400, 15_000),
      country: isOnline ? random.pick([...HOMES, ...FAR_AWAY]) : homeOf(card),
      channel: isOnline ? 'online' : 'store',
      outcome: isDeclined ? 'declined' : 'approved',
    });
  }
  return all;
}

function gap(random: Random): number {
  return random.between(12 * MINUTE_MS, 55 * MINUTE_MS);
}
