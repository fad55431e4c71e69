// Standby copies, warm-up copies and restores of a whole application of several instances, on the simulated cluster.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { BrokerClient, FetchedChunk } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import type { RestoreProgress } from '#libs/runtime';
import { createMemoryStateBackend } from '#libs/state';
import type { MemoryStateBackend, StateBackend } from '#libs/state';
import {
  appendOnes,
  createTopics,
  expectedByKey,
  outputByKey,
  outputCount,
  sorted,
  startSums,
} from './sums.ts';
import type { SumsInstance, SumsOptions } from './sums.ts';

const CHANGELOG = 'app-sums-changelog';
const ROUND = 20;
const SESSION = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };

let clock: VirtualClock;
let cluster: MemoryCluster;
let appended: number;

beforeEach(() => {
  clock = new VirtualClock();
  cluster = createMemoryCluster({ clock, latencyMs: 1 });
  appended = 0;
});

const start = (name: string, options: SumsOptions = {}): SumsInstance =>
  startSums(cluster, name, { ...SESSION, ...options });

const figures = ({ runtime }: SumsInstance): NonNullable<SumsInstance['runtime']['figures']> =>
  runtime.figures!;

const tasksOf = (instance: SumsInstance): readonly string[] =>
  [...(instance.runtime.figures?.runningTasks ?? [])].sort();

/** `rounds` epochs at least, each of which changes every key. */
async function process(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    appendOnes(cluster, ROUND, appended);
    appended += ROUND;
    await clock.runUntil(() => outputCount(cluster) === appended, 120_000);
  }
}

const exactlyOnce = (): void => expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(appended)));

/** Copies in all, all of them current. */
async function copies(instances: readonly SumsInstance[], count: number): Promise<void> {
  await clock.runUntil(() => {
    const all = instances.flatMap((instance) => instance.runtime.figures?.copies ?? []);
    return all.length === count && all.every(({ lag }) => lag === 0);
  }, 60_000);
}

function changelogRecords(): number {
  let count = 0;
  for (let partition = 0; partition < cluster.inspect.partitionCount(CHANGELOG); partition++)
    count += cluster.inspect.recordCount(CHANGELOG, partition);
  return count;
}

/** Counts how often state is opened. */
function counting(backend: MemoryStateBackend): StateBackend & { readonly opened: string[] } {
  const opened: string[] = [];
  return {
    ...backend,
    opened,
    open(options) {
      opened.push(options.taskId);
      return backend.open(options);
    },
  };
}

interface Gate {
  readonly around: (client: BrokerClient) => BrokerClient;
  open(): void;
}

/** Lets one chunk of a changelog partition through, of a few records, and the rest once it is open. */
function gateAt(partition: number, chunks = 1): Gate {
  let left = chunks;
  const waiting: (() => void)[] = [];
  const around = (client: BrokerClient): BrokerClient => ({
    ...client,
    admin: client.admin,
    partitionCount: (topic) => client.partitionCount(topic),
    createGroupMember: (options, handler) => client.createGroupMember(options, handler),
    createTransactionalWriter: (options) => client.createTransactionalWriter(options),
    createReader(options) {
      const reader = client.createReader({ ...options, partitionMaxBytes: 300 });
      const isGated = (chunk: FetchedChunk): boolean =>
        chunk.topic === CHANGELOG && chunk.partition === partition && left-- <= 0;
      const take = reader.take.bind(reader);
      reader.take = () => {
        const chunk = take();
        if (chunk === undefined || !isGated(chunk)) return chunk;
        reader.assign(chunk.topic, chunk.partition, chunk.startOffset);
        reader.pause(chunk.topic, chunk.partition);
        waiting.push(() => reader.resume(chunk.topic, chunk.partition));
        return undefined;
      };
      return reader;
    },
  });
  return {
    around,
    open() {
      left = Infinity;
      for (const resume of waiting.splice(0)) {
        try {
          resume();
        } catch {
          // It is not read any more.
        }
      }
    },
  };
}

describe('standby copies', () => {
  it('take over when the owner is killed, and replay only what they lack', async () => {
    createTopics(cluster);
    const one = start('one', { numStandbys: 1 });
    await process(30);
    const two = start('two', { numStandbys: 1 });
    await clock.runUntil(() => tasksOf(two).length === 1, 60_000);
    await process(5);
    await copies([one, two], 2);
    const restored = figures(two).restoredRecords;
    one.process.kill();
    appendOnes(cluster, ROUND, appended);
    appended += ROUND;
    await clock.runUntil(() => outputCount(cluster) === appended, 60_000);
    expect(tasksOf(two)).toEqual(['0_0', '0_1']);
    expect(changelogRecords()).toBeGreaterThan(300);
    // What was committed between two fetches of the copy, at most.
    expect(figures(two).restoredRecords - restored).toBeLessThan(20);
    expect(figures(two).copies).toEqual([]);
    exactlyOnce();
  });

  it('are what the state of a task becomes that moves away, without being opened again', async () => {
    createTopics(cluster);
    const backend = counting(createMemoryStateBackend({ clock }));
    const one = start('one', { numStandbys: 1, backend });
    await process(10);
    const two = start('two', { numStandbys: 1 });
    await clock.runUntil(() => tasksOf(two).length === 1, 60_000);
    await process(10);
    await copies([one, two], 2);
    expect(backend.opened.sort()).toEqual(['0_0', '0_1']);
    two.process.kill();
    await process(10);
    expect(tasksOf(one)).toEqual(['0_0', '0_1']);
    expect(backend.opened).toHaveLength(2);
    expect(figures(one).restoredRecords).toBeLessThan(20);
    exactlyOnce();
  });

  it('outlive abandoned epochs and a lost place in the group', async () => {
    createTopics(cluster);
    const backend = counting(createMemoryStateBackend({ clock }));
    const one = start('one', { numStandbys: 1, backend });
    const two = start('two', { numStandbys: 1 });
    await process(10);
    await clock.runUntil(() => tasksOf(one).length === 1 && tasksOf(two).length === 1, 60_000);
    await copies([one, two], 2);
    const opened = backend.opened.length;
    // Longer than its session, so that two has both tasks meanwhile.
    one.process.pause();
    await process(5);
    one.process.resume();
    await clock.runUntil(() => tasksOf(one).length === 1, 120_000);
    await process(5);
    expect(backend.opened).toHaveLength(opened);
    exactlyOnce();
  });
});

