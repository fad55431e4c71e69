// Owns how epochs lie on a line of time: an epoch is open, then flushes, then commits, and the next one is open meanwhile. At most
// two are unsettled at once, so that two lanes in turn hold them all. Pure; positions are shares of the width, from 0 to 1.
import type { EpochFigures } from './wire.ts';

export interface Stretch {
  readonly from: number;
  readonly to: number;
}

export interface LaidEpoch {
  readonly epoch: EpochFigures;
  readonly lane: 0 | 1;
  readonly open: Stretch | null;
  readonly flush: Stretch | null;
  readonly commit: Stretch | null;
}

export function layEpochs(
  epochs: readonly EpochFigures[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): LaidEpoch[] {
  const share = (at: number): number => Math.min(1, Math.max(0, (at - fromMs) / (toMs - fromMs)));
  const stretch = (from: number, to: number): Stretch | null =>
    to < fromMs || from > toMs ? null : { from: share(from), to: share(to) };
  const laid: LaidEpoch[] = [];
  for (const epoch of epochs) {
    const { openedAt, sealedAt, produceMs, number } = epoch;
    const endedAt = epoch.endedAt ?? toMs;
    if (endedAt < fromMs || openedAt > toMs) continue;
    const producedAt = produceMs === null ? endedAt : Math.min(endedAt, sealedAt + produceMs);
    laid.push({
      epoch,
      lane: number % 2 === 0 ? 0 : 1,
      open: stretch(openedAt, sealedAt),
      flush: stretch(sealedAt, producedAt),
      commit: produceMs === null ? null : stretch(producedAt, endedAt),
    });
  }
  return laid;
}

/** The shortest of `choices` that holds enough of the last epochs to be read; the longest where none does. */
export function lengthFor(epochs: readonly EpochFigures[], choices: readonly number[], toMs: number): number {
  const ENOUGH = 8;
  const first = epochs.at(-ENOUGH) ?? epochs[0];
  if (first === undefined) return choices[0]!;
  return choices.find((length) => first.openedAt >= toMs - length) ?? choices.at(-1)!;
}
