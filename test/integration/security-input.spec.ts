// Specifies what a whole application does with an input that means harm, on a real broker: batches that unfold to far more than they are, and
// records that would reach prototypes or run out of stack.
import { afterAll, afterEach, beforeEach, expect, it } from '@jest/globals';
import { RecordBatchEncoder, compressBatch, stampBatch } from '#libs/broker';
import type { CompressionType } from '#libs/broker';
import { silentLogger, sleep, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import {
  Consumed,
  FailurePolicy,
  Serdes,
  StreamsApplication,
  StreamsBuilder,
  peekDeadLetters,
} from '#libs/millrace';
import type { KafkaConfig } from '#libs/millrace';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { SecurityOfficer } from '../support/secured-application.ts';

const MEBIBYTE = 1024 * 1024;

describeWithBroker('an input that means harm', (broker) => {
  const officer = new SecurityOfficer(broker);
  let [input, output, dead, applicationId] = ['', '', '', ''];
  let application: StreamsApplication | null = null;

  beforeEach(async () => {
    [input, output, dead, applicationId] = ['in', 'out', 'dead', 'app'].map(uniqueName) as [
      string,
      string,
      string,
      string,
    ];
    await officer.createTopics(input, output, dead);
  });
  afterEach(() => application?.stop());
  afterAll(() => officer.close());

  async function start<T extends NonNullable<unknown>>(
    valueSerde: Parameters<typeof Consumed.with<string, T>>[1],
    outputOf: (value: T) => NonNullable<unknown>,
    kafka: Partial<KafkaConfig> = {},
  ): Promise<StreamsApplication> {
    const builder = new StreamsBuilder();
    const text = Serdes.string();
    builder
      .stream<string, T>(
        input,
        Consumed.with(text, valueSerde, { failurePolicy: FailurePolicy.deadLetter(dead) }),
      )
      .mapValues((value) => outputOf(value))
      .to(output, { keySerde: text, valueSerde: Serdes.json<NonNullable<unknown>>() });
    application = new StreamsApplication({
      applicationId,
      instanceId: 'one',
      kafka: { brokers: [...broker().bootstrapServers], ...kafka },
      topology: builder,
      state: 'memory',
      commitIntervalMs: 50,
      logger: silentLogger,
    });
    await application.start();
    return application;
  }

  /** Batches of one record each, all alike, as a producer would that compresses. */
  async function produceFolded(type: CompressionType, bytes: number, count: number): Promise<void> {
    const rpc = createKafkaRpc(
      { brokers: broker().bootstrapServers },
      { clock: systemClock, logger: silentLogger },
    );
    try {
      const { brokers } = await rpc.call('bootstrap', 'Metadata', { topics: [] });
      rpc.learnNodes(brokers);
      const encoder = new RecordBatchEncoder();
      encoder.append(systemClock.now(), 'k' as BinaryString, 'x'.repeat(bytes) as BinaryString);
      const batch = compressBatch(encoder.finish()!, type);
      expect(batch.bytes.length).toBeLessThan(bytes / 50);
      stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
      for (let written = 0; written < count; written++) {
        const { topics } = await rpc.call(brokers[0]!.nodeId, 'Produce', {
          transactionalId: null,
          acks: -1,
          timeoutMs: 30_000,
          transactionVersion2: false,
          topics: [{ name: input, partitions: [{ partition: 0, records: [batch.bytes] }] }],
        });
        expect(topics[0]!.partitions[0]!.errorCode).toBe(0);
      }
    } finally {
      await rpc.close();
    }
  }

  const has = async (topic: string, records: number): Promise<boolean> =>
    (await officer.end(topic)).high > records;

  it('is unfolded a part at a time, so that it takes memory for no more than that', async () => {
    // Less than a fetch brings, and more than half a gigabyte unfolded.
    const count = 200;
    await produceFolded('zstd', 3 * MEBIBYTE, count);
    expect((await officer.end(input)).high).toBe(count);
    let peak = 0;
    const base = process.memoryUsage().rss;
    const running = await start(Serdes.string(), (value) => {
      peak = Math.max(peak, process.memoryUsage().rss - base);
      return value.length;
    });
    while (!(await has(output, count))) {
      if (running.error !== null) throw running.error;
      await sleep(systemClock, 20);
    }
    expect(peak).toBeLessThan(400 * MEBIBYTE);
  });

  it.each(['gzip', 'lz4', 'zstd'] as const)(
    'stops it by a %s batch beyond the limit, by its place and the option',
    async (type) => {
      await officer.produce(input, ['good']);
      await produceFolded(type, 24 * MEBIBYTE, 1);
      const running = await start(Serdes.string(), (value) => value, { maxDecompressedBytes: 16 * MEBIBYTE });
      while (running.error === null) await sleep(systemClock, 20);
      expect(running.error).toMatchObject({
        code: 'MILLRACE_BATCH_TOO_LARGE',
        message: expect.stringMatching(/16777216 bytes.*kafka\.maxDecompressedBytes/),
        context: { topic: input, partition: 0 },
      });
    },
  );

  it('goes to the dead letters where it would reach prototypes or run out of stack, and the rest is processed', async () => {
    const hostile = [
      '{"a":{"__proto__":{"admin":true}}}',
      '{"\\u005f_proto__":{"admin":true}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
      '{"a":1',
      '\u0000',
    ];
    const harmless = ['{"a":1}', '{"constructor":"Ferrari"}', '{"a":1}', '{"a":1}'];
    await officer.produce(input, [...harmless, ...hostile, ...harmless]);
    const running = await start(Serdes.json<Record<string, unknown>>(), (value) => Object.assign({}, value));
    while (!(await has(output, 2 * harmless.length)) || !(await has(dead, hostile.length))) {
      if (running.error !== null) throw running.error;
      await sleep(systemClock, 20);
    }
    expect(running.state).toBe('RUNNING');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    const kafka = { brokers: [...broker().bootstrapServers] };
    const letters = await peekDeadLetters({ kafka, applicationId, topic: dead, limit: 100 });
    expect(letters.map(({ code }) => code)).toEqual(hostile.map(() => 'MILLRACE_DESERIALIZATION_FAILED'));
  });
});
