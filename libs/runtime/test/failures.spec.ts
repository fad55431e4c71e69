// Specifies what the runtime does around records that fail: what is committed meanwhile, what ends a wait, which topics there are, when a run is over.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { sleep, systemClock } from '#libs/core';
import { Serdes } from '#libs/serde';
import { Consumed, FailurePolicy, Named, Produced, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { RETRY_HEADERS } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { createRuntime, runToEnd } from './support.ts';

const text = Serdes.string();
let broker: InProcessBroker;

beforeEach(() => {
  broker = new InProcessBroker();
  broker.createTopic('in', 2);
  broker.createTopic('out', 1);
});

function failing(failurePolicy: FailurePolicy, fails: (value: string) => boolean): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', Consumed.with(text, text))
    .mapValues(
      (value) => {
        if (fails(value)) throw new Error(`${value} fails`);
        return value;
      },
      Named.as('map', { failurePolicy }),
    )
    .to('out', Produced.with(text, text));
  return builder.build();
}

function produce(partition: number, ...values: string[]): void {
  const records = values.map((value, i) => ({ key: 'k', value, timestamp: 1_000 + i }));
  broker.produce('in', partition, records);
}

const outputs = (): (string | null)[] => broker.records('out', 0).map(({ value }) => value);

async function until(is: () => boolean): Promise<void> {
  while (!is()) await sleep(systemClock, 5);
}

describe('a record that waits in place', () => {
  const patient = FailurePolicy.retry({ attempts: 9, backoff: '1 h', backoffMax: '1 h' });

  it('lets what was done before be committed, and a stop ends the wait at once', async () => {
    produce(0, 'a', 'b');
    produce(1, 'c');
    const runtime = createRuntime(
      broker,
      failing(patient, (value) => value === 'b'),
      { until: 'stopped' },
    );
    await runtime.start();
    await until(() => runtime.figures?.failures.waiting.length === 1 && outputs().length === 2);
    await until(() => broker.committed.get('in-0')?.offset === 1);
    expect(runtime.figures!.failures).toMatchObject({ retriedInPlace: 1, waiting: ['0_0'] });
    expect(runtime.figures!.uncommitted).toBe(false);
    await runtime.stop();
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
    expect(broker.committed.get('in-0')!.offset).toBe(1);
    // The function is mended: nothing of the wait is left.
    await runToEnd(
      broker,
      failing(patient, () => false),
    );
    expect(outputs().sort()).toEqual(['a', 'b', 'c']);
  });

  it('is given up when no try could begin in time', async () => {
    produce(0, 'a', 'b');
    const policy = FailurePolicy.retry({
      attempts: 99,
      backoff: '1 h',
      backoffMax: '1 h',
      maxMs: '1 min',
      then: FailurePolicy.skip(),
    });
    const runtime = await runToEnd(
      broker,
      failing(policy, (value) => value === 'a'),
    );
    expect(outputs()).toEqual(['b']);
    expect(runtime.figures!.failures).toMatchObject({ retriedInPlace: 0, skipped: 1 });
  });
});

describe('retry topics', () => {
  const policy = FailurePolicy.retryTopics({ delays: [40, 20] });

  it('are made like the source they are of, for records of any age', async () => {
    await runToEnd(
      broker,
      failing(policy, () => false),
    );
    for (const topic of ['app-in-retry-1', 'app-in-retry-2']) {
      expect(broker.logs.get(topic)).toHaveLength(2);
      expect(broker.configs.get(topic)).toMatchObject({ 'cleanup.policy': 'delete', 'retention.ms': '-1' });
    }
  });

  it('are waited for by a run that ends with its input', async () => {
    produce(0, 'a', 'b');
    produce(1, 'c');
    const tries = new Map<string, number>();
    const topology = failing(policy, (value) => {
      tries.set(value, (tries.get(value) ?? 0) + 1);
      return value === 'b' && tries.get(value)! <= 2;
    });
    const runtime = await runToEnd(broker, topology);
    expect(outputs().at(-1)).toBe('b');
    expect(outputs()).toHaveLength(3);
    expect(runtime.figures!.failures).toMatchObject({
      sentToRetryTopics: 2,
      takenFromRetryTopics: 2,
      deadLettered: 0,
      skipped: 0,
      delayed: [],
    });
  });

  it('say when they go on', async () => {
    produce(1, 'a');
    const hour = FailurePolicy.retryTopics({ delays: ['1 h'] });
    const runtime = createRuntime(
      broker,
      failing(hour, () => true),
      { until: 'stopped' },
    );
    await runtime.start();
    await until(() => (runtime.figures?.failures.delayed.length ?? 0) > 0);
    const [{ topic, partition, dueAt }] = runtime.figures!.failures.delayed as [
      { topic: string; partition: number; dueAt: number },
    ];
    expect([topic, partition]).toEqual(['app-in-retry-1', 1]);
    expect(dueAt - systemClock.now()).toBeGreaterThan(3_000_000);
    expect(runtime.figures!.uncommitted).toBe(false);
    await runtime.stop();
  });

  it('hold no record for longer than their delay, whatever its headers say', async () => {
    await runToEnd(
      broker,
      failing(policy, () => false),
    );
    const year = String(systemClock.now() + 365 * 86_400_000);
    const header = (value: string) => [{ key: RETRY_HEADERS.notBefore, value: Buffer.from(value) }];
    const record = { key: 'k', timestamp: 5 };
    broker.produce('app-in-retry-1', 0, [
      { ...record, value: 'of a wrong clock', headers: header(year) },
      { ...record, value: 'of nonsense', headers: header('soon') },
      { ...record, value: 'of somebody else' },
    ]);
    await runToEnd(
      broker,
      failing(policy, () => false),
    );
    expect(outputs()).toEqual(['of a wrong clock', 'of nonsense', 'of somebody else']);
  });
});

it('refuses to start without a dead-letter topic that a policy names', async () => {
  const topology = failing(FailurePolicy.deadLetter('nowhere'), () => false);
  await expect(runToEnd(broker, topology)).rejects.toMatchObject({
    code: 'MILLRACE_TOPIC_MISSING',
    message: expect.stringContaining('nowhere'),
  });
});
