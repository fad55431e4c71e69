// Whole applications under faults by seed: nothing lost, nothing doubled, and a seed replays.
import { describe, expect, it } from '@jest/globals';
import { createMemoryCluster, SeededRandom, VirtualClock } from '#libs/broker-memory';
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
import type { SumsInstance, SumsOptions } from './sums.ts';

const RECORDS = 400;
const ROUNDS = 8;

interface Outcome {
  readonly cluster: MemoryCluster;
  readonly clock: VirtualClock;
  readonly failures: readonly Error[];
}

/** Two instances under faults of every kind; then all is healed, and what they were given must have come out. */
async function simulate(seed: number, application: SumsOptions = {}): Promise<Outcome> {
  const clock = new VirtualClock({ seed });
  const random = new SeededRandom(seed);
  const cluster = createMemoryCluster({
    clock,
    seed,
    brokers: 3,
    latencyMs: (_leg, _api, draw) => draw() * 2,
    markerDelayMs: (draw) => draw() * 10,
    coordinatorLoadMs: 100,
    faultPlan: {
      dropRequest: 0.01,
      dropAnswer: 0.01,
      duplicateRequest: 0.01,
      delayRequest: 0.02,
      delayAnswer: 0.02,
    },
  });
  createTopics(cluster);
  const config = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 1_000, ...application };
  const instances: SumsInstance[] = ['one', 'two'].map((id) => startSums(cluster, id, config));
  const failures: Error[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    appendOnes(cluster, RECORDS / ROUNDS, (round * RECORDS) / ROUNDS);
    await clock.advance(random.integer(100, 3_000));
    const at = random.integer(0, instances.length - 1);
    const instance = instances[at]!;
    const fate = random.next();
    if (fate < 0.3) {
      instance.process.kill();
      await clock.advance(random.integer(0, 8_000));
      instances[at] = startSums(cluster, instance.process.clientId, config);
    } else if (fate < 0.5) {
      instance.process.pause();
      await clock.advance(random.integer(0, 10_000));
      instance.process.resume();
    } else if (fate < 0.7) {
      const nodeId = random.integer(1, 3);
      cluster.stopBroker(nodeId);
      await clock.advance(random.integer(100, 2_000));
      cluster.startBroker(nodeId);
    }
    if (random.chance(0.2)) cluster.topics.clean();
  }
  cluster.setFaultPlan(undefined);
  await clock.runUntil(
    () => {
      for (const { failure } of instances) {
        const error = failure();
        if (error !== undefined && !failures.includes(error)) failures.push(error);
      }
      return failures.length > 0 || outputCount(cluster) >= RECORDS;
    },
    300_000,
    `The output of seed ${seed}`,
  );
  return { cluster, clock, failures };
}

describe('an application under faults by seed', () => {
  it.each(Array.from({ length: 20 }, (_, i) => i + 1))(
    'loses and doubles nothing (seed %i)',
    async (seed) => {
      const { cluster, failures } = await simulate(seed);
      expect(failures).toEqual([]);
      expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
    },
  );

  it('is found out where exactly once is switched off', async () => {
    let doubled = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const { cluster } = await simulate(seed, { processingGuarantee: 'at_least_once' });
      if (outputCount(cluster) > RECORDS) doubled++;
    }
    expect(doubled).toBeGreaterThan(0);
  });

  it('happens the same way again for the same seed, and another way for another', async () => {
    const first = await simulate(77);
    const again = await simulate(77);
    const other = await simulate(78);
    expect(again.cluster.eventCount).toBe(first.cluster.eventCount);
    expect(again.cluster.eventHash).toBe(first.cluster.eventHash);
    expect(other.cluster.eventHash).not.toBe(first.cluster.eventHash);
  });
});
