// Copies of state beside a running application, on the simulated cluster: the real client, reader and stores.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import { orderedTime, silentLogger } from '#libs/core';
import type { Clock, TaskIdText } from '#libs/core';
import { createMemoryStateBackend, rowKey } from '#libs/state';
import type { MemoryStateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import type { TaskPorts, Topology } from '#libs/topology';
import { resolveRuntimeConfig, StreamsRuntime } from '../src/index.ts';
import { logAndFail } from '../src/failure-policy.ts';
import { layOut } from '../src/internal-topics.ts';
import { StandbyCopies } from '../src/standby-copies.ts';
import type { TakenState } from '../src/standby-copy.ts';
import type { RestoreProgress } from '../src/store-restorer.ts';
import { encodeText, handMade, keyValueStore, orderedStore } from './hand-made.ts';
import type { HandMade } from './hand-made.ts';

const TASK = '0_0' as TaskIdText;
const CHANGELOG = 'app-last-changelog';

/** Keeps the last value of each key. */
const last = (ports: TaskPorts): HandMade => {
  const store = ports.store('last');
  return {
    process: (key, value, timestamp) => {
      store.set(store.entry(encodeText(key as string)), value, timestamp);
      ports.sink(0).send(key, value, timestamp);
    },
  };
};

let clock: VirtualClock;
let cluster: MemoryCluster;
let running: StreamsRuntime;

beforeEach(() => {
  clock = new VirtualClock();
  cluster = createMemoryCluster({ clock, latencyMs: 1 });
  cluster.topics.create('in', 1, { 'retention.ms': '-1' });
  cluster.topics.create('out', 1, { 'retention.ms': '-1' });
});

const config = (instanceId: string): ReturnType<typeof resolveRuntimeConfig> =>
  resolveRuntimeConfig({ applicationId: 'app', instanceId });

function clientOf(instanceId: string): { client: BrokerClient; clock: Clock; process: SimulatedProcess } {
  const process = cluster.process(instanceId);
  return {
    process,
    client: createBrokerClient({ rpc: process.rpc(), clock: process.clock }),
    clock: process.clock,
  };
}

async function startApplication(topology: Topology): Promise<MemoryStateBackend> {
  const backend = await launch(topology);
  await clock.runUntil(() => running.lifecycle.state === 'RUNNING', 60_000);
  return backend;
}

/** As `startApplication`, and does not wait until it runs. */
async function launch(topology: Topology): Promise<MemoryStateBackend> {
  const { client, clock: own } = clientOf('owner');
  const backend = createMemoryStateBackend({ clock: own, survivesReopen: true });
  running = new StreamsRuntime({
    topology,
    config: config('owner'),
    client,
    backend,
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock: own,
    logger: silentLogger,
  });
  await clock.run(running.start());
  return backend;
}

interface Keeper {
  readonly copies: StandbyCopies;
  readonly process: SimulatedProcess;
  readonly backend: MemoryStateBackend;
  readonly told: (readonly [event: string, progress: RestoreProgress])[];
  readonly warm: TaskIdText[];
  restoring: boolean;
}

async function keeper(topology: Topology, backend?: MemoryStateBackend): Promise<Keeper> {
  const { client, clock: own, process } = clientOf('keeper');
  const layout = await clock.run(
    layOut(
      topology,
      config('keeper'),
      client,
      (built, counts) => checkPartitions(built, counts).repartitionCounts,
    ),
  );
  const kept: Keeper = {
    process,
    backend: backend ?? createMemoryStateBackend({ clock: own, survivesReopen: true }),
    told: [],
    warm: [],
    restoring: false,
    copies: undefined as unknown as StandbyCopies,
  };
  const copies = new StandbyCopies({
    config: config('keeper'),
    layout,
    client,
    backend: kept.backend,
    clock: own,
    logger: silentLogger,
    deserialization: logAndFail,
    listener: (event, progress) => kept.told.push([event, progress]),
    isRestoring: () => kept.restoring,
    onWarm: (name) => kept.warm.push(name),
  });
  return Object.assign(kept, { copies });
}

function append(...records: (readonly [key: string, value: string | null, timestamp?: number])[]): void {
  cluster.topics.append(
    'in',
    0,
    records.map(([key, value, timestamp = clock.now()]) => ({ key, value, timestamp })),
  );
}

const many = (count: number, value: string): (readonly [string, string])[] =>
  Array.from({ length: count }, (_, i) => [`k${i}`, value] as const);

async function contentOf(taken: TakenState | null, store = 'last'): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  await clock.run(
    (async () => {
      for await (const { key, value } of taken!.state.scan(store)) content[key] = value;
    })(),
  );
  return content;
}

