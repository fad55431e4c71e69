// Owns a day of card transactions: everyday ones, frauds that are known and labelled, and look-alikes that are none. The same seed gives the
// same day. They come in the order of their arrival, which is not that of their times.
import { Random } from '../../../lesson-kit/src/index.ts';
import type { AlertKind, SpendingLimitRule, Transaction } from '../data/transaction.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, everyday } from './everyday.ts';
import { SCENARIOS } from './scenarios.ts';

/** A fraud that is known. */
export interface Label {
  readonly kind: AlertKind;
  readonly card: string;
  /** Ids of the transactions that give it away. */
  readonly transactions: readonly string[];
  /** Event time of the last of them. */
  readonly at: number;
}

export interface Day {
  /** In the order of arrival. */
  readonly transactions: readonly Transaction[];
  readonly labels: readonly Label[];
  /** How many things look like a fraud and are none. */
  readonly lookAlikes: number;
  /** Ids of transactions that arrive after the watermark has passed them. All of them are harmless. */
  readonly late: ReadonlySet<string>;
  /** As it is in the morning, and from when it is changed. The change is to be published before the first transaction after `changedAt`. */
  readonly rules: {
    readonly first: SpendingLimitRule;
    readonly changed: SpendingLimitRule;
    readonly changedAt: number;
  };
  /** Nothing happens later. */
  readonly endsAt: number;
}

export interface DayOptions {
  readonly seed: number;
  /** Default 400. */
  readonly cards?: number;
  /** Of each kind of fraud. Default 6. */
  readonly fraudsPerKind?: number;
}

const STARTS_AT = Date.UTC(2026, 2, 6, 8);
const LASTS_MS = 8 * HOUR_MS;
/** Most arrive within seconds; the slowest of those that are in time within less than the service waits, half a minute. */
const DELAY_MS_MAX = 5 * SECOND_MS;
const SLOW_DELAY_MS = [8 * SECOND_MS, 28 * SECOND_MS] as const;
const SLOW_SHARE = 0.05;
/** A terminal that was without a network. */
const LATE_DELAY_MS = 12 * MINUTE_MS;
const LATE_SHARE = 0.002;
const LIMIT_CENTS = 200_000;
const CHANGED_LIMIT_CENTS = 120_000;
const LIMIT_MINUTES = 10;

export function generateDay({ seed, cards = 400, fraudsPerKind = 6 }: DayOptions): Day {
  const random = new Random(seed);
  const endsAt = STARTS_AT + LASTS_MS;
  const changedAt = STARTS_AT + LASTS_MS / 2;
  const planned: Planned[] = [];
  const labels: (Omit<Label, 'transactions'> & { readonly transactions: readonly Planned[] })[] = [];
  let lookAlikes = 0;

  const names = Array.from({ length: cards }, (_, index) => `card-${String(index + 1).padStart(4, '0')}`);
  const free = [...names];
  const takeCard = (): string => free.splice(random.between(0, free.length - 1), 1)[0]!;
  for (const { kind, half, play } of SCENARIOS) {
    const plays =
      kind === null ? Math.max(1, Math.ceil(fraudsPerKind / 2)) : Math.ceil(fraudsPerKind / half.length);
    for (const part of half) {
      for (let i = 0; i < plays; i++) {
        const card = takeCard();
        // Away from the day's ends and from the moment at which the limit changes.
        const from = (part === 'morning' ? STARTS_AT : changedAt) + 75 * MINUTE_MS;
        const startsAt = from + random.between(0, LASTS_MS / 2 - 150 * MINUTE_MS);
        const { all, evidence } = play({ card, startsAt, random, part });
        planned.push(...all);
        // Everyday life goes on before and after, far enough away to be no part of it.
        planned.push(...everyday(random, card, STARTS_AT, startsAt - 70 * MINUTE_MS));
        planned.push(...everyday(random, card, startsAt + 135 * MINUTE_MS, endsAt));
        if (kind === null) lookAlikes++;
        else labels.push({ kind, card, transactions: evidence, at: evidence.at(-1)!.at });
      }
    }
  }
  for (const card of free) {
    for (const transaction of everyday(random, card, STARTS_AT, endsAt)) {
      const isLate = random.chance(LATE_SHARE) && transaction.at < endsAt - 30 * MINUTE_MS;
      planned.push(isLate ? { ...transaction, delayMs: LATE_DELAY_MS } : transaction);
    }
  }

  // Ids in the order of time, so that they are good to read.
  planned.sort((a, b) => a.at - b.at);
  const ids = new Map(
    planned.map((transaction, index) => [transaction, `t${String(index).padStart(5, '0')}`]),
  );
  const arrivals = planned.map((transaction) => {
    const { delayMs, ...rest } = transaction;
    const [slowest, slow] = [SLOW_DELAY_MS, random.chance(SLOW_SHARE)];
    const usual = slow ? random.between(...slowest) : random.between(0, DELAY_MS_MAX);
    return {
      arrivesAt: transaction.at + (delayMs ?? usual),
      transaction: { id: ids.get(transaction)!, ...rest } satisfies Transaction,
    };
  });
  arrivals.sort((a, b) => a.arrivesAt - b.arrivesAt);
  const limits = [{ fromMs: 0, cents: LIMIT_CENTS }];
  return {
    transactions: arrivals.map(({ transaction }) => transaction),
    labels: labels
      .map(({ transactions, ...label }) => ({
        ...label,
        transactions: transactions.map((one) => ids.get(one)!),
      }))
      .sort((a, b) => a.at - b.at),
    lookAlikes,
    late: new Set(planned.filter(({ delayMs }) => delayMs === LATE_DELAY_MS).map((one) => ids.get(one)!)),
    rules: {
      first: { minutes: LIMIT_MINUTES, limits },
      changed: {
        minutes: LIMIT_MINUTES,
        limits: [...limits, { fromMs: changedAt, cents: CHANGED_LIMIT_CENTS }],
      },
      changedAt,
    },
    endsAt,
  };
}

/** A transaction that has no id yet. `delayMs`: how long it takes to arrive, where that is no chance. */
export type Planned = Omit<Transaction, 'id'> & { readonly delayMs?: number };
