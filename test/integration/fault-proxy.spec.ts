import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';

import { describeWithBroker, ownTestBrokerOptions, uniqueName } from '../support/broker.ts';
import { readPlain } from '../support/java-reader.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy } from '../support/proxy.ts';
import { createTopics } from '../support/topics.ts';

describeWithBroker(
  'the fault proxy',
  (broker) => {
    let proxy: FaultProxy;
    beforeAll(async () => {
      proxy = await startFaultProxy(broker());
    });
    afterEach(() => proxy.heal());
    afterAll(() => proxy.close());

    const client = (requestTimeout = 1_000, retries = 3): Kafka =>
      new Kafka({
        clientId: uniqueName('client'),
        brokers: [proxy.address],
        logLevel: logLevel.NOTHING,
        requestTimeout,
        retry: { retries, initialRetryTime: 20 },
      });

    async function topicWithOnePartition(): Promise<string> {
      const topic = uniqueName('proxied');
      await createTopics(broker().endpoints.plaintext, [{ topic, numPartitions: 1 }]);
      return topic;
    }

    /** Values the broker holds, read past the proxy by a reader that is not ours. */
    async function valuesOf(topic: string): Promise<(string | null)[]> {
      return (await readPlain(broker(), topic)).map(({ value }) => value);
    }

    it('is all of the cluster that a client sees', async () => {
      const topic = await topicWithOnePartition();
      const admin = client(30_000).admin();
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      await admin.disconnect();
      expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual([proxy.address]);
      const producer = client(30_000).producer();
      await producer.connect();
      const before = proxy.seen('Produce');
      await producer.send({ topic, messages: [{ value: 'passes' }] });
      await producer.disconnect();
      expect(proxy.seen('Produce')).toBe(before + 1);
      expect(await valuesOf(topic)).toEqual(['passes']);
    }, 60_000);

    it('drops a request that the broker then never sees', async () => {
      const topic = await topicWithOnePartition();
      const producer = client(500, 0).producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ value: 'first' }] });
      const fault = proxy.fault({ api: 'Produce', on: 'request', action: 'drop' });
      await expect(producer.send({ topic, messages: [{ value: 'lost' }] })).rejects.toThrow();
      expect(fault.hits).toBe(1);
      await producer.disconnect();
      expect(await valuesOf(topic)).toEqual(['first']);
    }, 60_000);

    it.each(['drop', 'cut'] as const)(
      'loses the answer (%s) to a request that the broker has applied',
      async (action) => {
        const topic = await topicWithOnePartition();
        const producer = client(500).producer();
        await producer.connect();
        const fault = proxy.fault({ api: 'Produce', on: 'answer', action });
        await producer.send({ topic, messages: [{ value: 'twice' }] });
        await producer.disconnect();
        expect(fault.hits).toBe(1);
        // This producer is not idempotent: its retry shows that the first attempt had arrived.
        expect(await valuesOf(topic)).toEqual(['twice', 'twice']);
      },
      60_000,
    );

    it('delivers a held request late, after its client has gone', async () => {
      const topic = await topicWithOnePartition();
      const producer = client(500, 0).producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ value: 'before' }] });
      const fault = proxy.fault({ api: 'Produce', on: 'request', action: 'hold' });
      const sending = producer.send({ topic, messages: [{ value: 'late' }] });
      await fault.hit();
      await expect(sending).rejects.toThrow();
      await producer.disconnect();
      expect(await valuesOf(topic)).toEqual(['before']);
      fault.release();
      let values = await valuesOf(topic);
      while (values.length < 2) values = await valuesOf(topic);
      expect(values).toEqual(['before', 'late']);
    }, 60_000);

    it('holds an answer until it is released', async () => {
      const topic = await topicWithOnePartition();
      const producer = client(30_000).producer();
      await producer.connect();
      const fault = proxy.fault({ api: 'Produce', on: 'answer', action: 'hold' });
      let done = false;
      const sending = producer.send({ topic, messages: [{ value: 'slow' }] }).then(() => {
        done = true;
      });
      await fault.hit();
      expect(await valuesOf(topic)).toEqual(['slow']);
      expect(done).toBe(false);
      fault.release();
      await sending;
      await producer.disconnect();
    }, 60_000);

    it('picks the nth request that its condition holds for', async () => {
      const topic = await topicWithOnePartition();
      const producer = client(500, 0).producer();
      await producer.connect();
      const fault = proxy.fault({
        api: 'Produce',
        on: 'request',
        action: 'cut',
        skip: 1,
        when: (_request, body) => body.includes('marked'),
      });
      await producer.send({ topic, messages: [{ value: 'marked 1' }] });
      await producer.send({ topic, messages: [{ value: 'plain' }] });
      await expect(producer.send({ topic, messages: [{ value: 'marked 2' }] })).rejects.toThrow();
      expect(fault.hits).toBe(1);
      await producer.disconnect();
      expect(await valuesOf(topic)).toEqual(['marked 1', 'plain']);
    }, 60_000);

    it.each(['refuse', 'silence'] as const)(
      'cuts the network (%s) and heals it',
      async (mode) => {
        const topic = await topicWithOnePartition();
        const producer = client(500, 0).producer();
        await producer.connect();
        await producer.send({ topic, messages: [{ value: 'before' }] });
        proxy.sever(mode);
        await expect(producer.send({ topic, messages: [{ value: 'during' }] })).rejects.toThrow();
        proxy.heal();
        const after = client(30_000).producer();
        await after.connect();
        await after.send({ topic, messages: [{ value: 'after' }] });
        await after.disconnect();
        await producer.disconnect();
        const values = await valuesOf(topic);
        expect(values[0]).toBe('before');
        expect(values).toContain('after');
      },
      60_000,
    );
  },
  ownTestBrokerOptions(),
);