const committed = (count: number): Promise<void> =>
  clock.runUntil(() => cluster.inspect.recordCount('out', 0) === count, 60_000);

describe('a standby copy', () => {
  const topology = handMade(last, { stores: [keyValueStore('last')] });

  it('follows its changelog for as long as it is kept, and says how far it is', async () => {
    await startApplication(topology);
    append(['a', '1'], ['b', '1']);
    await committed(2);
    const { copies, told } = await keeper(topology);
    copies.assign([TASK], [], []);
    await clock.advance(1_000);
    append(['a', '2']);
    await committed(3);
    await clock.advance(1_000);
    const end = cluster.inspect.ends(CHANGELOG, 0).lastStableOffset;
    expect(copies.figures).toEqual([
      { taskId: TASK, role: 'standby', phase: 'following', position: end, lag: 0, records: 3 },
    ]);
    expect(copies.positions).toEqual(new Map([[TASK, end]]));
    expect(told[0]).toEqual([
      'start',
      expect.objectContaining({ role: 'standby', store: 'last', position: 0 }),
    ]);
    expect(told.at(-1)).toEqual(['batch', expect.objectContaining({ endOffset: end, records: 3 })]);
    expect(await contentOf(await clock.run(copies.take(TASK)))).toEqual({ a: '2', b: '1' });
    expect(told.at(-1)![0]).toBe('suspended');
  });

  it('holds nothing that is not committed', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const { copies } = await keeper(topology);
    copies.assign([TASK], [], []);
    const held = cluster.fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId: 'owner' });
    append(['a', '2']);
    await clock.run(held.hit());
    await clock.advance(2_000);
    expect(cluster.inspect.ends(CHANGELOG, 0).highWatermark).toBeGreaterThan(copies.figures[0]!.position);
    const taken = await clock.run(copies.take(TASK));
    expect(await contentOf(taken)).toEqual({ a: '1' });
    held.release();
  });

  it('gives its open state away with where it stands, also behind what held no records', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const { copies } = await keeper(topology);
    copies.assign([TASK], [], []);
    await clock.advance(1_000);
    const taken = await clock.run(copies.take(TASK));
    const { highWatermark } = cluster.inspect.ends(CHANGELOG, 0);
    expect(taken!.positions.get('last')).toBe(highWatermark);
    // The transaction's marker is the last of it.
    expect(taken!.state.reached.changelogOffsets.get('last')).toBe(highWatermark - 1);
    expect(await clock.run(copies.take(TASK))).toBeNull();
  });

  it('waits while a task restores', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const kept = await keeper(topology);
    kept.restoring = true;
    kept.copies.assign([TASK], [], []);
    await clock.advance(2_000);
    expect(kept.copies.figures[0]).toMatchObject({ phase: 'following', position: 0, records: 0 });
    kept.restoring = false;
    await clock.advance(2_000);
    expect(kept.copies.figures[0]).toMatchObject({ lag: 0, records: 1 });
  });

  it('is begun anew, alone, when the changelog was truncated behind its back', async () => {
    const store = keyValueStore('last', { changelogConfig: { 'cleanup.policy': 'compact,delete' } });
    const deleting = handMade(last, { stores: [store] });
    await startApplication(deleting);
    append(...many(10, '1'));
    await committed(10);
    const kept = await keeper(deleting);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    kept.restoring = true;
    append(...many(10, '2'));
    await committed(20);
    append(...many(10, '3'));
    await committed(30);
    const before = cluster.inspect.ends(CHANGELOG, 0).highWatermark;
    const { client } = clientOf('admin');
    await clock.run(client.admin.deleteRecords([{ topic: CHANGELOG, partition: 0, offset: before - 6 }]));
    kept.restoring = false;
    await clock.advance(10_000);
    expect(kept.told.map(([event]) => event)).toContain('suspended');
    expect(kept.copies.figures[0]).toMatchObject({ phase: 'following', lag: 0 });
    expect(Object.keys(await contentOf(await clock.run(kept.copies.take(TASK))))).toHaveLength(5);
    expect(running.lifecycle.state).toBe('RUNNING');
  });

  it('says from its first write on whose changelogs it follows and since when, and is trusted by that', async () => {
    await startApplication(topology);
    append(...many(10, '1'));
    await committed(10);
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    const disk = kept.backend.disk('app', TASK)!;
    const { metadata } = disk.checkpoint;
    expect(metadata).toMatchObject({
      changelogs: { last: expect.any(String) },
      writtenAtMs: expect.any(Number),
    });
    await clock.run(kept.copies.close());
    // A day later, and of another topic: neither is gone on with.
    disk.checkpoint = {
      ...disk.checkpoint,
      metadata: { ...metadata, writtenAtMs: clock.now() - 24 * 3_600_000 },
    };
    const again = await keeper(topology, kept.backend);
    again.copies.assign([TASK], [], []);
    await clock.advance(10_000);
    expect(again.copies.figures[0]).toMatchObject({ phase: 'following', lag: 0, records: 10 });
    await clock.run(again.copies.close());
  });

  it('is begun anew when its process stood still for longer than deletions leave a trace', async () => {
    await startApplication(topology);
    append(['a', '1'], ['b', '1']);
    await committed(2);
    // Nobody else moves meanwhile: a day passes at once.
    cluster.kill('owner');
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(2_000);
    const starts = (): number => kept.told.filter(([event]) => event === 'start').length;
    kept.process.pause();
    await clock.advance(20 * 3_600_000);
    kept.process.resume();
    await clock.advance(5_000);
    expect(starts()).toBe(1);
    kept.process.pause();
    await clock.advance(24 * 3_600_000);
    kept.process.resume();
    await clock.advance(10_000);
    expect(starts()).toBe(2);
    expect(kept.told.at(-1)![1]).toMatchObject({ startOffset: 0 });
    expect(kept.copies.figures[0]).toMatchObject({ phase: 'following', lag: 0, records: 2 });
    await clock.run(kept.copies.close());
  });

  it('takes nothing over a gap in which deletions may be gone, not even until it notices at the end', async () => {
    await startApplication(topology);
    append(['a', '1'], ['b', '1']);
    await committed(2);
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(2_000);
    const before = kept.backend.disk('app', TASK)!;
    const reached = before.checkpoint.changelogOffsets.get('last')!;
    // It stands still: its task deletes `a`, and of that nothing is left when the cleaner has come by after a day.
    kept.restoring = true;
    await clock.advance(1_000);
    append(['a', null]);
    await committed(3);
    append(['b', '2']);
    await committed(4);
    cluster.topics.clean();
    clock.jumpWallClock(24 * 3_600_000 + 1);
    cluster.topics.clean();
    kept.restoring = false;
    await clock.advance(10_000);
    expect(before.checkpoint.changelogOffsets.get('last')).toBe(reached);
    expect(kept.backend.disk('app', TASK)).not.toBe(before);
    expect(await contentOf(await clock.run(kept.copies.take(TASK)))).toEqual({ b: '2' });
  });

  it('goes on from where it stood when it is kept again', async () => {
    await startApplication(topology);
    append(...many(10, '1'));
    await committed(10);
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    kept.copies.assign([], [], []);
    append(['k0', '2']);
    await committed(11);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    expect(kept.copies.figures[0]).toMatchObject({ lag: 0, records: 1 });
    await clock.run(kept.copies.close());
  });

  it('takes the place of a task whose open state is in keeping', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    const taken = await clock.run(kept.copies.take(TASK));
    kept.copies.keep(TASK, taken!.state);
    append(['a', '2']);
    await committed(2);
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    const again = await clock.run(kept.copies.take(TASK));
    expect(again!.state).toBe(taken!.state);
    expect(await contentOf(again)).toEqual({ a: '2' });
  });

  it('tries again until the state is unlocked', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const kept = await keeper(topology);
    const held = await kept.backend.open({
      taskId: TASK,
      applicationId: 'app',
      stores: topology.subTopologies[0]!.stores,
      cacheBytesMax: 1e6,
      writeBehindBytes: 1e6,
      writeBehindIntervalMs: 100,
    });
    kept.copies.assign([TASK], [], []);
    await clock.advance(1_000);
    expect(kept.copies.figures[0]!.phase).toBe('waiting');
    await clock.run(held.close());
    await clock.advance(10_000);
    expect(kept.copies.figures[0]).toMatchObject({ phase: 'following', lag: 0 });
  });
});

