// Specifies that local state is never taken for that of a changelog it does not go back to: offsets alone cannot tell.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { Consumed, Materialized, Produced, Serdes, StreamsBuilder } from '#libs/millrace';
import { createTopic, publish, runToEnd, textsOf } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';

const text = Serdes.string();
const number = Serdes.json<number>();

describeWithBroker('state whose changelog was deleted and created again', (broker) => {
  it('is set aside, though its offsets fit the new topic', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    const stateDir = await mkdtemp(join(tmpdir(), 'millrace-recreated-'));
    await createTopic(broker(), input);
    await createTopic(broker(), output);
    const builder = new StreamsBuilder();
    builder
      .stream<string, number>(input, Consumed.with(text, number))
      .groupByKey()
      .aggregate(
        () => 0,
        (_key, value, sum) => sum + value,
        Materialized.as('sums', { keySerde: text, valueSerde: number }),
      )
      .toStream()
      .to(output, Produced.with(text, number));
    const options = {
      applicationId,
      kafka: { brokers: broker().bootstrapServers },
      topology: builder,
      stateDir,
      state: 'rocksdb',
    } as const;
    await publish(broker(), input, [
      { key: 'b', value: '1' },
      { key: 'a', value: '1' },
    ]);
    expect((await runToEnd(options)).error).toBeNull();

    // Somebody resets the application, but not this machine's disk; another copy computes everything anew meanwhile.
    const kafka = new Kafka({ brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [`${applicationId}-sums-changelog`] });
    await admin.deleteGroups([applicationId]);
    await admin.disconnect();
    await publish(broker(), input, [{ key: 'b', value: '100' }]);
    const elsewhere = { ...options, state: 'memory', stateDir: undefined, instanceId: 'elsewhere' } as never;
    expect((await runToEnd(elsewhere)).error).toBeNull();
    await publish(broker(), input, [{ key: 'a', value: '10' }]);
    expect((await runToEnd(elsewhere)).error).toBeNull();

    // What the disk has of the first topic ends behind the place where the second one has its newest `b`.
    await publish(broker(), input, [{ key: 'b', value: '1000' }]);
    expect((await runToEnd(options)).error).toBeNull();
    expect((await textsOf(broker(), output)).at(-1)).toMatchObject({ key: 'b', value: '1101' });
    await rm(stateDir, { recursive: true, force: true });
  });
});
