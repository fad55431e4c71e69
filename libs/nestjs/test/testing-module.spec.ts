// Specifies MillraceTestingModule: the same modules, run by the test driver.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Consumed, Materialized, Produced, Serdes, StreamsApplication, logAndContinue } from '#libs/millrace';
import type { QueryableStore, StreamsBuilder } from '#libs/millrace';
import { InjectStore, MillraceHealthIndicator, MillraceModule, Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import { MillraceTestingModule, getTestDriver } from '../src/testing/index.ts';
import { silentNestLogger } from './fake-application.ts';

const text = Serdes.string();

@Injectable()
class Rates {
  readonly rate: number = 2;
}

@Topology()
class RevenueTopology implements TopologyClass {
  constructor(private readonly rates: Rates) {}

  build(builder: StreamsBuilder): void {
    builder
      .stream('orders', Consumed.with(text, Serdes.float64()))
      .mapValues((amount) => amount * this.rates.rate)
      .groupByKey({ keySerde: text, valueSerde: Serdes.float64() })
      .reduce((sum, amount) => sum + amount, Materialized.as('revenue'))
      .toStream()
      .to('revenue', Produced.with(text, Serdes.float64()));
  }
}

@Injectable()
class Revenue {
  constructor(@InjectStore('revenue') private readonly store: QueryableStore<string, number>) {}

  async of(customer: string): Promise<number> {
    return (await this.store.get(customer)) ?? 0;
  }
}

@Module({
  imports: [
    MillraceModule.forRoot({
      applicationId: 'revenue-service',
      kafka: { brokers: ['localhost:1'] },
      exceptionHandlers: { deserialization: logAndContinue },
    }),
    MillraceModule.forFeature({ stores: ['revenue'] }),
  ],
  providers: [Rates, RevenueTopology, Revenue],
})
class AppModule {}

const modules: TestingModule[] = [];
afterEach(async () => {
  for (const module of modules.splice(0)) await module.close();
});

async function started(builder: ReturnType<typeof Test.createTestingModule>): Promise<TestingModule> {
  const module = await builder.setLogger(silentNestLogger).compile();
  modules.push(module);
  return module.init();
}

describe('MillraceTestingModule.override', () => {
  it('runs a whole service without a broker: its topologies, its stores, its health', async () => {
    const module = await started(
      MillraceTestingModule.override(Test.createTestingModule({ imports: [AppModule] })),
    );
    const driver = getTestDriver(module);
    await driver.inputTopic('orders', text, Serdes.float64()).pipe('ann', 5);
    await driver.crash();
    await driver.restart();
    await driver.inputTopic('orders', text, Serdes.float64()).pipe('ann', 1);
    expect(driver.outputTopic('revenue', text, Serdes.float64()).readKeyValues()).toEqual([
      ['ann', 10],
      ['ann', 12],
    ]);
    expect(await module.get(Revenue).of('ann')).toBe(12);
    const health = module.get(MillraceHealthIndicator, { strict: false });
    expect(health.isReady('ready').ready.status).toBe('up');
    expect(health.isWithinLag('lag', { recordsMax: 0 }).lag.status).toBe('up');
    expect(module.get(StreamsApplication, { strict: false }).state).toBe('RUNNING');
    expect(driver.internalTopics).toEqual(['revenue-service-revenue-changelog']);
  });

  it('lets providers be overridden beside it, and keeps the application’s exception handlers', async () => {
    const module = await started(
      MillraceTestingModule.override(
        Test.createTestingModule({ imports: [AppModule] })
          .overrideProvider(Rates)
          .useValue({ rate: 100 }),
      ),
    );
    const driver = getTestDriver(module);
    // Eight bytes are a number; these are not.
    await driver.inputTopic('orders', text, text).pipe('ann', 'no number');
    await driver.inputTopic('orders', text, Serdes.float64()).pipe('ann', 5);
    expect(driver.droppedRecords).toBe(1);
    expect(driver.outputTopic('revenue', text, Serdes.float64()).readKeyValues()).toEqual([['ann', 500]]);
  });
});

describe('MillraceTestingModule.forRoot', () => {
  it('takes the place of MillraceModule.forRoot for feature modules', async () => {
    const module = await started(
      Test.createTestingModule({
        imports: [MillraceTestingModule.forRoot({ stores: ['revenue'], partitions: 3, instances: 2 })],
        providers: [Rates, RevenueTopology, Revenue],
      }),
    );
    const driver = getTestDriver(module);
    await driver.inputTopic('orders', text, Serdes.float64()).pipeAll([
      ['ann', 5],
      ['bob', 1],
    ]);
    expect([await module.get(Revenue).of('ann'), await module.get(Revenue).of('bob')]).toEqual([10, 2]);
  });

  it('says so when the driver does not run', async () => {
    const module = await Test.createTestingModule({
      imports: [MillraceTestingModule.forRoot()],
      providers: [Rates, RevenueTopology],
    })
      .setLogger(silentNestLogger)
      .compile();
    expect(() => getTestDriver(module)).toThrow(/the application is CREATED.*module\.init\(\)/);
    const real = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue({ store: () => undefined })
      .compile();
    expect(() => getTestDriver(real)).toThrow(/is not run by a test driver/);
  });
});
