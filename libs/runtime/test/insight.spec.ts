// Specifies what a runtime tells of itself, and that it is told the truth.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { EpochAbortedError } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { deadLetter, logAndContinue } from '../src/index.ts';
import type { RuntimeInsight, StreamsRuntime } from '../src/index.ts';
import { CommitLatency } from '../src/insight/latency.ts';
import { Ring } from '../src/insight/ring.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { createRuntime, runToEnd } from './support.ts';

const text = Serdes.string();
const number = Serdes.json<number>();
let broker: InProcessBroker;

beforeEach(() => {
  broker = new InProcessBroker();
  broker.createTopic('in', 2);
  broker.createTopic('out', 2);
});

function sums(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('in', { keySerde: text, valueSerde: number })
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, value, sum) => sum + value,
      { name: 'sums', keySerde: text, valueSerde: number },
    )
    .toStream()
    .to('out', { keySerde: text, valueSerde: number });
  return builder.build();
}

function produceOnes(count: number): void {
  for (let i = 0; i < count; i++) {
    broker.produce('in', i % 2, [{ key: `k${i % 10}`, value: '1', timestamp: 1_000 + i }]);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function running(runtime: StreamsRuntime): Promise<void> {
  await runtime.start();
  await until(() => runtime.lifecycle.state === 'RUNNING');
}

const outRecords = (): number => broker.records('out', 0).length + broker.records('out', 1).length;
const dropsOf = ({ drops }: RuntimeInsight): unknown[] =>
  drops.map(({ code, kind, where, records }) => [code, kind, where, records]);
const sum = (figures: readonly { records: number }[]): number =>
  figures.reduce((total, { records }) => total + records, 0);

describe('insight', () => {
  it('counts what came in by source, and what committed epochs wrote by topic', async () => {
    produceOnes(1_000);
    const insight = (await runToEnd(broker, sums())).insight();
    expect(insight.inputs).toEqual([
      {
        subTopology: 0,
        source: 'KSTREAM-SOURCE-0000000000',
        topic: 'in',
        kind: 'stream',
        records: 1_000,
        bytes: expect.any(Number),
      },
    ]);
    const byTopic = new Map(insight.outputs.map((flow) => [flow.topic, flow]));
    expect(byTopic.get('out')).toMatchObject({ kind: 'topic', store: null, records: 1_000 });
    // One record per key and epoch.
    expect(byTopic.get('app-sums-changelog')).toMatchObject({ kind: 'changelog', store: 'sums' });
    expect(byTopic.get('app-sums-changelog')!.records).toBe(
      broker.records('app-sums-changelog', 0).length + broker.records('app-sums-changelog', 1).length,
    );
    expect(insight.commits.committed).toBeGreaterThan(0);
    expect(sum(insight.epochs.map(({ recordsOut }) => ({ records: recordsOut })))).toBe(1_000);
    expect(sum(insight.epochs.map(({ recordsIn }) => ({ records: recordsIn })))).toBe(1_000);
    expect(insight.latency.count).toBe(1_000);
    expect(JSON.parse(JSON.stringify(insight))).toEqual(insight);
  });

  it('shows each task with its partitions: position, end, lag, time', async () => {
    produceOnes(100);
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    await running(runtime);
    await until(() => outRecords() === 100 && !runtime.figures!.uncommitted);
    const { tasks } = runtime.insight();
    expect(tasks.map(({ taskId, phase, records }) => [taskId, phase, records])).toEqual([
      ['0_0', 'running', 50],
      ['0_1', 'running', 50],
    ]);
    expect(tasks[0]).toMatchObject({
      streamTime: 1_098,
      stores: [{ name: 'sums', kind: 'keyValue', changelog: 'app-sums-changelog', resident: true }],
      partitions: [
        { topic: 'in', partition: 0, position: 50, committed: 50, endOffset: 50, lag: 0, lagMs: 0 },
      ],
    });
    expect(tasks[0]!.cachedBytes).toBeGreaterThan(0);
    await runtime.stop();
    expect(runtime.insight().tasks).toEqual([]);
  });

  it('counts an aborted epoch as such, with its reason, and its outputs not at all', async () => {
    produceOnes(2_000);
    let commits = 0;
    broker.onCommit = () => {
      if (++commits === 2) {
        throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' });
      }
    };
    const insight = (await runToEnd(broker, sums(), { commitIntervalMs: 1 })).insight();
    const aborted = insight.epochs.filter(({ outcome }) => outcome === 'aborted');
    expect(aborted.map(({ reason }) => reason)).toEqual([expect.stringContaining('injected')]);
    expect(insight.commits.aborted).toBe(1);
    expect(insight.outputs.find(({ topic }) => topic === 'out')!.records).toBe(2_000);
    expect(insight.latency.count).toBe(2_000);
    expect(insight.issues).toMatchObject([{ kind: 'recovered', code: 'MILLRACE_EPOCH_ABORTED' }]);
  });

  it('counts records left out by code, kind and place, and keeps the last of them, those alike as one', async () => {
    produceOnes(10);
    for (let i = 0; i < 5; i++) broker.produce('in', 0, [{ key: 'k', value: 'no JSON', timestamp: 5 }]);
    broker.produce('in', 1, [{ key: null, value: '1', timestamp: 6 }]);
    const skipping = await runToEnd(broker, sums(), {
      exceptionHandlers: { deserialization: logAndContinue },
    });
    expect(dropsOf(skipping.insight())).toEqual(
      expect.arrayContaining([
        ['MILLRACE_DESERIALIZATION_FAILED', 'dropped', expect.stringMatching(/^0_0/), 5],
        ['MILLRACE_NULL_KEY', 'dropped', '0_1 KSTREAM-AGGREGATE-0000000001', 1],
      ]),
    );
    const alike = skipping.insight().issues.filter(({ code }) => code === 'MILLRACE_DESERIALIZATION_FAILED');
    expect(alike.reduce((count, issue) => count + issue.count, 0)).toBe(5);
  });

  it('counts dead letters apart', async () => {
    broker.createTopic('dead', 1);
    for (let i = 0; i < 5; i++) broker.produce('in', 0, [{ key: 'k', value: 'no JSON', timestamp: 5 }]);
    const runtime = await runToEnd(broker, sums(), {
      exceptionHandlers: { deserialization: deadLetter('dead') },
    });
    expect(dropsOf(runtime.insight())).toEqual(
      expect.arrayContaining([
        ['MILLRACE_DESERIALIZATION_FAILED', 'deadLetter', expect.stringMatching(/^0_0/), 5],
      ]),
    );
    expect(broker.records('dead', 0)).toHaveLength(5);
  });

  it('keeps rebalances and restores', async () => {
    produceOnes(100);
    await runToEnd(broker, sums());
    const insight = (await runToEnd(broker, sums())).insight();
    expect(insight.rebalances).toMatchObject({
      total: 1,
      lost: 0,
      last: [{ kind: 'assigned', active: ['0_0', '0_1'], added: ['0_0', '0_1'], revoked: [] }],
    });
    expect(insight.restored.map(({ outcome, progress }) => [progress.taskId, outcome])).toEqual(
      expect.arrayContaining([
        ['0_0', 'end'],
        ['0_1', 'end'],
      ]),
    );
    expect(insight.loop.turns).toBeGreaterThan(0);
  });
});

describe('pause', () => {
  it('commits what was processed and processes nothing more until it is resumed', async () => {
    produceOnes(100);
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    await running(runtime);
    await until(() => outRecords() === 100);
    await runtime.pause();
    expect(runtime.figures).toMatchObject({ paused: true, uncommitted: false });
    expect(runtime.lifecycle.state).toBe('RUNNING');
    const { turns } = runtime.insight().loop;
    produceOnes(50);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(outRecords()).toBe(100);
    expect(runtime.figures!.processedRecords).toBe(100);
    expect(runtime.insight().loop.turns).toBe(turns);
    expect(runtime.figures!.runningTasks).toEqual(['0_0', '0_1']);
    runtime.resume();
    await until(() => outRecords() === 150);
    expect(runtime.figures!.paused).toBe(false);
    await runtime.stop();
  });

  it('holds what it says from the start, through a failure and for tasks that are opened later', async () => {
    produceOnes(20);
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    await runtime.pause();
    await running(runtime);
    await runtime.restartTask('0_1');
    await until(() => runtime.figures!.runningTasks.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(outRecords()).toBe(0);
    runtime.resume();
    await until(() => outRecords() === 20);
    await runtime.stop();
  });

  it('does not keep an application from stopping', async () => {
    produceOnes(20);
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    await running(runtime);
    await runtime.pause();
    await runtime.stop();
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
  });
});

describe('restartTask', () => {
  it.each([false, true])(
    'opens a task again from what is committed, in the same generation (dirty: %s)',
    async (dirty) => {
      produceOnes(100);
      const runtime = createRuntime(broker, sums(), { until: 'stopped' });
      await running(runtime);
      await until(() => outRecords() === 100);
      await runtime.restartTask('0_0', dirty);
      await until(() => runtime.lifecycle.state === 'RUNNING' && runtime.figures!.runningTasks.length === 2);
      expect(runtime.insight().tasks[0]!.records).toBe(0);
      produceOnes(100);
      await until(() => outRecords() === 200);
      expect(runtime.insight().rebalances.total).toBe(1);
      await runtime.stop();
      const newest = broker.records('out', 0).concat(broker.records('out', 1));
      expect(newest.filter(({ value }) => value === '20')).toHaveLength(10);
    },
  );

  it('refuses a task that is not here, and one of an application that has ended', async () => {
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    await running(runtime);
    await expect(runtime.restartTask('0_7')).rejects.toMatchObject({ code: 'MILLRACE_UNKNOWN_TASK' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(runtime.lifecycle.state).toBe('RUNNING');
    await runtime.stop();
    expect(runtime.error).toBeNull();
    await expect(runtime.restartTask('0_0')).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });
});

describe('CommitLatency', () => {
  it('weighs the first and the last record of a piece for all of it, once its epoch is committed', () => {
    const latency = new CommitLatency();
    latency.processed(1_000, 1_990, 100);
    expect(latency.figures.count).toBe(0);
    latency.seal();
    latency.processed(0, 0, 1);
    latency.committed(2_000);
    const { bounds, counts, count, max, sum: total } = latency.figures;
    expect([count, max, total]).toEqual([100, 1_000, 50 * 1_000 + 50 * 10]);
    expect(counts[bounds.indexOf(1_000)]).toBe(50);
    expect(counts[bounds.indexOf(10)]).toBe(50);
  });

  it('forgets what is abandoned', () => {
    const latency = new CommitLatency();
    latency.processed(1, 1, 1);
    latency.seal();
    latency.abandoned();
    latency.committed(5);
    expect(latency.figures.count).toBe(0);
  });

  it('bounds what an epoch may hold, and loses no weight by it', () => {
    const latency = new CommitLatency();
    for (let i = 0; i < 5_000; i++) latency.processed(i, i, 1);
    latency.seal();
    latency.committed(5_000);
    expect(latency.figures.count).toBe(5_000);
  });
});

describe('Ring', () => {
  it('keeps the last so many, oldest first', () => {
    const ring = new Ring<number>(3);
    expect([ring.last, ring.toArray()]).toEqual([undefined, []]);
    ring.push(1);
    expect(ring.last).toBe(1);
    for (const item of [2, 3, 4]) ring.push(item);
    expect([ring.last, ring.toArray()]).toEqual([4, [2, 3, 4]]);
  });
});
