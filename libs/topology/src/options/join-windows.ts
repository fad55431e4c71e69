// Owns the time condition of a stream–stream join. It checks nothing: what is wrong with it is found where it is used.

/**
 * Two records with equal keys are joined when their timestamps are close: the other stream's record may be at most `beforeMs` older
 * and at most `afterMs` newer than this stream's. All milliseconds; both bounds belong to the window.
 *
 * `JoinWindows.ofTimeDifferenceWithNoGrace(60_000)`: at most a minute apart, either way round.
 * `JoinWindows.ofTimeDifferenceAndGrace(60_000, 5_000).before(0)`: the other record is 0 to 60 s newer; records may be 5 s late.
 *
 * The grace period keeps rows, and with them left and outer results, so much longer than the window: `beforeMs + afterMs + graceMs`.
 */
export interface JoinWindows {
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly graceMs: number;
  /** Changes how much older the other stream's record may be. Negative: it must be newer by so much. */
  before(timeDifferenceMs: number): JoinWindows;
  /** Changes how much newer the other stream's record may be. Negative: it must be older by so much. */
  after(timeDifferenceMs: number): JoinWindows;
}

function joinWindows(beforeMs: number, afterMs: number, graceMs: number): JoinWindows {
  return {
    beforeMs,
    afterMs,
    graceMs,
    before: (timeDifferenceMs) => joinWindows(timeDifferenceMs, afterMs, graceMs),
    after: (timeDifferenceMs) => joinWindows(beforeMs, timeDifferenceMs, graceMs),
  };
}

export const JoinWindows = {
  /** Both `beforeMs` and `afterMs`; records that come after the window has closed are not joined. */
  ofTimeDifferenceWithNoGrace: (timeDifferenceMs: number): JoinWindows =>
    joinWindows(timeDifferenceMs, timeDifferenceMs, 0),
  /** As above, and records may be late by `afterWindowEndMs`. */
  ofTimeDifferenceAndGrace: (timeDifferenceMs: number, afterWindowEndMs: number): JoinWindows =>
    joinWindows(timeDifferenceMs, timeDifferenceMs, afterWindowEndMs),
};

/** What is wrong with the windows; `null`: nothing. */
export function joinWindowsFault(given: unknown): { problem: string; remedy: string } | null {
  const { beforeMs = NaN, afterMs = NaN, graceMs = NaN } = (given ?? {}) as Partial<JoinWindows>;
  const remedy =
    'Use JoinWindows.ofTimeDifferenceWithNoGrace(…) or ofTimeDifferenceAndGrace(…), in milliseconds.';
  if (!Number.isSafeInteger(beforeMs) || !Number.isSafeInteger(afterMs) || !Number.isSafeInteger(graceMs)) {
    return { problem: 'the join windows are missing, or not in whole milliseconds.', remedy };
  }
  if (beforeMs + afterMs < 0) {
    return { problem: `the window from ${-beforeMs} to ${afterMs} ms is empty.`, remedy };
  }
  if (graceMs < 0) return { problem: `the grace period is ${graceMs} ms.`, remedy };
  return null;
}
