// Specifies the parts of the chaos run that need no broker: what is drawn from a seed, what the judgement notices, what is refused, and
// that every sabotage still finds the text that it changes.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ConsoleRecord } from '#libs/broker-local';
import { SeededRandom } from '#libs/broker-memory';
import { FAULT_KINDS, drawSchedule } from './faults.ts';
import { InputPlan } from './input-plan.ts';
import { Violations, judgeOutput } from './judge-output.ts';
import type { Output } from './judge-output.ts';
import { lostMarkers } from './lost-markers.ts';
import { modelOf } from './model.ts';
import { UsageError, parseOptions } from './options.ts';
import type { RawRecord } from './peer.ts';
import { SABOTAGES, sabotaged } from './sabotage/sabotages.ts';
import { TOPICS } from './vocabulary.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the schedule of a chaos run', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(drawSchedule(7, 50, 3)).toEqual(drawSchedule(7, 50, 3));
    expect(drawSchedule(7, 50, 3)).not.toEqual(drawSchedule(8, 50, 3));
  });

  it('has a fault of every kind once it is twice as long as there are kinds', () => {
    const kinds = new Set(drawSchedule(1, 2 * FAULT_KINDS.length, 3).map(({ fault }) => fault.kind));
    expect(FAULT_KINDS.filter((kind) => !kinds.has(kind))).toEqual([]);
  });

  it('only names processes that there are', () => {
    for (const { fault } of drawSchedule(3, 200, 2)) {
      if ('process' in fault && fault.process !== null) expect(fault.process).toBeLessThan(2);
    }
  });
});

describe('what the broker lost', () => {
  const SENDING =
    'Sending txn markers for TransactionalIdCoordinatorEpochAndTransitMetadata(p0-0,6,COMMIT,…)';
  const SKIPPING =
    "Couldn't find leader endpoint for partitions HashSet(out-1, in-2) while trying to send transaction markers for p0-0, these partitions are likely deleted already";
  const BEGUN =
    'Initialized transactionalId p0-0 with producerId 3 and producer epoch 14 on partition __transaction_state-3';

  it('are the markers that it left out and never sent', () => {
    const lost = [{ transactionalId: 'p0-0', partitions: ['in-2', 'out-1'] }];
    expect(lostMarkers([SENDING, SKIPPING, BEGUN, SENDING].join('\n'))).toEqual(lost);
    expect(lostMarkers([SENDING, SKIPPING].join('\n'))).toEqual(lost);
  });

  it('are not those that it sent once it had loaded them again', () => {
    expect(lostMarkers([SENDING, SKIPPING, SENDING, BEGUN].join('\n'))).toEqual([]);
    expect(lostMarkers([SENDING, BEGUN].join('\n'))).toEqual([]);
  });
});

/** The input of `count` ids as it would lie in the topics, all keys in one partition. */
function rawInput(count: number): RawRecord[] {
  const plan = new InputPlan(new SeededRandom(5));
  const chunks = [plan.tableRows(), plan.chunk(count)];
  const offsets = new Map<string, number>();
  return chunks.flatMap(({ records, endings }) =>
    records
      .filter(({ producer }) => endings[producer] === 'commit')
      .map(({ topic, key, value, timestamp }) => {
        const offset = offsets.get(topic) ?? 0;
        offsets.set(topic, offset + 1);
        return { topic, partition: 0, offset, timestamp, key, value };
      }),
  );
}

/** What the application would write for the input, by the shortest of programs. */
function outputOf(input: readonly RawRecord[]): Record<keyof Output, ConsoleRecord[]> {
  const { echo, windows, timers } = modelOf(input);
  const records = (list: readonly (readonly [string, string])[]): ConsoleRecord[] =>
    list.map(([key, value], offset) => ({
      partition: 0,
      offset,
      timestamp: 0,
      timestampType: 'CreateTime',
      key,
      value,
    }));
  const flat = (lines: ReadonlyMap<string, readonly string[]>): [string, string][] =>
    [...lines].flatMap(([key, list]) => list.map((line): [string, string] => [key, line]));
  const groups = new Map<string, { count: number; sum: number; min: number; max: number }>();
  const stats = input
    .filter(({ topic }) => topic === TOPICS.events)
    .map(({ value }): [string, string] => {
      const { id, group, amount } = JSON.parse(value!) as { id: string; group: string; amount: number };
      const before = groups.get(group) ?? { count: 0, sum: 0, min: amount, max: amount };
      const now = {
        count: before.count + 1,
        sum: before.sum + amount,
        min: Math.min(before.min, amount),
        max: Math.max(before.max, amount),
      };
      groups.set(group, now);
      return [group, JSON.stringify({ id, ...now })];
    });
  return {
    echo: records(flat(echo).map(([key, id]) => [key, JSON.stringify(id)])),
    joined: records(flat(echo).map(([key, id]) => [key, JSON.stringify({ id, version: 1 })])),
    windows: records(
      flat(windows).map(([key, line]) => {
        const [count, start] = [...line.matchAll(/\d+/g)].map(Number);
        return [key, JSON.stringify({ start, count })];
      }),
    ),
    timers: records(flat(timers)),
    stats: records(stats),
  };
}

