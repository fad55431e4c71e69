// Single faults of a whole application that only a simulated cluster can inject as they are told here.
import { describe, expect, it } from '@jest/globals';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import {
  appendOnes,
  createTopics,
  expectedByKey,
  outputByKey,
  outputCount,
  sorted,
  startSums,
} from './sums.ts';
import type { SumsInstance } from './sums.ts';

const RECORDS = 200;
const HOUR_MS = 3_600_000;
const SESSION = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };

interface Scene {
  readonly clock: VirtualClock;
  readonly cluster: MemoryCluster;
  readonly application: SumsInstance;
}

async function running(options: Parameters<typeof createMemoryCluster>[0] | object = {}): Promise<Scene> {
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ latencyMs: 1, ...options, clock });
  createTopics(cluster);
  appendOnes(cluster, RECORDS);
  const application = startSums(cluster, 'one', SESSION);
  await clock.runUntil(() => outputCount(cluster) === RECORDS, 60_000);
  return { clock, cluster, application };
}

async function goesOn({ clock, cluster, application }: Scene): Promise<void> {
  await clock.runUntil(() => outputCount(cluster) >= 2 * RECORDS, 120_000);
  expect(application.failure()).toBeUndefined();
  expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(2 * RECORDS)));
  await clock.advance(1_000);
  expect(cluster.inspect.openTransactions()).toEqual([]);
}

describe('a wall clock that jumps', () => {
  it.each([
    ['a day ahead', (now: number) => now + 24 * HOUR_MS],
    ['an hour back', (now: number) => now - HOUR_MS],
    // As on a machine that has lost its battery.
    ['back to 1970', () => 0],
  ])('%s while an epoch is open changes nothing: no timer goes by it', async (_where, to) => {
    const scene = await running();
    const joins = scene.cluster.inspect.group('app')!.generationId;
    const held = scene.cluster.fault({ api: 'TxnOffsetCommit', on: 'request', action: 'hold' });
    appendOnes(scene.cluster, RECORDS, RECORDS);
    await scene.clock.run(held.hit());
    scene.clock.jumpWallClock(to(scene.clock.now()) - scene.clock.now());
    await scene.clock.advance(500);
    held.release();
    await goesOn(scene);
    expect(scene.cluster.inspect.group('app')!.generationId).toBe(joins);
  });
});

describe('a coordinator that is still loading', () => {
  it.each([
    ['its transactions', 'transaction', 'app-one-0'],
    ['its group', 'group', 'app'],
  ] as const)('%s is waited for, in the middle of a commit', async (_what, kind, key) => {
    const scene = await running();
    const { clock, cluster } = scene;
    const held = cluster.fault({ api: 'Produce', on: 'answer', action: 'hold' });
    appendOnes(cluster, RECORDS, RECORDS);
    await clock.run(held.hit());
    cluster.loadCoordinator(kind, key, 3_000);
    held.release();
    await clock.advance(1_000);
    // Nothing of the epoch is decided while the coordinator loads.
    expect(outputCount(cluster)).toBe(RECORDS);
    await goesOn(scene);
  });

  it('after its broker was killed is found again and waited for', async () => {
    const scene = await running({ brokers: 3, coordinatorLoadMs: 2_000 });
    const { clock, cluster } = scene;
    for (const nodeId of [1, 2, 3]) {
      cluster.stopBroker(nodeId);
      await clock.advance(1_000);
      cluster.startBroker(nodeId);
      await clock.advance(500);
    }
    appendOnes(cluster, RECORDS, RECORDS);
    await goesOn(scene);
  });
});
