// The network between clients and brokers: order, time-outs, faults on demand, processes that stop.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { RpcFailure } from '#libs/broker';
import type { Clock } from '#libs/core';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { ClusterEvent } from '#libs/broker-memory';
import { ClientProcess } from '../src/network/process.ts';
import { batchOf, keysIn, newBench, RawClient } from './raw-client.ts';
import type { Bench } from './raw-client.ts';

let bench: Bench;

beforeEach(() => {
  bench = newBench();
  bench.cluster.topics.create('t');
});

function produce(client: RawClient, key: string, timeoutMs = 1_000): Promise<string> {
  return client
    .send(
      'Produce',
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 1_000,
        topics: [{ name: 't', partitions: [{ partition: 0, records: [batchOf([key])] }] }],
        transactionVersion2: true,
      },
      1,
      { timeoutMs, lane: 'produce' },
    )
    .then(
      () => 'answered',
      (error: unknown) => (error instanceof RpcFailure ? error.kind : String(error)),
    );
}

describe('a fault', () => {
  it('that drops a request leaves nothing done, and its client with a time-out', async () => {
    const { client, clock, cluster } = bench;
    const fault = cluster.fault({ api: 'Produce', on: 'request', action: 'drop' });
    expect(await clock.run(produce(client, 'a', 300))).toBe('unknown');
    expect([clock.monotonic(), fault.hits, keysIn(cluster, 't')]).toEqual([300, 1, []]);
    expect(await clock.run(produce(client, 'b'))).toBe('answered');
  });

  it('that cuts an answer off leaves all done, and tells the client at once that it cannot know', async () => {
    const { client, clock, cluster } = bench;
    cluster.fault({ api: 'Produce', on: 'answer', action: 'cut' });
    expect(await clock.run(produce(client, 'a'))).toBe('unknown');
    expect([clock.monotonic(), keysIn(cluster, 't')]).toEqual([0, ['a']]);
  });

  it('that holds a request holds what is behind it too, and lets it arrive after its client has given up', async () => {
    const { client, clock, cluster } = bench;
    const fault = cluster.fault({ api: 'Produce', on: 'request', action: 'hold' });
    const held = [produce(client, 'a'), produce(client, 'b')];
    await clock.run(fault.hit());
    await clock.advance(999);
    expect(keysIn(cluster, 't')).toEqual([]);
    expect(await clock.run(Promise.all(held))).toEqual(['unknown', 'unknown']);
    fault.release();
    await clock.advance(1);
    expect(keysIn(cluster, 't')).toEqual(['a', 'b']);
    expect(await clock.run(produce(client, 'c'))).toBe('answered');
  });

  it('skips so many, applies to so many, to the client it names', async () => {
    const { client, clock, cluster } = bench;
    const fault = cluster.fault({
      api: ['Produce', 'Fetch'],
      on: 'request',
      action: 'cut',
      skip: 1,
      times: 2,
      clientId: 'raw',
    });
    const other = new RawClient(cluster, clock, 'other');
    const outcomes: string[] = [];
    for (let i = 0; i < 4; i++) {
      outcomes.push(await clock.run(produce(client, `${i}`)));
      outcomes.push(await clock.run(produce(other, `other ${i}`)));
    }
    expect(outcomes.filter((_, i) => i % 2 === 0)).toEqual(['answered', 'unknown', 'unknown', 'answered']);
    expect(outcomes.filter((_, i) => i % 2 === 1)).toEqual(Array.from({ length: 4 }, () => 'answered'));
    fault.remove();
  });

  it('of so many milliseconds delays by just that', async () => {
    const { client, clock, cluster } = bench;
    cluster.fault({ api: 'Produce', on: 'answer', action: 70 });
    await clock.run(produce(client, 'a'));
    expect(clock.monotonic()).toBe(70);
  });
});

describe('a plan of faults', () => {
  it('may lose every request, or every answer', async () => {
    const { client, clock, cluster } = bench;
    cluster.setFaultPlan({ dropRequest: 1, silent: 0 });
    expect(await clock.run(produce(client, 'a'))).toBe('unknown');
    cluster.setFaultPlan({ dropAnswer: 1, silent: 1 });
    expect(await clock.run(produce(client, 'b'))).toBe('unknown');
    cluster.setFaultPlan(undefined);
    expect(await clock.run(produce(client, 'c'))).toBe('answered');
    expect(keysIn(cluster, 't')).toEqual(['b', 'c']);
  });

  it('lets a request arrive twice, the second time later, with bytes of its own', async () => {
    const { client, clock, cluster } = bench;
    cluster.setFaultPlan({ duplicateRequest: 1, delayMs: [50, 50] });
    expect(await clock.run(produce(client, 'a'))).toBe('answered');
    expect(keysIn(cluster, 't')).toEqual(['a']);
    await clock.advance(50);
    expect(cluster.inspect.records('t', 0).map(({ offset, key }) => [offset, String(key)])).toEqual([
      [0, 'a'],
      [1, 'a'],
    ]);
  });

  it('concerns only the calls and clients it names', async () => {
    const { client, clock, cluster } = bench;
    cluster.setFaultPlan({ dropRequest: 1, silent: 0, apis: ['Metadata'], clientIds: ['raw'] });
    expect(await clock.run(produce(client, 'a'))).toBe('answered');
    await expect(clock.run(client.send('Metadata', { topics: [] }))).rejects.toBeInstanceOf(RpcFailure);
    expect(await new RawClient(cluster, clock, 'other').metadata('t')).toMatchObject({ name: 't' });
  });
});

