// Specifies `startKafka` where there is no container: the fallback is a local broker, which a Nest service runs on.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { brokerAvailability } from '#libs/broker-local';
import { RecordProducer, Serdes, StreamsApplication, readTopic, silentLogger } from '#libs/millrace';
import { ExactlyOnceHandler, MillraceModule, getProducerToken } from '#libs/nestjs';
import type { HandlerOutput } from '#libs/nestjs';
import { startKafka } from '#libs/testing';
import type { KafkaFixture } from '#libs/testing';
import { uniqueName } from '../support/broker.ts';
import { createTopics } from '../support/topics.ts';

const text = Serdes.string();
const [whispers, shouts] = [uniqueName('whispers'), uniqueName('shouts')];
const { road } = await brokerAvailability();

@Injectable()
class Shout {
  @ExactlyOnceHandler(whispers, {
    valueSerde: text,
    outputs: { [shouts]: { keySerde: text, valueSerde: text } },
  })
  onWhisper(value: string): HandlerOutput {
    return { value: value.toUpperCase() };
  }
}

// Where no broker can be started, there is nothing to specify.
(road === undefined ? describe.skip : describe)('a fixture', () => {
  let fixture: KafkaFixture;
  beforeAll(async () => {
    fixture = await startKafka({ heapMegabytes: 256 });
  }, 300_000);
  afterAll(() => fixture.stop());

  it('is a broker that a service runs on: its producer, its handler, its output', async () => {
    const topics = [whispers, shouts].map((topic) => ({ topic, numPartitions: 1 }));
    await createTopics(fixture.brokers[0]!, topics);
    const module = await Test.createTestingModule({
      imports: [
        MillraceModule.forRoot({
          applicationId: uniqueName('shout'),
          kafka: fixture.kafka,
          state: 'memory',
          instanceId: 'one',
          logger: silentLogger,
        }),
      ],
      providers: [Shout],
    }).compile();
    await module.init();
    await module.get(StreamsApplication, { strict: false }).whenRunning();
    const producer = module.get<RecordProducer>(getProducerToken(), { strict: false });
    const serdes = { keySerde: text, valueSerde: text };
    await producer.send({ topic: whispers, ...serdes, records: [{ key: 'a', value: 'psst' }] });
    await producer.transaction(({ send }) =>
      send({ topic: whispers, ...serdes, records: [{ key: 'a', value: 'hey' }] }),
    );
    await expect(
      producer.transaction(async ({ send }) => {
        await send({ topic: whispers, ...serdes, records: [{ key: 'a', value: 'unheard' }] });
        throw new Error('never mind');
      }),
    ).rejects.toThrow('never mind');
    const heard: (string | null)[] = [];
    while (heard.length < 2) {
      heard.length = 0;
      for await (const { value } of readTopic({ kafka: fixture.kafka, topic: shouts, ...serdes }))
        heard.push(value);
    }
    await module.close();
    expect(heard).toEqual(['PSST', 'HEY']);
  }, 120_000);
});
