// Specifies what becomes of an application whose input is not what it was: cut off, grown, aborted, or of another schema.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { formatTopicPartition, sleep, systemClock } from '#libs/core';
import { Consumed, Produced, SchemaRegistryClient, Serdes, StreamsBuilder } from '#libs/millrace';
import { createTopic, publish, runToEnd, textsOf } from '../../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../../support/broker.ts';
import { failureOf, freshRuns } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';
import { startFaultProxy } from '../../support/proxy.ts';
import { KEYS, PARTITIONS } from '../../support/sums-input.ts';

describeWithBroker('an input', (broker) => {
  let run: FaultRun;
  freshRuns(broker, (given) => {
    run = given;
  });

  const kafka = (): Kafka =>
    new Kafka({ clientId: 'spec', brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });

  async function deleteAll(topic: string): Promise<void> {
    const ends = await run.client.admin.offsets(run.partitionsOf(topic), 'latest', 'read_uncommitted');
    const before = run.partitionsOf(topic).map((place) => ({
      ...place,
      offset: ends.get(formatTopicPartition(place.topic, place.partition))!,
    }));
    await run.client.admin.deleteRecords(before);
  }

  it('whose next records were deleted while it stood still stops it with a code', async () => {
    const first = await run.start();
    await run.more(500);
    await run.committed(first);
    await first.close();
    await run.more(500);
    await deleteAll(run.input);
    const second = await run.start();
    expect(await failureOf(second)).toMatchObject({
      code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
      context: { topic: run.input },
    });
    await second.close();
    run.count = 500;
    await run.check();
  });

  it('whose next records were deleted while it runs stops it with a code', async () => {
    const proxy = await startFaultProxy(broker());
    try {
      const application = await run.start({ brokers: [proxy.address] });
      await run.more(500);
      await run.committed(application);
      const held = proxy.fault({ api: 'Fetch', on: 'request', action: 'hold', times: Infinity });
      await held.hit();
      await sleep(systemClock, 200);
      await run.more(500);
      await deleteAll(run.input);
      held.release();
      expect(await failureOf(application)).toMatchObject({ code: 'MILLRACE_OFFSET_OUT_OF_RANGE' });
      await application.close();
      run.count = 500;
      await run.check();
    } finally {
      await proxy.close();
    }
  });

  it('that got more partitions while it is read stops the application with a code, and is not read halfway', async () => {
    const application = await run.start({ metadataMaxAgeMs: 200 });
    await run.more(500);
    await run.committed(application);
    const admin = kafka().admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic: run.input, count: PARTITIONS + 2 }] });
    await admin.disconnect();
    expect(await failureOf(application)).toMatchObject({
      code: 'MILLRACE_PARTITIONS_MISMATCH',
      message: expect.stringContaining(`"${run.input}" had ${PARTITIONS} and has ${PARTITIONS + 2}`),
    });
    await application.close();
    await run.check();
    // State that was kept under the old partitioning is not gone on with.
    await expect(run.start()).rejects.toMatchObject({ code: 'MILLRACE_INTERNAL_TOPIC_INVALID' });
  });

  it('of interleaved and aborted transactions is taken as far as it was committed', async () => {
    const application = await run.start();
    const writers = await Promise.all(
      ['red', 'blue', 'grey'].map(async (name) => {
        const producer = kafka().producer({
          createPartitioner: Partitioners.DefaultPartitioner,
          idempotent: true,
          maxInFlightRequests: 1,
          transactionalId: `${run.applicationId}-upstream-${name}`,
        });
        await producer.connect();
        return producer;
      }),
    );
    const plain = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await plain.connect();
    const junk = (from: number) =>
      Array.from({ length: 40 }, (_, i) => ({ key: `k${(from + i) % KEYS}`, value: '1000000' }));
    // Keys of four zero bytes are data like any other; here they are aborted.
    const zeroes = [{ key: Buffer.alloc(4), value: '1' }];
    const good = (count: number) => {
      const messages = Array.from({ length: count }, (_, i) => {
        const number = run.count + i;
        return { key: `k${number % KEYS}`, value: String(number) };
      });
      run.count += count;
      return messages;
    };
    for (let round = 0; round < 5; round++) {
      const [red, blue, grey] = await Promise.all(writers.map((writer) => writer.transaction()));
      await red!.send({ topic: run.input, messages: junk(round) });
      await blue!.send({ topic: run.input, messages: good(50) });
      await grey!.send({ topic: run.input, messages: [...zeroes, ...junk(round + 7)] });
      await red!.send({ topic: run.input, messages: junk(round + 20) });
      // Committed first and aborted last, and the other way about.
      if (round % 2 === 0) {
        await blue!.commit();
        await Promise.all([red!.abort(), grey!.abort()]);
      } else {
        await Promise.all([red!.abort(), grey!.abort()]);
        await blue!.commit();
      }
      await plain.send({ topic: run.input, messages: good(50) });
    }
    for (const producer of [...writers, plain]) await producer.disconnect();
    // By output: offsets count what was aborted too.
    while ((await textsOf(broker(), run.output)).length < run.count && application.runtime.error === null)
      await sleep(systemClock, 100);
    await application.close();
    expect(application.runtime.error).toBeNull();
    await run.check();
  });
});

