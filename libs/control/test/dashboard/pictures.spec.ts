// Specifies the pure parts of the dashboard beside the graph: series of charts, lanes of epochs, what is merged, read and told of levels.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { layEpochs, lengthFor } from '../../src/dashboard/client/epoch-lanes.ts';
import { settingsOf } from '../../src/dashboard/client/flatten.ts';
import { levelOf, stateBadge, worst } from '../../src/dashboard/client/health.ts';
import { toldOf } from '../../src/dashboard/client/issues.ts';
import { parseInlines, parseMarkdown } from '../../src/dashboard/client/markdown.ts';
import { EPOCHS_KEPT, mergeEpochs, mergeSamples } from '../../src/dashboard/client/merge.ts';
import { taskRates } from '../../src/dashboard/client/rates.ts';
import { formatRoute, parseRoute, tokenOf } from '../../src/dashboard/client/route.ts';
import { columnsOf, latest, windowOf } from '../../src/dashboard/client/series.ts';
import type { EpochFigures, HistorySample, Snapshot } from '../../src/dashboard/client/wire.ts';

function sample(at: number, lag: number | null = 0): HistorySample {
  return { at, lag } as HistorySample;
}

function epoch(number: number, more: Partial<EpochFigures> = {}): EpochFigures {
  return {
    number,
    outcome: 'committed',
    openedAt: number * 100,
    sealedAt: number * 100 + 100,
    endedAt: number * 100 + 150,
    produceMs: 30,
    commitMs: 20,
    ...more,
  } as EpochFigures;
}

const lag = (one: HistorySample): number | null => one.lag;

describe('series of charts', () => {
  it('hold what is in the window, and a gap where samples are missing', () => {
    const samples = [sample(1_000, 1), sample(3_000, 2), sample(13_000, 3), sample(15_000, null)];
    expect(columnsOf(samples, [lag], { fromMs: 2_000, toMs: 20_000 }, 2_000)).toEqual([
      [3, 5, 13, 15],
      [2, null, 3, null],
    ]);
    expect(columnsOf([], [lag, lag], { fromMs: 0, toMs: 1 }, 2_000)).toEqual([[], [], []]);
  });

  it('span what was asked for, but not much more than there is', () => {
    expect(windowOf([sample(0), sample(600_000)], 300_000, 600_500)).toEqual({
      fromMs: 300_500,
      toMs: 600_500,
    });
    expect(windowOf([sample(500_000), sample(600_000)], 300_000, 600_000)).toEqual({
      fromMs: 500_000,
      toMs: 600_000,
    });
    expect(windowOf([sample(599_000)], 300_000, 600_000)).toEqual({ fromMs: 570_000, toMs: 600_000 });
    expect(windowOf([], 300_000, 600_000)).toEqual({ fromMs: 570_000, toMs: 600_000 });
  });

  it('say what was known last, if it is not long ago', () => {
    const samples = [sample(0, 7), sample(2_000, null), sample(4_000, null)];
    expect(latest(samples, lag, 4_000)).toBe(7);
    expect(latest(samples, lag, 3_000)).toBeNull();
    expect(latest([], lag, 3_000)).toBeNull();
  });
});

describe('epochs on a line of time', () => {
  it('have their phases as shares of the window, in two lanes in turn', () => {
    const [first, second] = layEpochs([epoch(1), epoch(2)], { fromMs: 100, toMs: 350 });
    expect(first).toMatchObject({
      lane: 1,
      open: { from: 0, to: 0.4 },
      flush: { from: 0.4, to: 0.52 },
      commit: { from: 0.52, to: 0.6 },
    });
    expect(second).toMatchObject({ lane: 0, open: { from: 0.4, to: 0.8 } });
  });

  it('are cut at the window, and left out beyond it', () => {
    expect(layEpochs([epoch(1), epoch(9)], { fromMs: 220, toMs: 400 })).toMatchObject([
      { epoch: { number: 1 }, open: null, flush: { from: 0, to: 10 / 180 } },
    ]);
  });

  it('last until now while they commit, and have no commit when they were aborted before', () => {
    const [committing, aborted] = layEpochs(
      [
        epoch(1, { outcome: 'committing', endedAt: null, commitMs: null }),
        epoch(2, { outcome: 'aborted', produceMs: null, commitMs: null }),
      ],
      { fromMs: 0, toMs: 1_000 },
    );
    expect(committing!.commit).toEqual({ from: 0.23, to: 1 });
    expect(aborted).toMatchObject({ flush: { from: 0.3, to: 0.35 }, commit: null });
  });

  it('are shown over a span that holds some of them', () => {
    const quick = Array.from({ length: 50 }, (_, index) => epoch(index));
    expect(lengthFor(quick, [3_000, 15_000, 60_000], 5_000)).toBe(3_000);
    expect(lengthFor([epoch(0), epoch(1)], [3_000, 15_000, 60_000], 50_000)).toBe(60_000);
    expect(lengthFor([epoch(0)], [3_000, 15_000], 1_000_000)).toBe(15_000);
    expect(lengthFor([], [3_000, 15_000], 5)).toBe(3_000);
  });
});