it('calls of one lane arrive in the order they were made, however long each takes', async () => {
  const { client, clock, cluster } = newBench({ latencyMs: (_leg, _api, random) => random() * 20 });
  cluster.topics.create('t');
  const keys = Array.from({ length: 30 }, (_, i) => `${i}`);
  await clock.run(Promise.all(keys.map((key) => produce(client, key))));
  expect(keysIn(cluster, 't')).toEqual(keys);
});

describe('a process', () => {
  it('that is paused has no timers and hears nothing until it goes on; what it sent is done', async () => {
    const { clock, cluster } = bench;
    const process = cluster.process('p');
    const rpc = process.rpc();
    const seen: string[] = [];
    process.clock.schedule(10, () => seen.push('timer'));
    process.clock.schedule(20, () => seen.push('cancelled')).cancel();
    rpc.call('bootstrap', 'DeleteTopics', { timeoutMs: 0, names: ['t'] }).then(
      () => seen.push('answer'),
      () => seen.push('failed'),
    );
    process.pause();
    await clock.advance(1_000);
    expect([seen, cluster.inspect.topicNames()]).toEqual([[], []]);
    process.resume();
    await clock.advance(0);
    expect(seen).toEqual(['answer', 'timer']);
  });

  it('that is killed leaves no timer behind, so that it keeps no real process alive', () => {
    const clock = new VirtualClock();
    let pending = 0;
    const counting: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      random: () => clock.random(),
      defer: (action) => clock.defer(action),
      schedule(delayMs, action) {
        pending++;
        const timer = clock.schedule(delayMs, action);
        return {
          cancel() {
            pending--;
            timer.cancel();
          },
        };
      },
    };
    const process = new ClientProcess('p', counting);
    process.clock.schedule(1_000, () => undefined);
    process.clock.schedule(2_000, () => undefined).cancel();
    expect(pending).toBe(1);
    process.kill();
    process.clock.schedule(1_000, () => undefined);
    expect(pending).toBe(0);
  });

  it('that is killed does nothing any more, and is told nothing', async () => {
    const { clock, cluster } = bench;
    const process = cluster.process('p');
    const seen: string[] = [];
    process.clock.schedule(10, () => seen.push('timer'));
    process.clock.defer(() => seen.push('deferred'));
    process
      .rpc()
      .call('bootstrap', 'DeleteTopics', { timeoutMs: 0, names: ['t'] }, { timeoutMs: 100 })
      .finally(() => seen.push('settled'))
      .catch(() => undefined);
    cluster.kill('p');
    await clock.advance(1_000);
    expect([seen, process.state, cluster.inspect.topicNames()]).toEqual([[], 'killed', []]);
  });
});

it('a port calls no broker whose address it was not told, and none once closed', async () => {
  const { clock, cluster } = bench;
  const rpc = cluster.rpc('p');
  const call = (): Promise<unknown> => clock.run(rpc.call(1, 'Metadata', { topics: [] }));
  await expect(call()).rejects.toMatchObject({ kind: 'not-sent' });
  rpc.learnNodes([{ nodeId: 1, host: 'simulated', port: 1 }]);
  await expect(call()).resolves.toMatchObject({ clusterId: 'simulated' });
  await rpc.close();
  await expect(call()).rejects.toMatchObject({ kind: 'not-sent' });
});

it('every leg is an event, and the hash covers them', async () => {
  const events: ClusterEvent[] = [];
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ clock, onEvent: (event) => events.push(event) });
  const before = cluster.eventHash;
  await new RawClient(cluster, clock, 'raw').metadata('t');
  expect(events.map(({ kind, subject }) => [kind, subject])).toEqual([
    ['request', 'raw Metadata'],
    ['apply', 'raw Metadata'],
    ['answer', 'raw Metadata'],
  ]);
  expect(cluster.eventCount).toBe(3);
  expect(cluster.eventHash).not.toBe(before);
});

it('refuses options that make no sense', () => {
  const clock = new VirtualClock();
  for (const options of [{ brokers: 0 }, { brokers: 2, replicationFactor: 3 }]) {
    expect(() => createMemoryCluster({ clock, ...options })).toThrow('MILLRACE_INVALID_CONFIG');
  }
});
