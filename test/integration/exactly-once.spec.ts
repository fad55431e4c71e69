import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { consumeWithJavaConsole } from '#libs/broker-local';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy, FaultRule } from '../support/proxy.ts';
import { startSums, sumsTopology } from '../support/sums-application.ts';
import type { SumsApplication } from '../support/sums-application.ts';

const RECORDS = 10_000;
const KEYS = 50;
const PARTITIONS = 3;

describeWithBroker('exactly once', (broker) => {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await startFaultProxy(broker());
  });
  afterEach(() => proxy.heal());
  afterAll(() => proxy.close());

  const kafka = (): Kafka =>
    new Kafka({ clientId: 'spec', brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });

  async function createTopics(...topics: string[]): Promise<void> {
    const admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: PARTITIONS })) });
    await admin.disconnect();
  }

  /** Record i: key `k<i % KEYS>`, value i. */
  async function produce(topic: string, from: number, count: number): Promise<void> {
    const producer = kafka().producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: true,
    });
    await producer.connect();
    for (let start = from; start < from + count; start += 2_000) {
      const messages = [];
      for (let i = start; i < Math.min(start + 2_000, from + count); i++) {
        messages.push({ key: `k${i % KEYS}`, value: String(i), timestamp: String(1_700_000_000_000 + i) });
      }
      await producer.send({ topic, messages });
    }
    await producer.disconnect();
  }

  /** By Kafka's own consumer: every update of every key once and in order, equal to a running sum of the input. */
  async function checkOutput(topic: string, count: number): Promise<void> {
    const records = await consumeWithJavaConsole(broker(), topic, { timeoutMs: 4_000 });
    expect(records.length).toBe(count);
    const updates = new Map<string, number[]>();
    for (const { key, value } of records) {
      const list = updates.get(key!) ?? [];
      list.push(Number(value));
      updates.set(key!, list);
    }
    const expected = new Map<string, number[]>();
    for (let i = 0; i < count; i++) {
      const list = expected.get(`k${i % KEYS}`) ?? [];
      list.push((list.at(-1) ?? 0) + i);
      expected.set(`k${i % KEYS}`, list);
    }
    expect(updates).toEqual(expected);
  }

  it('processes a backlog to its end', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(input, output);
    await produce(input, 0, RECORDS);
    const application = await startSums(sumsTopology(input, output), {
      applicationId,
      brokers: broker().bootstrapServers,
      until: 'latest',
    });
    await application.runtime.whenEnded();
    await application.close();
    await checkOutput(output, RECORDS);
  });

  it.each<[string, FaultRule]>([
    ['an answer to Produce is lost', { api: 'Produce', on: 'answer', action: 'drop', skip: 3 }],
    ['a connection breaks with a Produce under way', { api: 'Produce', on: 'answer', action: 'cut', skip: 5 }],
    ['a Produce request is lost', { api: 'Produce', on: 'request', action: 'cut', skip: 4 }],
    ['an answer to TxnOffsetCommit is lost', { api: 'TxnOffsetCommit', on: 'answer', action: 'drop', skip: 2 }],
    ['an answer to EndTxn is lost', { api: 'EndTxn', on: 'answer', action: 'drop', skip: 2 }],
    ['a connection breaks with an EndTxn under way', { api: 'EndTxn', on: 'answer', action: 'cut', skip: 3 }],
    ['an EndTxn request is lost', { api: 'EndTxn', on: 'request', action: 'cut', skip: 3 }],
    ['Fetch answers are cut off', { api: 'Fetch', on: 'answer', action: 'cut', skip: 2, times: 3 }],
  ])('loses and doubles nothing when %s', async (_what, rule) => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(input, output);
    await produce(input, 0, RECORDS / 2);
    const fault = proxy.fault(rule);
    const application = await startSums(sumsTopology(input, output), {
      applicationId,
      brokers: [proxy.address],
      requestTimeoutMs: 1_500,
      commitIntervalMs: 20,
    });
    // In small pieces, so that there are many epochs for the fault to fall into, and some after it.
    let count = RECORDS / 2;
    while (count < RECORDS || (fault.hits === 0 && count < 4 * RECORDS)) {
      await produce(input, count, 250);
      count += 250;
    }
    await committed(application, applicationId, input, count);
    await application.close();
    expect(fault.hits).toBeGreaterThan(0);
    await checkOutput(output, count);
  });
});

/** Resolves when the group's committed offsets of the topic add up to `count`. */
async function committed(
  application: SumsApplication,
  applicationId: string,
  topic: string,
  count: number,
): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  for (;;) {
    if (application.runtime.error !== null) throw application.runtime.error;
    const offsets = await application.client.admin.committedOffsets(applicationId, partitions);
    let sum = 0;
    for (const { offset } of offsets.values()) sum += offset;
    if (sum === count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
