// Owns how good the alerts are: held against the labels of the generator, which knows what it has played. It shares no code with the topology.
import type { Alert, AlertKind } from '../data/transaction.ts';
import type { Label } from '../generator/day.ts';

export interface Score {
  readonly kind: AlertKind;
  readonly labelled: number;
  /** Alerts on a labelled fraud, that rest on the very transactions that give it away. */
  readonly found: number;
  /** Frauds without such an alert. */
  readonly missed: readonly Label[];
  /** Alerts on what is no fraud, or on one that has its alert. */
  readonly false: readonly Alert[];
}

export const KINDS: readonly AlertKind[] = [
  'card-probe',
  'guessed-pin',
  'impossible-travel',
  'spending-limit',
];

export function scores(labels: readonly Label[], alerts: readonly Alert[]): Score[] {
  return KINDS.map((kind) => {
    const open = new Map(
      labels.filter((label) => label.kind === kind).map((label) => [nameOf(label), label] as const),
    );
    const labelled = open.size;
    const wrong: Alert[] = [];
    for (const alert of alerts) {
      if (alert.kind === kind && !open.delete(nameOf(alert))) wrong.push(alert);
    }
    return { kind, labelled, found: labelled - open.size, missed: [...open.values()], false: wrong };
  });
}

/** Share of the alerts that are right, 0 to 1. */
export function precision(all: readonly Score[]): number {
  const found = sum(all, (score) => score.found);
  const given = found + sum(all, (score) => score.false.length);
  return given === 0 ? 1 : found / given;
}

/** Share of the frauds that are found, 0 to 1. */
export function recall(all: readonly Score[]): number {
  const labelled = sum(all, (score) => score.labelled);
  return labelled === 0 ? 1 : sum(all, (score) => score.found) / labelled;
}

function nameOf({ card, transactions }: Pick<Alert, 'card' | 'transactions'>): string {
  return [card, ...transactions].join(' ');
}

function sum(all: readonly Score[], of: (score: Score) => number): number {
  return all.reduce((total, score) => total + of(score), 0);
}