describe('the judgement of a chaos run', () => {
  const input = rawInput(4_000);
  const judged = (change: (output: Record<keyof Output, ConsoleRecord[]>) => void): string[] => {
    const output = outputOf(input);
    change(output);
    const violations = new Violations();
    judgeOutput(output, modelOf(input), violations);
    return [...new Set(violations.all().map(({ kind, what }) => `${kind} ${what.split(':')[0]!}`))];
  };

  it('finds nothing in what the model says', () => {
    expect(input.length).toBeGreaterThan(3_000);
    expect(judged(() => undefined)).toEqual([]);
  });

  it.each(['echo', 'joined', 'windows', 'timers', 'stats'] as const)(
    'notices a record of %s that is missing, and one that is there twice',
    (topic) => {
      expect(judged((output) => output[topic].splice(100, 1))).toContain(`missing ${topic}`);
      expect(judged((output) => output[topic].splice(100, 0, output[topic][90]!))).toContain(
        `doubled ${topic}`,
      );
    },
  );

  it('notices two records of a key that changed places', () => {
    const swapped = judged(({ echo }) => {
      const first = echo[0]!;
      const second = echo.findIndex(({ key }, index) => index > 0 && key === first.key);
      echo[0] = { ...first, value: echo[second]!.value };
      echo[second] = { ...echo[second]!, value: first.value };
    });
    expect(swapped).toEqual(['order echo']);
  });

  it('notices a sum that is wrong by one, once', () => {
    const wrong = judged(({ stats }) => {
      stats[50] = { ...stats[50]!, value: stats[50]!.value!.replace(/"count":(\d+)/, '"count":9$1') };
    });
    expect(wrong).toEqual(['wrong stats']);
  });

  it('notices a join that saw an older row than before, or none', () => {
    expect(
      judged(({ joined }) => (joined[3] = { ...joined[3]!, value: '{"id":"x","version":null}' })),
    ).toEqual(expect.arrayContaining(['wrong joined', 'missing joined']));
  });

  it('notices what comes of an aborted transaction', () => {
    const aborted = judged(({ echo }) => echo.push({ ...echo[0]!, value: '"aborted-3"' }));
    expect(aborted).toContain('aborted echo');
  });
});

describe('the arguments of a chaos run', () => {
  it('have defaults', () => {
    expect(parseOptions([])).toMatchObject({
      faults: 30,
      records: 200_000,
      workers: 3,
      sabotage: null,
      json: false,
    });
  });

  it.each([
    [['--seed', 'x'], /--seed: "x" is no whole number/],
    [['--faults', '-1'], /--faults/],
    [['--records', '1.5'], /--records: "1.5"/],
    [['--workers', '0'], /--workers: "0" is no whole number from 1/],
    [['--sabotage', 'luck'], /--sabotage: "luck" is no guarantee; there are exactly-once, /],
    [['--control'], /--control: goes with --sabotage/],
    [['--quickly'], /--quickly/],
    [['now'], /now/],
  ])('are refused as %j with the reason', (args, reason) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(reason);
  });
});

describe('the sabotage of a guarantee', () => {
  it.each(SABOTAGES.map((sabotage) => [sabotage.guarantee, sabotage] as const))(
    'of %s finds the text that it changes, and leaves a source that loads',
    (_guarantee, { edits }) => {
      for (const file of new Set(edits.map((edit) => edit.file))) {
        const own = edits.filter((edit) => edit.file === file);
        const changed = sabotaged(readFileSync(join(ROOT, file), 'utf8'), own);
        for (const { to } of own) expect(changed).toContain(to);
        expect(() => stripTypeScriptTypes(changed)).not.toThrow();
      }
    },
  );
});
