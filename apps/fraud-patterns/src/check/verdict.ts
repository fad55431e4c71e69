// Owns the end of a run: what was published, held against what the generator knows and against the plain recomputation.
import { scoreTable, share } from '../board/timeline.ts';
import type { Alert, CardEvent, Transaction } from '../data/transaction.ts';
import type { Day } from '../generator/day.ts';
import { expectedCardEvents, linesOf } from './recompute.ts';
import { precision, recall, scores } from './score.ts';

/** The values of the topics, all of them: what is there twice is there twice. */
export interface Published {
  readonly alerts: readonly Alert[];
  readonly cardEvents: readonly CardEvent[];
  readonly late: readonly Transaction[];
}

export interface Verdict {
  readonly isRight: boolean;
  readonly text: string;
}

/** How far event time comes with the sign-offs of the day: half a minute, which is waited for, less than they are later. */
const SIGN_OFF_MS = 30_000;
const DIFFERENCES_SHOWN_MAX = 10;

/** How many records there will be. */
export function expectedCounts(day: Day): { alerts: number; cardEvents: number; late: number } {
  const cardEvents = expectedCardEvents(day, day.endsAt + SIGN_OFF_MS).length;
  return { alerts: day.labels.length, cardEvents, late: day.late.size };
}

export function verdict(day: Day, { alerts, cardEvents, late }: Published): Verdict {
  const all = scores(day.labels, alerts);
  const expected = expectedCardEvents(day, day.endsAt + SIGN_OFF_MS);
  const differences = [
    ...all.flatMap(({ missed }) => missed.map(({ kind, card }) => `missed: ${kind} on ${card}`)),
    ...all.flatMap((score) => score.false.map(({ kind, card }) => `false: ${kind} on ${card}`)),
    ...difference(expected, linesOf(cardEvents)),
    ...difference([...day.late].sort(), late.map(({ id }) => id).sort()),
  ];
  const count = (event: CardEvent['event']): number => cardEvents.filter((one) => one.event === event).length;
  const lines = [
    scoreTable(all),
    '',
    `precision ${share(precision(all))}, recall ${share(recall(all))}; ${day.lookAlikes} look-alikes among ${day.transactions.length.toLocaleString('en')} transactions`,
    `${count('frozen')} cards frozen, ${count('released')} released, ${count('blocked')} transactions blocked, ${count('silent')} times a card fell silent; ${late.length} transactions came too late`,
    ...differences.slice(0, DIFFERENCES_SHOWN_MAX).map((line) => `  ${line}`),
    differences.length === 0
      ? 'All of it is as the labels and a plain recomputation have it.'
      : `${differences.length} differences from the labels and the plain recomputation.`,
  ];
  return { isRight: differences.length === 0, text: lines.join('\n') };
}

/** Both are sorted. What is there twice counts twice. */
function difference(expected: readonly string[], actual: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of expected) left.set(line, (left.get(line) ?? 0) + 1);
  for (const line of actual) left.set(line, (left.get(line) ?? 0) - 1);
  return [...left].flatMap(([line, count]) =>
    count === 0 ? [] : [`${count > 0 ? 'not published' : 'published, but not expected'}: ${line}`],
  );
}