describe('the state of a task', () => {
  const topology = handMade(last, { stores: [keyValueStore('last')] });
  const writtenAtMs = (): number =>
    Number(backend.disk('app', TASK)?.checkpoint.metadata['writtenAtMs'] ?? 0);
  let backend: MemoryStateBackend;

  it('is as of its commit, however late the answer to that is read', async () => {
    backend = await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const held = cluster.fault({ api: 'EndTxn', on: 'answer', action: 'hold', clientId: 'owner' });
    append(['a', '2']);
    await clock.run(held.hit());
    const sealedBefore = clock.now();
    clock.jumpWallClock(24 * 3_600_000);
    held.release();
    await clock.runUntil(() => writtenAtMs() > sealedBefore - 100, 60_000);
    await clock.advance(2_000);
    expect(backend.disk('app', TASK)!.checkpoint.changelogOffsets.get('last')).toBeGreaterThan(0);
    expect(writtenAtMs()).toBeLessThanOrEqual(sealedBefore);
  });

  it('is as of when the ends of its changelogs were asked for, however long it is restored', async () => {
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    cluster.kill('owner');
    const read = cluster.fault({ api: 'Fetch', on: 'answer', action: 'hold', clientId: 'owner' });
    cluster.fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId: 'owner' });
    backend = await launch(topology);
    await clock.run(read.hit());
    const askedBefore = clock.now();
    clock.jumpWallClock(3_600_000);
    read.release();
    await clock.advance(2_000);
    expect(backend.disk('app', TASK)!.checkpoint.changelogOffsets.get('last')).toBeGreaterThan(0);
    expect(writtenAtMs()).toBeGreaterThan(askedBefore - 60_000);
    expect(writtenAtMs()).toBeLessThanOrEqual(askedBefore);
  });
});