describe('what comes in pieces', () => {
  it('is merged by the number of the epoch, with the newer word', () => {
    const known = [epoch(1), epoch(2), epoch(3, { outcome: 'committing' })];
    const merged = mergeEpochs(known, [epoch(3), epoch(4)]);
    expect(merged.map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'committed'],
      [2, 'committed'],
      [3, 'committed'],
      [4, 'committed'],
    ]);
    expect(mergeEpochs(known, [])).toBe(known);
    // Whose end was missed.
    expect(mergeEpochs(known, [epoch(9)]).map(({ number }) => number)).toEqual([1, 2, 9]);
  });

  it('begins anew with an instance that began anew', () => {
    expect(mergeEpochs([epoch(70), epoch(71)], [epoch(1)]).map(({ number }) => number)).toEqual([1]);
  });

  it('does not grow for ever', () => {
    let known: readonly EpochFigures[] = [];
    for (let number = 0; number < 3_000; number += 60)
      known = mergeEpochs(
        known,
        Array.from({ length: 64 }, (_, index) => epoch(number + index)),
      );
    expect(known).toHaveLength(EPOCHS_KEPT);
    expect(known.at(-1)!.number).toBe(3_003);
    let samples: readonly HistorySample[] = [];
    for (let at = 0; at < 2_000; at++) samples = mergeSamples(samples, [sample(at - 1), sample(at)]);
    expect(samples).toHaveLength(900);
    expect(samples[0]!.at).toBe(1_100);
  });

  it('has rates by task, but for those that were opened since', () => {
    const at = (ms: number, records: Record<string, number>): Pick<Snapshot, 'at' | 'tasks'> => ({
      at: ms,
      tasks: Object.entries(records).map(([taskId, value]) => ({
        taskId,
        records: value,
      })) as unknown as Snapshot['tasks'],
    });
    const rates = taskRates([
      at(0, { '0_0': 100, '0_1': 900 }),
      at(5_000, {}),
      at(10_000, { '0_0': 600, '0_1': 50, '0_2': 7 }),
    ]);
    expect([...rates]).toEqual([
      ['0_0', 50],
      ['0_1', 5],
    ]);
    expect(taskRates([]).size).toBe(0);
  });
});

describe('levels', () => {
  it.each([
    [{ recordsPerSecond: 0, lag: 0 }, 'idle'],
    [{ recordsPerSecond: null, lag: null }, 'idle'],
    [{ recordsPerSecond: 5, lag: 0 }, 'ok'],
    // Markers of transactions.
    [{ recordsPerSecond: 0, lag: 2 }, 'idle'],
    [{ recordsPerSecond: 100, lag: 100 }, 'ok'],
    [{ recordsPerSecond: 100, lag: 500 }, 'busy'],
    [{ recordsPerSecond: 100, lag: 1_001 }, 'behind'],
    [{ recordsPerSecond: 0, lag: 11 }, 'stalled'],
    [{ recordsPerSecond: null, lag: 11 }, 'busy'],
  ] as const)('of %p is %s', (load, level) => expect(levelOf({ ...load, lagMs: null })).toBe(level));

  it('of several is the worst', () => {
    expect(worst(['ok', 'behind', 'busy'])).toBe('behind');
    expect(worst([])).toBe('idle');
  });

  it('of a state have a sign and a word', () => {
    expect(stateBadge({ state: 'RUNNING', paused: true })).toMatchObject({ word: 'PAUSED', tone: 'warn' });
    expect(stateBadge({ state: 'ERROR', paused: false })).toMatchObject({
      word: 'ERROR',
      tone: 'bad',
      sign: '✕',
    });
  });
});

describe('failures', () => {
  it('are told without the code that stands beside them, and with the remedy apart', () => {
    const code = 'MILLRACE_X';
    expect(toldOf({ code, message: 'MILLRACE_X: It broke. Remedy: Mend it. Remedy: of old.' })).toEqual({
      text: 'It broke.',
      remedy: 'Mend it. Remedy: of old.',
    });
    expect(toldOf({ code, message: 'Plain' })).toEqual({ text: 'Plain', remedy: null });
  });
});

