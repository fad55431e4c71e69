import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Materialized,
  Produced,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
} from '../src/index.ts';
import { readTopic, silentLogger } from '../src/index.ts';
import type { StreamsApplicationOptions } from '../src/index.ts';

const text = Serdes.string();
const number = Serdes.json<number>();

function sums(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .groupByKey()
    .reduce((sum, value) => sum + value, Materialized.as('sums'))
    .toStream()
    .to('sums', Produced.with(text, number));
  return builder;
}

function application(
  options: Pick<StreamsApplicationOptions, 'kafka'> & Partial<StreamsApplicationOptions>,
): StreamsApplication {
  return new StreamsApplication({
    applicationId: 'sums',
    topology: sums,
    state: 'memory',
    instanceId: 'one',
    logger: silentLogger,
    ...options,
  });
}

function clusterWithOrders(): SimulatedKafka {
  const kafka = new SimulatedKafka();
  kafka.createTopic('orders', 3);
  kafka.createTopic('sums', 3);
  kafka.publish('orders', [
    { key: 'ann', value: '1', timestamp: 5 },
    { key: 'bob', value: '2' },
    { key: 'ann', value: '3', headers: [{ key: 'trace', value: Buffer.from('x') }] },
  ]);
  return kafka;
}

async function latest(kafka: SimulatedKafka): Promise<Record<string, number | null>> {
  const records = readTopic({ kafka, topic: 'sums', keySerde: text, valueSerde: number });
  const newest: Record<string, number | null> = {};
  for await (const { key, value } of records) newest[key!] = value;
  return newest;
}

describe('SimulatedKafka', () => {
  it('stands in for brokers: an application runs on it and its topics can be read', async () => {
    const kafka = clusterWithOrders();
    expect(kafka.lag('sums', ['orders'])).toBe(3);
    const running = application({ kafka, until: 'latest' });
    await running.start();
    await running.whenEnded();
    expect(await latest(kafka)).toEqual({ ann: 4, bob: 2 });
    expect(kafka.lag('sums', ['orders'])).toBe(0);
  });

  it('kills a copy of an application, and another goes on from what it had committed', async () => {
    const kafka = clusterWithOrders();
    const host = kafka.host('one');
    const timeouts = { sessionTimeoutMs: 300, heartbeatIntervalMs: 100 };
    const first = application({ kafka: host.kafka, clock: host.clock, ...timeouts });
    await first.start();
    await first.whenRunning();
    while (kafka.lag('sums', ['orders']) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    host.kill();
    kafka.publish('orders', [{ key: 'ann', value: '10' }]);
    const second = application({ kafka, instanceId: 'two', until: 'latest', ...timeouts });
    await second.start();
    await second.whenEnded();
    expect(await latest(kafka)).toEqual({ ann: 14, bob: 2 });
  });

  it('refuses a topic that is not there', () => {
    expect(() => new SimulatedKafka().publish('orders', [{ key: 'ann', value: '1' }])).toThrow(
      'MILLRACE_REQUEST_FAILED',
    );
  });
});
