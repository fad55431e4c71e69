import { beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger, systemClock } from '#libs/core';
import { Serdes } from '#libs/serde';
import type { Serde } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import type { TaskPorts, Topology } from '#libs/topology';
import { StreamsRuntime, logAndContinue, resolveRuntimeConfig } from '../src/index.ts';
import type { RestoreProgress } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { encodeText, handMade } from './hand-made.ts';
import type { HandMade } from './hand-made.ts';
import { createRuntime, runToEnd } from './support.ts';

const number = Serdes.json<number>() as Serde<unknown>;
let broker: InProcessBroker;

beforeEach(() => {
  broker = new InProcessBroker();
  broker.createTopic('in', 1);
  broker.createTopic('out', 1);
  broker.createTopic('rates', 3);
});

const lookUp = (ports: TaskPorts): HandMade => {
  const rates = ports.globalStore('rates');
  return {
    process: (key, _value, timestamp) => {
      const rate = rates.get(encodeText(String(key)));
      const at = rates.timestampOf(encodeText(String(key)));
      ports.sink(0).send(key, rate === undefined ? 'none' : `${JSON.stringify(rate)}@${at}`, timestamp);
    },
  };
};

const topology = (): Topology =>
  handMade(lookUp, {
    globalStores: [{ name: 'rates', topic: 'rates', keySerde: Serdes.string(), valueSerde: number }],
  });

function rate(key: string | null, value: string | null, partition = 0): void {
  broker.produce('rates', partition, [{ key, value, timestamp: 7 }]);
}

function ask(...keys: string[]): void {
  broker.produce(
    'in',
    0,
    keys.map((key) => ({ key, value: '', timestamp: 100 })),
  );
}

const answers = (): (string | null)[] => broker.records('out', 0).map(({ value }) => value);

describe('a global store', () => {
  it('holds all partitions before the first record, without what was deleted or has no key', async () => {
    rate('EUR', '1');
    rate('EUR', '2', 0);
    rate('USD', '3', 1);
    rate('GBP', '4', 2);
    rate('GBP', null, 2);
    rate(null, '5', 2);
    ask('EUR', 'USD', 'GBP', 'CHF');
    await runToEnd(broker, topology());
    expect(answers()).toEqual(['2@7', '3@7', 'none', 'none']);
  });

  it('follows its topic while the application runs', async () => {
    const runtime = createRuntime(broker, topology(), { until: 'stopped' });
    await runtime.start();
    ask('EUR');
    await until(() => answers().length === 1);
    rate('EUR', '9');
    while (answers().at(-1) !== '9@7') {
      ask('EUR');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await runtime.stop();
    expect(answers()[0]).toBe('none');
  });

  it('keeps the value before one that cannot be decoded under the policy continue, and fails under fail', async () => {
    rate('EUR', '1');
    rate('EUR', 'not json');
    ask('EUR');
    const failing = createRuntime(broker, topology());
    await failing.start();
    await expect(failing.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_DESERIALIZATION_FAILED',
      context: { topic: 'rates', partition: 0, offset: 1, store: 'rates' },
    });
    await runToEnd(broker, topology(), { exceptionHandlers: { deserialization: logAndContinue } });
    expect(answers()).toEqual(['1@7']);
  });

  it('says how far it is, and the application is REBALANCING until it has caught up', async () => {
    for (let i = 0; i < 5; i++) rate(`k${i}`, String(i), i % 3);
    ask('k4');
    const told: (readonly [string, RestoreProgress, string])[] = [];
    const runtime: StreamsRuntime = new StreamsRuntime({
      topology: topology(),
      config: resolveRuntimeConfig({ applicationId: 'app', instanceId: 'one', until: 'latest' }),
      client: broker.client(),
      backend: createMemoryStateBackend(),
      checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
      clock: systemClock,
      logger: silentLogger,
      onRestore: (event, progress) => told.push([event, progress, runtime.lifecycle.state]),
    });
    await runtime.start();
    await runtime.whenEnded();
    expect(answers()).toEqual(['4@7']);
    expect(told.filter(([event]) => event === 'end')).toHaveLength(3);
    expect(told.every(([, { taskId, store }]) => taskId === 'global' && store === 'rates')).toBe(true);
    expect(new Set(told.map(([, , state]) => state))).toEqual(new Set(['REBALANCING']));
  });

  it('refuses to start without its topic', async () => {
    broker.logs.delete('rates');
    const runtime = createRuntime(broker, topology());
    await expect(runtime.start()).rejects.toThrow('rates');
    expect(runtime.lifecycle.state).toBe('ERROR');
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
