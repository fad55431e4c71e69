// Specifies what charts are drawn from: differences of totals, and quantiles of what came between two looks.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/core';
import { noInsight } from '#libs/runtime';
import type { ApplicationInsight, HistogramFigures } from '#libs/millrace';
import { History, quantile } from '../src/history.ts';

function insight(at: number, more: Partial<ApplicationInsight> = {}): ApplicationInsight {
  const base = {
    ...noInsight(systemClock),
    applicationId: 'a',
    instanceId: 'one',
    state: 'RUNNING' as const,
  };
  return { ...base, stateSince: 0, error: null, paused: false, startedAt: 1, at, ...more };
}

const input = { subTopology: 0, source: 's', topic: 't', bytes: 0 };
const output = { topic: 'o', store: null };

describe('the history', () => {
  it('has rates of what came from outside and went out, per time that passed', () => {
    const history = new History();
    history.note(insight(1_000));
    history.note(
      insight(3_000, {
        inputs: [
          { ...input, kind: 'stream', records: 100 },
          { ...input, kind: 'repartition', records: 999 },
        ],
        outputs: [
          { ...output, kind: 'topic', records: 40, bytes: 400 },
          { ...output, kind: 'changelog', records: 999, bytes: 600 },
        ],
        commits: { committed: 4, aborted: 1, totalMs: 50, longestMs: 20 },
        loop: { turns: 1, busyMs: 500, longestTurnMs: 1, longestTurnAt: null },
      }),
    );
    expect(history.after(0)).toEqual([
      {
        at: 3_000,
        recordsInPerSecond: 50,
        recordsOutPerSecond: 20,
        bytesOutPerSecond: 500,
        lag: null,
        lagMs: null,
        latencyP50Ms: null,
        latencyP99Ms: null,
        committedEpochs: 4,
        abortedEpochs: 1,
        commitMs: 12.5,
        busy: 0.25,
      },
    ]);
    expect(history.after(3_000)).toEqual([]);
  });

  it('leaves out the step in which the application began anew, and keeps 15 minutes', () => {
    const history = new History();
    history.note(insight(1_000));
    history.note(insight(2_000, { startedAt: 1_500 }));
    expect(history.after(0)).toEqual([]);
    for (let at = 4_000; at <= 2_000_000; at += 2_000) history.note(insight(at, { startedAt: 1_500 }));
    expect(history.after(0)).toHaveLength(450);
    expect(history.after(0)[0]!.at).toBe(2_000_000 - 449 * 2_000);
  });
});

describe('a quantile between two looks', () => {
  const figures = (counts: number[], max = 40): HistogramFigures => ({
    bounds: [10, 20],
    counts,
    count: 0,
    sum: 0,
    max,
  });
  const none = figures([0, 0, 0]);

  it('lies within its bucket, and goes by what is new', () => {
    expect(quantile(none, figures([10, 0, 0]), 0.5)).toBe(5);
    expect(quantile(none, figures([10, 10, 0]), 0.75)).toBe(15);
    expect(quantile(figures([1_000, 0, 0]), figures([1_000, 10, 0]), 0.5)).toBe(15);
  });

  it('ends in the last bucket at the longest there was', () => {
    expect(quantile(none, figures([0, 0, 10]), 0.5)).toBe(30);
    expect(quantile(none, figures([0, 0, 10]), 1)).toBe(40);
  });

  it('is not known where nothing came', () => {
    expect(quantile(figures([3, 2, 1]), figures([3, 2, 1]), 0.5)).toBeNull();
  });
});
