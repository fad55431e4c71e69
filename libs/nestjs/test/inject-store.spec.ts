// Specifies @InjectStore() on an application that runs on a simulated cluster: the handle is there from the start, and answers once it runs.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Materialized,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  TimeWindows,
  silentLogger,
} from '#libs/millrace';
import type { QueryableStore, QueryableWindowStore, StreamsBuilder } from '#libs/millrace';
import { InjectStore, MillraceModule, Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import { MillraceTestingModule, getTestDriver } from '../src/testing/index.ts';
import { silentNestLogger } from './fake-application.ts';

const text = Serdes.string();

@Topology()
class Counts implements TopologyClass {
  build(builder: StreamsBuilder): void {
    const words = builder.stream('words', Consumed.with(text, text)).groupByKey();
    words.count(Materialized.as('counts'));
    words.windowedBy(TimeWindows.ofSizeWithNoGrace(1_000)).count(Materialized.as('per-second'));
  }
}

@Injectable()
class Reader {
  constructor(
    @InjectStore('counts') readonly counts: QueryableStore<string, number>,
    @InjectStore('per-second') readonly perSecond: QueryableWindowStore<string, number>,
  ) {}
}

const feature = MillraceModule.forFeature({
  topologies: [Counts],
  stores: ['counts', { name: 'per-second', kind: 'window' }],
});

describe('an injected store', () => {
  it('says that nothing runs yet, and then what is committed', async () => {
    const kafka = new SimulatedKafka();
    kafka.createTopic('words', 2);
    const module = await Test.createTestingModule({
      imports: [
        MillraceModule.forRoot({
          applicationId: 'counts',
          kafka,
          state: 'memory',
          instanceId: 'one',
          logger: silentLogger,
        }),
        feature,
      ],
      providers: [Reader],
    })
      .setLogger(silentNestLogger)
      .compile();
    const { counts, perSecond } = module.get(Reader);
    await expect(counts.get('a')).rejects.toMatchObject({ name: 'StoreQueryError' });
    await module.init();
    await module.get(StreamsApplication, { strict: false }).whenRunning();
    kafka.publish('words', [
      { key: 'a', value: 'x', timestamp: 10 },
      { key: 'a', value: 'y', timestamp: 1_010 },
    ]);
    while ((await counts.get('a')) !== 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await perSecond.get('a', 1_000)).toBe(1);
    expect(await counts.get('b')).toBeNull();
    await module.close();
    await expect(counts.get('a')).rejects.toMatchObject({ name: 'StoreQueryError' });
  });

  it('is answered by the test driver in a test', async () => {
    const module = await Test.createTestingModule({
      imports: [MillraceTestingModule.forRoot(), feature],
      providers: [Reader],
    })
      .setLogger(silentNestLogger)
      .compile();
    const { counts, perSecond } = module.get(Reader);
    await module.init();
    await getTestDriver(module)
      .inputTopic('words', text, text)
      .pipeAll([
        ['a', 'x', 10],
        ['a', 'y', 1_010],
        ['b', 'z', 1_500],
      ]);
    expect([await counts.get('a'), await counts.get('c'), await counts.count()]).toEqual([2, null, 2]);
    expect(await counts.getMany(['b', 'c'])).toEqual([1, null]);
    expect((await counts.all()).entries.map(({ key, value }) => [key, value])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(await perSecond.get('a', 0)).toBe(1);
    expect(await perSecond.get('a', 2_000)).toBeNull();
    expect((await perSecond.fetch('a', { fromTime: 1_000 })).entries).toMatchObject([
      { key: 'a', window: { start: 1_000 }, value: 1 },
    ]);
    expect(() => counts.prefix('a')).toThrow(/does not answer `prefix`/);
    await module.close();
  });
});
