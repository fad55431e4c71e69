// Owns how what comes in pieces becomes one picture: epochs of overlapping rings, samples of a history. Pure.
import type { EpochFigures, HistorySample } from './wire.ts';

export const EPOCHS_KEPT = 1_000;
const SAMPLES_KEPT = 900;

/** By number, the newer word on each, ascending. A number that is lower than before is of a new life: what was known goes. */
export function mergeEpochs(
  known: readonly EpochFigures[],
  news: readonly EpochFigures[],
): readonly EpochFigures[] {
  const first = news[0];
  const last = known.at(-1);
  if (first === undefined) return known;
  if (last === undefined || news.at(-1)!.number < last.number) return news;
  const older: EpochFigures[] = [];
  for (const epoch of known) {
    // How one ended that was last heard of while it committed is not known.
    if (epoch.number < first.number && epoch.outcome !== 'committing') older.push(epoch);
  }
  return [...older, ...news].slice(-EPOCHS_KEPT);
}

/** Ascending by time, each once. */
export function mergeSamples(
  known: readonly HistorySample[],
  news: readonly HistorySample[],
): readonly HistorySample[] {
  const last = known.at(-1)?.at ?? -Infinity;
  const later = news.filter(({ at }) => at > last);
  return later.length === 0 ? known : [...known, ...later].slice(-SAMPLES_KEPT);
}