describeWithBroker('a schema registry', (broker) => {
  const schema = { type: 'record', name: 'Amount', fields: [{ name: 'amount', type: 'int' }] };
  let server: Server;
  let status: number;
  let asked: number;
  let answer: unknown;
  let host: string;

  beforeEach(async () => {
    status = 200;
    asked = 0;
    answer = schema;
    server = createServer((request, response) => {
      asked++;
      const schemaOf = request.url!.startsWith('/subjects') ? schema : answer;
      response.statusCode = status;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify(
          status === 200
            ? { id: 1, version: 1, schema: JSON.stringify(schemaOf) }
            : { error_code: status, message: 'down' },
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** One record in the registry's framing: a zero byte, the schema's id, Avro's encoding of 21. */
  async function prepare(): Promise<{
    readonly output: string;
    readonly run: () => ReturnType<typeof runToEnd>;
  }> {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopic(broker(), input);
    await createTopic(broker(), output);
    await publish(broker(), input, [{ key: 'a', value: Buffer.from([0, 0, 0, 0, 7, 42]) }]);
    const applicationId = uniqueName('app');
    return {
      output,
      run: () => {
        const registry = new SchemaRegistryClient({ host });
        const builder = new StreamsBuilder();
        builder
          .stream<string, { amount: number }>(
            input,
            Consumed.with(
              Serdes.string(),
              registry.avro<{ amount: number }>({ subject: 'amounts-value', schema }),
            ),
          )
          .mapValues(({ amount }) => String(amount))
          .to(output, Produced.with(Serdes.string(), Serdes.string()));
        return runToEnd({ applicationId, kafka: { brokers: broker().bootstrapServers }, topology: builder });
      },
    };
  }

  it('that is down is waited for, and no record is skipped meanwhile', async () => {
    const { output, run } = await prepare();
    status = 503;
    const running = run();
    while (asked < 3) await sleep(systemClock, 20);
    expect(await textsOf(broker(), output)).toEqual([]);
    status = 200;
    expect((await running).error).toBeNull();
    expect((await textsOf(broker(), output)).map(({ value }) => value)).toEqual(['21']);
  });

  it('with a schema that cannot be read into ours stops the application at that record', async () => {
    const { output, run } = await prepare();
    answer = { ...schema, fields: [{ name: 'other', type: 'string' }] };
    const { error } = await run();
    expect(error).toMatchObject({ code: 'MILLRACE_DESERIALIZATION_FAILED', context: { offset: 0 } });
    expect(await textsOf(broker(), output)).toEqual([]);
  });
});
