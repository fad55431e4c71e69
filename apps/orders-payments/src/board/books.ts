// Owns how the books look in a terminal. It draws what it is given.
import type { Account } from '../data/records.ts';

/** A line for each currency and one for all, in euros. */
export function booksTable(accounts: ReadonlyMap<string, Account>): string {
  const rows = [...accounts].sort(([a], [b]) => a.localeCompare(b));
  const all = rows.reduce<Account>((sum, [, account]) => plus(sum, account), nothing);
  const lines = [...rows, ['all', all] as const].map(([name, account]) => {
    const { orders, ordered, paid, unpaid, refused } = account;
    const open = ordered - paid - unpaid - refused;
    return row(name, orders.toLocaleString('en'), ...[ordered, paid, unpaid, refused, open].map(euros));
  });
  return [row('', 'orders', 'ordered', 'paid', 'unpaid', 'refused', 'open'), ...lines].join('\n');
}

const nothing: Account = { orders: 0, ordered: 0, paid: 0, unpaid: 0, refused: 0 };

function plus(a: Account, b: Account): Account {
  return {
    orders: a.orders + b.orders,
    ordered: a.ordered + b.ordered,
    paid: a.paid + b.paid,
    unpaid: a.unpaid + b.unpaid,
    refused: a.refused + b.refused,
  };
}

function row(name: string, ...cells: readonly string[]): string {
  return `  ${name.padEnd(4)}${cells.map((cell, index) => cell.padStart(index === 0 ? 8 : 13)).join('')}`;
}

function euros(cents: number): string {
  return (cents / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}
