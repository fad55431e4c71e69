// Specifies @InjectProducer(): a producer on the application's cluster, closed after everything that may publish; and what a test sees of it.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { RecordProducer, Serdes, SimulatedKafka, StreamsApplication, readTopic } from '#libs/millrace';
import { InjectProducer, MillraceModule, getProducerToken } from '#libs/nestjs';
import { MillraceTestingModule, RecordedProducer } from '../src/testing/index.ts';
import { FakeApplication, silentNestLogger } from './fake-application.ts';

const text = Serdes.string();

@Injectable()
class Orders {
  constructor(@InjectProducer() private readonly producer: RecordProducer) {}

  async place(id: string): Promise<void> {
    await this.producer.send({
      topic: 'orders',
      keySerde: text,
      valueSerde: text,
      records: [{ key: id, value: 'placed' }],
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.place('last');
  }
}

describe('an injected producer', () => {
  it('publishes to the application’s cluster until everything else has ended', async () => {
    const kafka = new SimulatedKafka();
    kafka.createTopic('orders');
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot({ applicationId: 'orders', kafka })],
      providers: [Orders],
    })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue(new FakeApplication())
      .compile();
    await module.init();
    const orders = module.get(Orders);
    await orders.place('first');
    await module.close();
    const keys: (string | null)[] = [];
    for await (const { key } of readTopic({ kafka, topic: 'orders', keySerde: text, valueSerde: text }))
      keys.push(key);
    expect(keys).toEqual(['first', 'last']);
    await expect(orders.place('late')).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });

  it('records in a test what was published', async () => {
    const builder = Test.createTestingModule({
      imports: [MillraceModule.forRoot({ applicationId: 'orders', kafka: { brokers: ['localhost:1'] } })],
      providers: [Orders],
    }).setLogger(silentNestLogger);
    const module = await MillraceTestingModule.override(builder).compile();
    await module.get(Orders).place('one');
    const producer = module.get<RecordedProducer>(getProducerToken(), { strict: false });
    expect(producer.records).toEqual([{ topic: 'orders', key: 'one', value: 'placed' }]);
    await expect(
      producer.transaction(async ({ send }) => {
        await send({
          topic: 'orders',
          keySerde: text,
          valueSerde: text,
          records: [{ key: 'no', value: 'no' }],
        });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(producer.records).toHaveLength(1);
  });
});
