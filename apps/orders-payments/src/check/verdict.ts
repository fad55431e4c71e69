// Owns the end of a run: what was published, held against the plain recomputation, record by record and sum by sum.
import type { Account, Settlement, ShipmentRelease } from '../data/records.ts';
import type { Expected } from './recompute.ts';

/** As read from the topics by a client that knows nothing of the service. */
export interface Published {
  /** All of them: an order that is settled twice is there twice. */
  readonly settlements: readonly Settlement[];
  /** The newest of each. */
  readonly accounts: ReadonlyMap<string, Account>;
  readonly releases: ReadonlyMap<string, ShipmentRelease>;
}

export interface Verdict {
  readonly isRight: boolean;
  readonly text: string;
}

const DIFFERENCES_SHOWN_MAX = 10;

export function verdict(expected: Expected, { settlements, accounts, releases }: Published): Verdict {
  const byOrder = new Map<string, Settlement>();
  const twice: string[] = [];
  for (const settlement of settlements) {
    if (byOrder.has(settlement.order)) twice.push(`settled twice: order ${settlement.order}`);
    byOrder.set(settlement.order, settlement);
  }
  const differences = [
    ...twice,
    ...differencesOf('settlement', expected.settlements, byOrder),
    ...differencesOf('account', expected.accounts, accounts),
    ...differencesOf('release', expected.releases, releases),
  ];
  const sum = [...accounts.values()].reduce(
    (all, { ordered, paid, unpaid, refused }) => ({
      ordered: all.ordered + ordered,
      settled: all.settled + paid + unpaid + refused,
    }),
    { ordered: 0, settled: 0 },
  );
  if (sum.ordered !== sum.settled)
    differences.push(`the account does not balance by ${sum.ordered - sum.settled}`);
  const count = (number: number): string => number.toLocaleString('en');
  const lines = [
    `${count(byOrder.size)} orders settled by ${count(settlements.length)} records; ${count(releases.size)} shipments decided`,
    ...differences.slice(0, DIFFERENCES_SHOWN_MAX).map((line) => `  ${line}`),
    differences.length === 0
      ? 'Ordered = paid + unpaid + refused, and all of it is as a plain recomputation has it.'
      : `${count(differences.length)} differences from the plain recomputation.`,
  ];
  return { isRight: differences.length === 0, text: lines.join('\n') };
}

function differencesOf<T>(
  what: string,
  expected: ReadonlyMap<string, T>,
  actual: ReadonlyMap<string, T>,
): string[] {
  const found: string[] = [];
  for (const [key, value] of expected) {
    const published = actual.get(key);
    if (canonical(published) === canonical(value)) continue;
    found.push(`${what} ${key} is ${canonical(published)}, not ${canonical(value)}`);
  }
  for (const key of actual.keys()) if (!expected.has(key)) found.push(`${what} ${key} was not expected`);
  return found;
}

function canonical(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value, Object.keys(value as object).sort());
}
