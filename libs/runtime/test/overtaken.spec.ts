// Records that a worker was about to read are gone: lost, or processed by somebody else who has its task by now.
import { expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import type { BrokerAdmin, CommittedOffset } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { SimulatedProcess } from '#libs/broker-memory';
import { FatalError, RetriableError, TaskMigratedError, silentLogger } from '#libs/core';
import { createMemoryStateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import { StreamsRuntime, resolveRuntimeConfig } from '../src/index.ts';
import { migratedIfOvertaken } from '../src/overtaken.ts';
import { handMade } from './hand-made.ts';

const gone = new FatalError({
  code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
  message: 'gone',
  context: { topic: 'in', partition: 0, offset: 100 },
});

function groupAt(offset: number | Error): Pick<BrokerAdmin, 'committedOffsets'> {
  const committed: CommittedOffset = { offset: Number(offset), leaderEpoch: 0, metadata: '' };
  return {
    committedOffsets: () =>
      offset instanceof Error ? Promise.reject(offset) : Promise.resolve(new Map([['in-0', committed]])),
  };
}

it('takes records beyond which the group has committed for those of another worker', async () => {
  expect(await migratedIfOvertaken(gone, groupAt(101), 'app')).toBeInstanceOf(TaskMigratedError);
});

it('takes records that nobody has committed for lost', async () => {
  expect(await migratedIfOvertaken(gone, groupAt(100), 'app')).toBe(gone);
});

it('begins anew from what is committed where the group cannot be asked', async () => {
  const away = new RetriableError({ code: 'MILLRACE_BROKER_UNREACHABLE', message: 'away' });
  expect(await migratedIfOvertaken(gone, groupAt(away), 'app')).toBe(away);
  expect(await migratedIfOvertaken(gone, groupAt(new Error('refused')), 'app')).toBe(gone);
});

it('asks after no other failure', async () => {
  const other = new Error('other');
  expect(await migratedIfOvertaken(other, groupAt(new Error('asked')), 'app')).toBe(other);
});

it('goes on after a sleep in which another worker had its records deleted', async () => {
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ clock, latencyMs: 1 });
  for (const topic of ['in', 'out']) cluster.topics.create(topic, 1, { 'retention.ms': '-1' });
  const topology = handMade((ports) => ({
    process: (key, value, timestamp) => ports.sink(0).send(key, value, timestamp),
  }));

  async function start(
    instanceId: string,
  ): Promise<{ readonly runtime: StreamsRuntime; readonly process: SimulatedProcess }> {
    const process = cluster.process(instanceId);
    const runtime = new StreamsRuntime({
      topology,
      config: resolveRuntimeConfig({ applicationId: 'app', instanceId }),
      client: createBrokerClient({ rpc: process.rpc(), clock: process.clock }),
      backend: createMemoryStateBackend({ clock: process.clock }),
      checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
      clock: process.clock,
      logger: silentLogger,
    });
    await clock.run(runtime.start());
    return { runtime, process };
  }
  const written = (count: number): Promise<void> =>
    clock.runUntil(() => cluster.inspect.recordCount('out', 0) === count, 120_000);
  const append = (value: string): void => {
    cluster.topics.append('in', 0, [{ key: 'k', value, timestamp: clock.now() }]);
  };

  const sleeper = await start('sleeper');
  append('1');
  await written(1);
  // It falls asleep as it joins again, so that its next word from the group is late.
  const join = cluster.fault({ api: 'JoinGroup', on: 'answer', action: 'hold', clientId: 'sleeper' });
  await start('other');
  await clock.run(join.hit());
  sleeper.process.pause();
  // The first of them its Fetch still brings.
  append('2');
  await written(2);
  append('3');
  await written(3);
  const { admin } = createBrokerClient({ rpc: cluster.rpc('admin'), clock });
  await clock.run(admin.deleteRecords([{ topic: 'in', partition: 0, offset: 3 }]));
  sleeper.process.resume();
  await clock.advance(2_000);
  expect(sleeper.runtime.lifecycle.state).not.toBe('ERROR');
  join.remove();
  join.release();
  cluster.kill('other');
  append('4');
  await written(4);
});