describe('a task that is to move', () => {
  it('moves once its warm-up copy has caught up, and restores next to nothing then', async () => {
    createTopics(cluster);
    const one = start('one', { acceptableRecoveryLag: 20 });
    await process(40);
    const moved: RestoreProgress[] = [];
    const two = start('two', {
      acceptableRecoveryLag: 20,
      onRestore: (event, progress) => {
        if (event === 'start') moved.push(progress);
      },
    });
    await clock.runUntil(() => tasksOf(two).length === 1, 60_000);
    expect(moved[0]).toMatchObject({ role: 'warmup', startOffset: 0 });
    expect(figures(two).restoredRecords).toBeLessThan(20);
    expect(tasksOf(one)).toHaveLength(1);
    await process(2);
    await clock.runUntil(() => figures(two).copies.length + figures(one).copies.length === 0, 60_000);
    exactlyOnce();
  });
});

describe('a restore', () => {
  it('does not keep other tasks from their work', async () => {
    createTopics(cluster);
    const first = start('one');
    await process(10);
    first.process.kill();
    const gate = gateAt(0);
    const two = start('two', { around: gate.around });
    appendOnes(cluster, ROUND, appended);
    appended += ROUND;
    const even = outputCount(cluster) + ROUND / 2;
    await clock.runUntil(() => outputCount(cluster) === even, 60_000);
    expect(tasksOf(two)).toEqual(['0_1']);
    expect(figures(two).openingTasks).toEqual(['0_0']);
    const [restore] = figures(two).restores;
    expect(restore).toMatchObject({ taskId: '0_0', role: 'active', store: 'sums' });
    expect(restore!.position).toBeLessThan(restore!.endOffset);
    gate.open();
    await process(1);
    exactlyOnce();
  });

  it('is not interrupted by a rebalance that leaves its task where it is', async () => {
    createTopics(cluster, 4);
    const first = start('one');
    await process(10);
    first.process.kill();
    const gate = gateAt(0);
    const told: string[] = [];
    const two = start('two', {
      around: gate.around,
      onRestore: (event, { taskId, role }) => {
        if (role === 'active' && taskId === '0_0' && event !== 'batch') told.push(event);
      },
    });
    await clock.runUntil(() => tasksOf(two).length === 3, 60_000);
    const three = start('three');
    await clock.runUntil(() => tasksOf(three).length > 0, 120_000);
    expect(figures(two).openingTasks).toEqual(['0_0']);
    gate.open();
    await process(1);
    expect(told).toEqual(['start', 'end']);
    exactlyOnce();
  });

  it('that is cut short keeps what it has: the next one goes on from there', async () => {
    createTopics(cluster);
    const first = start('one');
    await process(20);
    first.process.kill();
    const backend = createMemoryStateBackend({ clock, survivesReopen: true });
    const gate = gateAt(0, 2);
    const two = start('two', { around: gate.around, backend });
    await clock.runUntil(
      () => (two.runtime.figures?.restores[0]?.records ?? 0) > 0 && tasksOf(two).length === 1,
      60_000,
    );
    await clock.advance(1_000);
    const { position, records } = figures(two).restores[0]!;
    await clock.run(two.runtime.stop());
    const starts: RestoreProgress[] = [];
    const again = start('two', {
      backend,
      onRestore: (event, progress) => {
        if (event === 'start' && progress.taskId === '0_0') starts.push(progress);
      },
    });
    await process(1);
    expect(records).toBeGreaterThan(0);
    expect(starts).toHaveLength(1);
    expect(starts[0]!.startOffset).toBeGreaterThan(0);
    expect(starts[0]!.startOffset).toBeLessThanOrEqual(position);
    expect(again.failure()).toBeUndefined();
    exactlyOnce();
  });
});

describe('an abandoned epoch', () => {
  it('leaves the state of its tasks open, and rolls it forward where the commit had succeeded', async () => {
    createTopics(cluster);
    const backend = counting(createMemoryStateBackend({ clock }));
    const one = start('one', { backend, requestTimeoutMs: 500, transactionTimeoutMs: 5_000 });
    await process(10);
    const lost = cluster.fault({ api: 'EndTxn', on: 'answer', action: 'drop', times: 40, clientId: 'one' });
    appendOnes(cluster, ROUND, appended);
    appended += ROUND;
    await clock.run(lost.hit());
    await clock.advance(30_000);
    lost.remove();
    await process(5);
    expect(backend.opened).toHaveLength(2);
    expect(one.failure()).toBeUndefined();
    exactlyOnce();
  });
});
