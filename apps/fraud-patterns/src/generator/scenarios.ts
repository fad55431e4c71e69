// Owns what is played on a card: frauds, each with the transactions that give it away, and look-alikes that give nothing away.
import type { Random } from '../../../lesson-kit/src/index.ts';
import type { AlertKind } from '../data/transaction.ts';
import type { Planned } from './day.ts';
import { FAR_AWAY, MINUTE_MS, SECOND_MS, homeOf } from './everyday.ts';

export type DayPart = 'morning' | 'afternoon';

export interface Scenario {
  /** `null`: a look-alike. */
  readonly kind: AlertKind | null;
  /** When it may be played. The spending limit is lowered at noon. */
  readonly half: readonly DayPart[];
  readonly play: (on: Stage) => Played;
}

export interface Stage {
  readonly card: string;
  readonly startsAt: number;
  readonly random: Random;
  readonly part: DayPart;
}

export interface Played {
  readonly all: readonly Planned[];
  /** Those of them that a fraud's alert must name. */
  readonly evidence: readonly Planned[];
}

const ALL_DAY = ['morning', 'afternoon'] as const;
/** Long enough to come after what happened later, short enough to be in time. */
const SLOW_MS = 27 * SECOND_MS;

export const SCENARIOS: readonly Scenario[] = [
  { kind: 'card-probe', half: ALL_DAY, play: (stage) => probe(stage, stage.random.between(5, 50)) },
  { kind: null, half: ALL_DAY, play: (stage) => probe(stage, 75) },
  { kind: 'guessed-pin', half: ALL_DAY, play: (stage) => guesses(stage, stage.random.between(3, 5), 30) },
  { kind: null, half: ALL_DAY, play: (stage) => guesses(stage, 2, 30) },
  // By then the three are too long ago.
  { kind: null, half: ALL_DAY, play: (stage) => guesses(stage, 3, 900) },
  {
    kind: 'impossible-travel',
    half: ALL_DAY,
    play: (stage) => journey(stage, 'DE', stage.random.pick(FAR_AWAY), 'store'),
  },
  { kind: null, half: ALL_DAY, play: (stage) => journey(stage, 'NL', 'BE', 'store') },
  { kind: null, half: ALL_DAY, play: (stage) => journey(stage, 'DE', 'JP', 'online') },
  {
    kind: 'spending-limit',
    half: ALL_DAY,
    play: (stage) => spree(stage, stage.part === 'morning' ? 45_000 : 30_000),
  },
  // Under the limit of the morning; in the afternoon the same is a fraud.
  { kind: null, half: ['morning'], play: (stage) => spree(stage, 30_000) },
];

/** A tiny charge, and `seconds` later a large one. Half of the tiny ones arrive after the large one. */
function probe({ card, startsAt, random }: Stage, seconds: number): Played {
  const online = { card, country: homeOf(card), channel: 'online', outcome: 'approved' } as const;
  const overtaken = seconds < 25 || random.chance(0.5) ? { delayMs: SLOW_MS } : {};
  const tiny: Planned = { ...online, at: startsAt, cents: random.between(50, 200), ...overtaken };
  const large: Planned = {
    ...online,
    at: startsAt + seconds * SECOND_MS,
    cents: random.between(50_000, 90_000),
    delayMs: SECOND_MS,
  };
  return { all: [tiny, large, ...afterwards(large, random)], evidence: [tiny, large] };
}

/** Wrong PINs, one each twenty seconds; then the right one. */
function guesses({ card, startsAt, random }: Stage, wrong: number, secondsUntilRight: number): Played {
  const inShop = {
    card,
    country: homeOf(card),
    channel: 'store',
    cents: random.between(3_000, 12_000),
  } as const;
  const declined = Array.from({ length: wrong }, (_, index): Planned => {
    return { ...inShop, at: startsAt + index * 20 * SECOND_MS, outcome: 'declined' };
  });
  const approved: Planned = {
    ...inShop,
    at: declined.at(-1)!.at + secondsUntilRight * SECOND_MS,
    outcome: 'approved',
  };
  return {
    all: [...declined, approved, ...afterwards(approved, random)],
    evidence: [...declined.slice(-3), approved],
  };
}

/** A purchase in a shop, and half an hour later one elsewhere. */
function journey(
  { card, startsAt, random }: Stage,
  from: string,
  to: string,
  channel: Planned['channel'],
): Played {
  const purchase = { card, outcome: 'approved' } as const;
  const here: Planned = { ...purchase, at: startsAt, cents: 2_350, country: from, channel: 'store' };
  const there: Planned = {
    ...purchase,
    at: startsAt + random.between(25, 50) * MINUTE_MS,
    cents: 4_700,
    country: to,
    channel,
  };
  return { all: [here, there, ...afterwards(there, random)], evidence: [here, there] };
}

/** Five purchases in eight minutes. */
function spree({ card, startsAt, random }: Stage, centsEach: number): Played {
  const all = Array.from({ length: 5 }, (_, index): Planned => {
    const at = startsAt + index * 2 * MINUTE_MS;
    return { card, at, cents: centsEach, country: homeOf(card), channel: 'online', outcome: 'approved' };
  });
  return { all: [...all, ...afterwards(all.at(-1)!, random)], evidence: all };
}

/** Two small ones in the same place: blocked if the card is frozen. */
function afterwards({ card, country, channel, at }: Planned, random: Random): Planned[] {
  return [4, 11].map((minute) => ({
    card,
    country,
    channel,
    at: at + minute * MINUTE_MS + random.between(0, 30 * SECOND_MS),
    cents: random.between(500, 2_500),
    outcome: 'approved',
  }));
}
