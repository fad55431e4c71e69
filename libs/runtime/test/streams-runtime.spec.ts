import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EpochAbortedError, TaskCorruptedError, TaskMigratedError, systemClock } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { DEAD_LETTER_HEADERS, deadLetter, decodeOffsetMetadata, logAndContinue } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { createRuntime, latestByKey, runToEnd } from './support.ts';

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

/** Keys `k0` to `k9`, each value 1, spread over both partitions by key. */
function produceOnes(count: number, from = 0): void {
  for (const partition of [0, 1]) {
    const records = [];
    for (let i = from; i < from + count; i++) {
      if (i % 2 === partition) records.push({ key: `k${i % 10}`, value: '1', timestamp: 1_000 + i });
    }
    broker.produce('in', partition, records);
  }
}

describe('StreamsRuntime', () => {
  it('emits every update and commits offsets with the epoch, stream time and transactional id beside them', async () => {
    produceOnes(1_000);
    const runtime = await runToEnd(broker, sums());
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
    expect(broker.records('out', 0).length + broker.records('out', 1).length).toBe(1_000);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '100'));
    const committed = broker.committed.get('in-0')!;
    expect(committed.offset).toBe(500);
    expect(decodeOffsetMetadata(committed.metadata)).toMatchObject({
      streamTime: 1_998,
      transactionalId: 'app-one-0',
    });
  });

  it('goes on from the committed offsets and from state restored out of the changelog', async () => {
    produceOnes(100);
    await runToEnd(broker, sums());
    produceOnes(100);
    const runtime = await runToEnd(broker, sums());
    expect(runtime.figures!.processedRecords).toBe(100);
    expect(runtime.figures!.restoredRecords).toBeGreaterThan(0);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '20'));
  });

  it('replays only the tail of the changelog when the state survived', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    produceOnes(100);
    await runToEnd(broker, sums(), { backend });
    produceOnes(100);
    const runtime = await runToEnd(broker, sums(), { backend });
    expect(runtime.figures!.restoredRecords).toBe(0);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '20'));
  });

  it('restores from scratch what was written longer ago than a changelog keeps its tombstones, and others have gone on with', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    produceOnes(100);
    await runToEnd(broker, sums(), { backend });
    produceOnes(100);
    await runToEnd(broker, sums(), { backend: createMemoryStateBackend() });
    produceOnes(100);
    const clock = { ...systemClock, now: () => systemClock.now() + 24 * 3_600_000 };
    const setAside = jest.spyOn(backend, 'setAside');
    await runToEnd(broker, sums(), { backend, clock });
    expect(setAside.mock.calls.map(([, task]) => task).sort()).toEqual(['0_0', '0_1']);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '30'));
  });

  it('goes on with state that is as old, if its changelog ends with what it holds', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    produceOnes(100);
    await runToEnd(broker, sums(), { backend });
    produceOnes(100);
    const clock = { ...systemClock, now: () => systemClock.now() + 100 * 3_600_000 };
    const runtime = await runToEnd(broker, sums(), { backend, clock });
    expect(runtime.figures!.restoredRecords).toBe(0);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '20'));
  });

  it.each([
    ['is abandoned', new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' })],
    [
      'meets a lost generation',
      new TaskMigratedError({ code: 'MILLRACE_GENERATION_LOST', message: 'injected' }),
    ],
  ])('neither loses nor doubles anything when a commit %s', async (_what, error) => {
    produceOnes(20_000);
    let commits = 0;
    broker.onCommit = () => {
      commits++;
      if (commits === 2 || commits === 5) throw error;
    };
    await runToEnd(broker, sums(), { commitIntervalMs: 1 });
    expect(commits).toBeGreaterThan(5);
    expect(broker.records('out', 0).length + broker.records('out', 1).length).toBe(20_000);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '2000'));
  });

  it.each([0, 1, 3])('doubles nothing when the group is lost with commit %i under way', async (at) => {
    produceOnes(20_000);
    let commits = 0;
    const losses: Promise<void>[] = [];
    broker.onCommit = async () => {
      if (commits++ !== at) return;
      losses.push(broker.members[0]!.expire());
      // The loss is handled while this commit hangs; whatever it comes to, its epoch is abandoned.
      await new Promise((resolve) => setTimeout(resolve, 30));
    };
    await runToEnd(broker, sums(), { commitIntervalMs: 1, batchBytes: 2_000 });
    await Promise.all(losses);
    expect(commits).toBeGreaterThan(at);
    expect(broker.records('out', 0).length + broker.records('out', 1).length).toBe(20_000);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '2000'));
  });

  it('opens a task again whose opening failed, and ends only when it has run', async () => {
    produceOnes(1_000);
    const memory = createMemoryStateBackend();
    let failures = 0;
    const backend = {
      ...memory,
      open: async (options: Parameters<typeof memory.open>[0]) => {
        if (options.taskId === '0_1' && failures++ < 3) {
          throw new TaskCorruptedError(['0_1'], { code: 'MILLRACE_STATE_FAILED', message: 'injected' });
        }
        return memory.open(options);
      },
    };
    await runToEnd(broker, sums(), { backend });
    expect(failures).toBeGreaterThan(3);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '100'));
  });

  it('rolls state forward from the changelog when the commit had succeeded though its answer was lost', async () => {
    produceOnes(20_000);
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const client = broker.client();
    let commits = 0;
    const create = client.createTransactionalWriter.bind(client);
    client.createTransactionalWriter = (options) => {
      const writer = create(options);
      const commit = writer.commit.bind(writer);
      writer.commit = async (offsets, group) => {
        const result = await commit(offsets, group);
        if (++commits === 3)
          throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'answer lost' });
        return result;
      };
      return writer;
    };
    broker.client = () => client;
    await runToEnd(broker, sums(), { commitIntervalMs: 1, backend });
    expect(commits).toBeGreaterThan(3);
    expect(broker.records('out', 0).length + broker.records('out', 1).length).toBe(20_000);
    expect([...latestByKey(broker, 'out').values()]).toEqual(Array.from({ length: 10 }, () => '2000'));
  });

  it('is not RUNNING while it waits for a broker to begin anew after an epoch that failed', async () => {
    produceOnes(20_000);
    const client = broker.client();
    const states: string[] = [];
    const whileWaiting: string[] = [];
    let commits = 0;
    const create = client.createTransactionalWriter.bind(client);
    client.createTransactionalWriter = (options) => {
      const writer = create(options);
      const [commit, initialise] = [writer.commit.bind(writer), writer.initialise.bind(writer)];
      writer.commit = async (offsets, group) => {
        if (++commits === 3)
          throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'no answer' });
        return commit(offsets, group);
      };
      writer.initialise = async () => {
        if (commits >= 3) whileWaiting.push(states.at(-1)!);
        await initialise();
      };
      return writer;
    };
    broker.client = () => client;
    const runtime = createRuntime(broker, sums(), { commitIntervalMs: 1 });
    runtime.lifecycle.onChange((state) => states.push(state));
    await runtime.start();
    await runtime.whenEnded();
    expect(states).toContain('RUNNING');
    expect(whileWaiting).toEqual(['REBALANCING']);
  });

  it('stops with the record named, all before it committed, when an undecodable value meets the policy fail', async () => {
    broker.produce('in', 0, [
      { key: 'a', value: '1', timestamp: 1 },
      { key: 'a', value: 'not json', timestamp: 2 },
      { key: 'a', value: '3', timestamp: 3 },
    ]);
    const runtime = createRuntime(broker, sums());
    await runtime.start();
    await expect(runtime.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_DESERIALIZATION_FAILED',
      context: { topic: 'in', partition: 0, offset: 1 },
    });
    expect(runtime.lifecycle.state).toBe('ERROR');
    expect(broker.committed.get('in-0')?.offset ?? 0).toBeLessThanOrEqual(1);
  });

  it('skips what the policy lets go, and counts it', async () => {
    broker.produce('in', 0, [
      { key: 'a', value: '1', timestamp: 1 },
      { key: 'a', value: 'not json', timestamp: 2 },
      { key: 'a', value: '3', timestamp: 3 },
    ]);
    const runtime = await runToEnd(broker, sums(), {
      exceptionHandlers: { deserialization: logAndContinue },
    });
    expect(latestByKey(broker, 'out').get('a')).toBe('4');
    expect(runtime.figures!.droppedRecords).toBe(1);
    expect(broker.committed.get('in-0')!.offset).toBe(3);
  });

  it('sends a dead letter with the original bytes and the error in its headers, in the same transaction', async () => {
    broker.createTopic('dead', 1);
    broker.produce('in', 0, [
      { key: 'a', value: 'not json', timestamp: 2 },
      { key: 'b', value: '3', timestamp: 3 },
    ]);
    await runToEnd(broker, sums(), { exceptionHandlers: { deserialization: deadLetter('dead') } });
    const [letter] = broker.records('dead', 0);
    expect(letter).toMatchObject({ key: 'a', value: 'not json', timestamp: 2 });
    const headers = new Map(letter!.headers.map(({ key, value }) => [key, Buffer.from(value!).toString()]));
    expect(headers.get(DEAD_LETTER_HEADERS.topic)).toBe('in');
    expect(headers.get(DEAD_LETTER_HEADERS.offset)).toBe('0');
    expect(headers.get(DEAD_LETTER_HEADERS.code)).toBe('MILLRACE_DESERIALIZATION_FAILED');
    expect(latestByKey(broker, 'out')).toEqual(new Map([['b', '3']]));
  });

  it('undoes a record that fails half-way: no state, no output of it', async () => {
    const builder = new StreamsBuilder();
    let attempts = 0;
    builder
      .stream<string, number>('in', { keySerde: text, valueSerde: number })
      .groupByKey()
      .aggregate(
        () => 0,
        (_key, value, sum) => sum + value,
        { name: 'sums', keySerde: text, valueSerde: number },
      )
      .toStream()
      .flatMapValues((sum) => [sum, sum + 0.5])
      .peek((_key, value) => {
        if (value === 3.5 && attempts++ === 0) throw new Error('half-way');
      })
      .to('out', { keySerde: text, valueSerde: number });
    broker.produce('in', 0, [
      { key: 'a', value: '1', timestamp: 1 },
      { key: 'a', value: '2', timestamp: 2 },
      { key: 'a', value: '4', timestamp: 3 },
    ]);
    await runToEnd(broker, builder.build(), { exceptionHandlers: { processing: logAndContinue } });
    const outputs = [...broker.records('out', 0), ...broker.records('out', 1)].map(({ value }) => value);
    expect(outputs).toEqual(['1', '1.5', '5', '5.5']);
  });

  it('takes records of a task in timestamp order over its partitions', async () => {
    broker.createTopic('left', 1);
    broker.createTopic('right', 1);
    broker.createTopic('merged', 1);
    const builder = new StreamsBuilder();
    const left = builder.stream<string, number>('left', { keySerde: text, valueSerde: number });
    const right = builder.stream<string, number>('right', { keySerde: text, valueSerde: number });
    left.merge(right).to('merged', { keySerde: text, valueSerde: number });
    broker.produce(
      'left',
      0,
      [1, 4, 5, 9].map((t) => ({ key: 'k', value: String(t), timestamp: t })),
    );
    broker.produce(
      'right',
      0,
      [2, 3, 6, 7, 8].map((t) => ({ key: 'k', value: String(t), timestamp: t })),
    );
    await runToEnd(broker, builder.build());
    expect(broker.records('merged', 0).map(({ value }) => Number(value))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  it('joins a stream with a table whose earlier records came first', async () => {
    broker.createTopic('airports', 2);
    const builder = new StreamsBuilder();
    const table = builder.table<string, string>(
      'airports',
      { keySerde: text, valueSerde: text },
      { name: 'airports', keySerde: text, valueSerde: text },
    );
    builder
      .stream<string, number>('in', { keySerde: text, valueSerde: number })
      .join(table, (value, name) => `${name}:${value}`)
      .to('out', { keySerde: text, valueSerde: text });
    broker.produce('in', 0, [
      { key: 'a', value: '1', timestamp: 10 },
      { key: 'b', value: '2', timestamp: 11 },
    ]);
    broker.produce('airports', 0, [{ key: 'a', value: 'Aachen', timestamp: 1 }]);
    await runToEnd(broker, builder.build());
    expect(latestByKey(broker, 'out')).toEqual(new Map([['a', 'Aachen:1']]));
  });

  it('repartitions by a new key and counts there', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, number>('in', { keySerde: text, valueSerde: number })
      .groupBy((_key, value) => `v${value % 3}`, { name: 'by-value', keySerde: text, valueSerde: number })
      .count({ name: 'counts', keySerde: text, valueSerde: number })
      .toStream()
      .to('out', { keySerde: text, valueSerde: number });
    broker.produce(
      'in',
      0,
      Array.from({ length: 90 }, (_, i) => ({ key: 'k', value: String(i), timestamp: i })),
    );
    await runToEnd(broker, builder.build());
    expect(broker.logs.has('app-by-value-repartition')).toBe(true);
    expect(latestByKey(broker, 'out')).toEqual(
      new Map([
        ['v0', '30'],
        ['v1', '30'],
        ['v2', '30'],
      ]),
    );
  });

  it('reads state back that does not fit the cache', async () => {
    // An entry takes some 260 bytes; 6,000 of them a task are more than the least cache a task gets, 1 MiB.
    const keys = 12_000;
    const produceAll = (): void => {
      for (const partition of [0, 1]) {
        const records = [];
        for (let i = partition; i < keys; i += 2) records.push({ key: `key-${i}`, value: '1', timestamp: i });
        broker.produce('in', partition, records);
      }
    };
    const backend = createMemoryStateBackend({ survivesReopen: true });
    produceAll();
    await runToEnd(broker, sums(), { backend, cacheBytesMax: 1 });
    for (let round = 0; round < 4; round++) produceAll();
    await runToEnd(broker, sums(), { backend, cacheBytesMax: 1, commitIntervalMs: 1 });
    const latest = latestByKey(broker, 'out');
    expect(latest.size).toBe(keys);
    expect(new Set(latest.values())).toEqual(new Set(['5']));
  });

  it('refuses to start twice, and stops from CREATED without ever running', async () => {
    const runtime = createRuntime(broker, sums());
    await runtime.stop();
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
    await expect(runtime.start()).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });

  it('drains on stop: what was processed is committed', async () => {
    produceOnes(100);
    const runtime = createRuntime(broker, sums(), { until: 'stopped' });
    const states: string[] = [];
    runtime.lifecycle.onChange((state) => states.push(state));
    await runtime.start();
    while (broker.records('out', 0).length + broker.records('out', 1).length < 100) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await runtime.stop();
    expect(states).toEqual(['REBALANCING', 'RUNNING', 'PENDING_SHUTDOWN', 'NOT_RUNNING']);
    expect(broker.committed.get('in-0')!.offset).toBe(50);
  });
});
