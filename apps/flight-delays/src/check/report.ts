// Owns the end of a `--once` run: both sides' totals as text, and whether they agree.
import type { AirportDelays } from '../data/flight.ts';
import { differences, totalsOf } from './recompute.ts';

const DIFFERENCES_SHOWN_MAX = 20;

export interface CheckResult {
  readonly agrees: boolean;
  readonly text: string;
}

export function checkReport(
  expected: ReadonlyMap<string, AirportDelays>,
  actual: ReadonlyMap<string, AirportDelays>,
): CheckResult {
  const found = differences(expected, actual);
  const lines = [
    totalsLine('topic airport-delays', actual),
    totalsLine('recomputed from the file', expected),
  ];
  for (const difference of found.slice(0, DIFFERENCES_SHOWN_MAX)) lines.push(`  ${difference}`);
  if (found.length > DIFFERENCES_SHOWN_MAX) lines.push(`  … ${found.length - DIFFERENCES_SHOWN_MAX} more`);
  lines.push(found.length === 0 ? 'They agree in every field.' : `They differ in ${found.length} places.`);
  return { agrees: found.length === 0, text: lines.join('\n') };
}

function totalsLine(name: string, results: ReadonlyMap<string, AirportDelays>): string {
  const { airports, flights, totalDelay, worstDelay, delayed } = totalsOf(results);
  const number = (value: number): string => value.toLocaleString('en');
  return (
    `${name.padEnd(25)} ${number(airports)} airports, ${number(flights)} flights, ` +
    `${number(totalDelay)} minutes late in all, ${airports === 0 ? 'none' : number(worstDelay)} at worst, ` +
    `${number(delayed)} over 15 minutes`
  );
}