describe('a warm-up copy', () => {
  it('says when it is warm, and not again and again', async () => {
    const topology = handMade(last, { stores: [keyValueStore('last')] });
    await startApplication(topology);
    append(...many(10, '1'));
    await committed(10);
    const kept = await keeper(topology);
    kept.copies.assign([], [TASK], []);
    await clock.advance(5_000);
    expect(kept.warm).toEqual([TASK]);
    await clock.advance(60_000);
    expect(kept.warm.length).toBeLessThan(5);
  });

  // Each round begins the sessions of all members anew: of a static member that is dead, too.
  it('asks for no round once its task runs here, and only waits to be taken', async () => {
    const topology = handMade(last, { stores: [keyValueStore('last')] });
    await startApplication(topology);
    append(...many(10, '1'));
    await committed(10);
    const kept = await keeper(topology);
    kept.copies.assign([], [TASK], []);
    await clock.advance(5_000);
    for (let generation = 0; generation < 5; generation++) {
      kept.copies.assign([], [], [TASK]);
      await clock.advance(5_000);
    }
    expect(kept.warm).toEqual([TASK]);
  });
});

describe('a copy of a store that has a source topic as its changelog', () => {
  it('never holds what is not processed yet', async () => {
    const topology = handMade(last, { stores: [keyValueStore('last', { sourceTopic: 'in' })] });
    await startApplication(topology);
    append(['a', '1']);
    await committed(1);
    const { copies } = await keeper(topology);
    copies.assign([TASK], [], []);
    await clock.advance(3_000);
    expect(copies.figures[0]).toMatchObject({ lag: 0, records: 1 });
    const held = cluster.fault({ api: 'TxnOffsetCommit', on: 'request', action: 'hold', clientId: 'owner' });
    append(['a', '2']);
    await clock.run(held.hit());
    await clock.advance(3_000);
    expect(copies.figures[0]).toMatchObject({ position: 1, records: 1 });
    held.release();
    await committed(2);
    await clock.advance(3_000);
    expect(copies.figures[0]).toMatchObject({ position: 2, lag: 0 });
    expect(await contentOf(await clock.run(copies.take(TASK)))).toEqual({ a: '2' });
  });
});

describe('a copy of a store whose rows expire', () => {
  it('drops what is expired by the committed time, and nothing else', async () => {
    const rows = (ports: TaskPorts): HandMade => {
      const store = ports.orderedStore('rows');
      const time = ports.clock('rows', null);
      return {
        process: (key, value, timestamp) => {
          time.observe(timestamp);
          store.set(store.row(encodeText(key as string), orderedTime(timestamp)), value, timestamp);
          ports.sink(0).send(key, value, timestamp);
        },
      };
    };
    const store = orderedStore('rows', { expiry: { clock: 'rows', retentionMs: 1_000 } });
    const topology = handMade(rows, { stores: [store] });
    await startApplication(topology);
    append(['a', 'old', 1_000], ['a', 'young', 5_000]);
    await committed(2);
    const kept = await keeper(topology);
    kept.copies.assign([TASK], [], []);
    await clock.advance(5_000);
    const content = await contentOf(await clock.run(kept.copies.take(TASK)), 'rows');
    expect(content).toEqual({ [rowKey(encodeText('a'), orderedTime(5_000))]: 'young' });
  });
});