describe('addresses', () => {
  it('name application and view', () => {
    const route = { application: 'a/b ü', view: 'tasks' } as const;
    expect(parseRoute(formatRoute(route))).toEqual(route);
    expect(parseRoute('')).toEqual({ application: null, view: 'overview' });
    expect(parseRoute('#/orders/none')).toEqual({ application: 'orders', view: 'overview' });
    expect(parseRoute('#/%E0%A4%A/tasks').view).toBe('tasks');
  });

  it('bring a token, or none', () => {
    expect(tokenOf('#token=a%20b')).toBe('a b');
    expect(tokenOf('#/token=1/tasks')).toBeNull();
    expect(tokenOf('')).toBeNull();
  });
});

describe('the configuration as a list', () => {
  it('has paths with dots, sizes and times for reading, and says what is hidden', () => {
    expect(
      settingsOf({
        commitIntervalMs: 60_000,
        kafka: { brokers: ['a:1', 'b:2'], sasl: '(set, not shown)' },
        cacheBytesMax: 1_048_576,
        rack: null,
      }),
    ).toEqual([
      { path: 'commitIntervalMs', value: '60000', readable: '1 min', isHidden: false },
      { path: 'kafka.brokers', value: 'a:1, b:2', readable: '', isHidden: false },
      { path: 'kafka.sasl', value: '(set, not shown)', readable: '', isHidden: true },
      { path: 'cacheBytesMax', value: '1048576', readable: '1.00 MiB', isHidden: false },
      { path: 'rack', value: 'none', readable: '', isHidden: false },
    ]);
  });
});

describe('the pages of error codes', () => {
  it('are read as headings, paragraphs, lists and code, and links lose their targets', () => {
    const blocks = parseMarkdown(
      '# CODE\n\n**What happened.** A `thing`\nbroke, see [there](../x.md).\n\n- one\n  more\n- two\n\n```ts\nlet a;\n```\n\n1. first\n',
    );
    expect(blocks).toEqual([
      { kind: 'heading', level: 1, inlines: [{ kind: 'text', text: 'CODE' }] },
      {
        kind: 'paragraph',
        inlines: [
          { kind: 'strong', text: 'What happened.' },
          { kind: 'text', text: ' A ' },
          { kind: 'code', text: 'thing' },
          { kind: 'text', text: ' broke, see there.' },
        ],
      },
      {
        kind: 'list',
        isOrdered: false,
        items: [[{ kind: 'text', text: 'one more' }], [{ kind: 'text', text: 'two' }]],
      },
      { kind: 'code', text: 'let a;' },
      { kind: 'list', isOrdered: true, items: [[{ kind: 'text', text: 'first' }]] },
    ]);
    expect(parseInlines('<b>bold</b>')).toEqual([{ kind: 'text', text: '<b>bold</b>' }]);
  });
});

describe('the colours of style.css', () => {
  const css = readFileSync(join(import.meta.dirname, '../../src/dashboard/client/style.css'), 'utf8');
  const colours = new Map(
    [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name, light, dark]) => [
      name!,
      [light!, dark!] as const,
    ]),
  );

  it.each([
    ['text', ['ground', 'surface', 'raised', 'topic', 'store', 'group', 'bad-soft', 'warn-soft']],
    ['muted', ['ground', 'surface', 'raised', 'topic', 'store', 'group', 'calm-soft']],
    ['accent', ['ground', 'surface', 'bad-soft']],
    ['on-accent', ['accent']],
    ['good', ['surface', 'ground', 'good-soft']],
    ['busy', ['surface', 'ground', 'busy-soft']],
    ['warn', ['surface', 'ground', 'warn-soft']],
    ['bad', ['surface', 'ground', 'bad-soft']],
    ['surface', ['bad']],
  ])('can be read by whoever sees little: %s on %p', (name, grounds) => {
    for (const ground of grounds) {
      for (const mode of [0, 1] as const) {
        const ratio = contrast(colours.get(name)![mode], colours.get(ground)![mode]);
        expect([name, ground, mode === 0 ? 'light' : 'dark', ratio >= 4.5 || ratio]).toEqual([
          name,
          ground,
          mode === 0 ? 'light' : 'dark',
          true,
        ]);
      }
    }
  });
});

/** WCAG 2: 4.5 is enough for text. */
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
