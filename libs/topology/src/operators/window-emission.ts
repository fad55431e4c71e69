// Owns the last step of emitting on close, which all kinds of windows share: the values of windows that closed, in order.
import type { BinaryString } from '#libs/core';
import { compileCodec, WindowedKey } from '#libs/serde';
import type { TimeWindow } from '#libs/serde';
import type { OrderedStorePort } from '../ports.ts';
import type { Site, TableFunction } from './operator.ts';
import { dueEmission } from './due-emission.ts';
import type { ClosingWindows } from './window-closing.ts';
import type { WindowStore } from './window-fold.ts';

/** One window of one key, as `ClosingWindows` gives it back. */
export interface ClosedWindow {
  readonly group: BinaryString;
  /** Of its row in the window store. */
  readonly suffix: BinaryString;
  readonly window: TimeWindow;
}

export interface Emission {
  readonly closing: ClosingWindows;
  /** Emits the windows whose end is below `time`, each once. */
  emitBelow(time: number): void;
}

/** Of a window's row: what it was fed with is noted under it. */
export function linkIdOf(group: BinaryString, suffix: BinaryString): string {
  return `${suffix}${group}`;
}

/** `null`: the store was declared without; every update is emitted. `locate` makes out which window an end and a rest are of. */
export function emissionOnClose(
  site: Site,
  spec: WindowStore,
  closingOf: (store: OrderedStorePort) => ClosingWindows,
  next: TableFunction,
  locate: (end: number, rest: BinaryString) => ClosedWindow,
  now: () => number,
): Emission | null {
  if (spec.closing === null) return null;
  const { links } = site;
  const store = site.orderedStore(spec.name);
  const closing = closingOf(site.orderedStore(spec.closing));
  const codec = compileCodec(spec.keySerde);
  const emittedClock = site.ownClock(spec.closing);
  const emit = (windowsMax: number): boolean => {
    const due = closing.take(windowsMax);
    const isLast = due === null || due.ends.length < windowsMax;
    // Rows are dropped by this time: never before they were emitted.
    if (isLast) emittedClock.observe(now());
    if (due === null) return false;
    const { ends, rests } = due;
    const closed: ClosedWindow[] = [];
    for (let index = 0; index < ends.length; index++) closed.push(locate(ends[index]!, rests[index]!));
    store.require(
      closed.map(({ group }) => group),
      closed.map(({ suffix }) => suffix),
    );
    for (let index = 0; index < closed.length; index++) {
      const { group, suffix, window } = closed[index]!;
      const row = store.row(group, suffix);
      const value = store.value(row);
      // Deleted by its aggregator.
      if (value === undefined) continue;
      const key = codec.fromBinary(group, false);
      const isLinked = links.enabled && links.emit(linkIdOf(group, suffix));
      next(new WindowedKey(key, window, group, codec.name), value, null, row.timestamp);
      if (isLinked) links.done();
    }
    return !isLast;
  };
  const emitDue = dueEmission(site, { emit, drop: () => void closing.take(1) });
  return {
    closing,
    emitBelow(time) {
      closing.close(time);
      emitDue();
    },
  };
}
