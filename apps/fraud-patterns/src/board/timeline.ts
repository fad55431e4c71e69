// Owns how a day looks in a terminal: a line for what happens, and a table at its end. It draws what it is given.
import type { Score } from '../check/score.ts';
import { TOPICS } from '../data/topics.ts';
import type { Alert, AlertKind, CardEvent } from '../data/transaction.ts';

const LABELS: Readonly<Record<AlertKind, string>> = {
  'card-probe': 'card probe',
  'guessed-pin': 'guessed PIN',
  'impossible-travel': 'impossible travel',
  'spending-limit': 'spending limit',
};

export function alertLine({ at, card, kind, note }: Alert): string {
  return `${timeOf(at)}  ${card}  ${LABELS[kind].padEnd(17)}  ${note}`;
}

/** `null`: not worth a line. */
function cardEventLine(event: CardEvent): string | null {
  const { at, card } = event;
  switch (event.event) {
    case 'frozen':
      return null;
    case 'blocked':
      return `${timeOf(at)}  ${card}    blocked ${event.transaction}: the card is frozen`;
    case 'released':
      return `${timeOf(at)}  ${card}    released`;
    case 'silent':
      return null;
  }
}

/** The line of an output, if it is worth one. */
export function lineOf(topic: string, value: unknown): string | null {
  if (topic === TOPICS.alerts) return alertLine(value as Alert);
  return topic === TOPICS.cardEvents ? cardEventLine(value as CardEvent) : null;
}

export function scoreTable(all: readonly Score[]): string {
  const row = (name: string, ...cells: readonly (string | number)[]): string =>
    name.padEnd(20) + cells.map((cell) => String(cell).padStart(10)).join('');
  return [
    row('', 'labelled', 'found', 'missed', 'false'),
    ...all.map(({ kind, labelled, found, missed, false: wrong }) =>
      row(LABELS[kind], labelled, found, missed.length, wrong.length),
    ),
  ].join('\n');
}

export function share(value: number): string {
  return `${(value * 100).toFixed(value === 1 ? 0 : 1)} %`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}
