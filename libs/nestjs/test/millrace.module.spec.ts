// Specifies MillraceModule in the three kinds of Nest applications, without a broker.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import type { INestApplicationContext, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Consumed, FatalError, Serdes, StreamsApplication } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import {
  InjectStreamsApplication,
  MillraceHealthIndicator,
  MillraceModule,
  Topology,
  getStreamsApplicationToken,
} from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { FakeApplication, silentNestLogger } from './fake-application.ts';

const OPTIONS: MillraceModuleOptions = { applicationId: 'orders', kafka: { brokers: ['localhost:1'] } };

@Injectable()
class Rates {
  readonly rate = 2;
}

@Topology()
class OrdersTopology {
  constructor(readonly rates: Rates) {}

  build(builder: StreamsBuilder): void {
    const json = Serdes.json<{ amount: number }>();
    builder
      .stream<string, { amount: number }>('orders', Consumed.with(Serdes.string(), json))
      .mapValues(({ amount }) => ({ amount: amount * this.rates.rate }))
      .to('converted', { valueSerde: json });
  }
}

@Module({
  imports: [MillraceModule.forRoot(OPTIONS)],
  providers: [Rates, OrdersTopology],
})
class OrdersModule {}

let fake: FakeApplication;
let exitCode: typeof process.exitCode;

beforeEach(() => {
  fake = new FakeApplication();
  exitCode = process.exitCode;
});

afterEach(() => {
  // A fatal error under test must not become Jest's.
  process.exitCode = exitCode;
});

function compiled(): Promise<TestingModule> {
  return Test.createTestingModule({ imports: [OrdersModule] })
    .setLogger(silentNestLogger)
    .overrideProvider(StreamsApplication)
    .useValue(fake)
    .compile();
}

function failure(): FatalError {
  return new FatalError({ code: 'MILLRACE_TOPIC_MISSING', message: 'There is no topic "orders".' });
}

describe('MillraceModule', () => {
  it.each<[string, (module: TestingModule) => Promise<INestApplicationContext>]>([
    ['an HTTP application', async (module) => module.createNestApplication({ logger: false }).init()],
    ['an application context', async (module) => module.init()],
    [
      'an application with a microservice beside it',
      async (module) => {
        const application = module.createNestApplication({ logger: false });
        application.connectMicroservice({
          transport: Transport.TCP,
          options: { host: '127.0.0.1', port: 0 },
        });
        await application.startAllMicroservices();
        return application.init();
      },
    ],
  ])('starts once and drains once in %s', async (_name, create) => {
    const application = await create(await compiled());
    expect(fake.calls).toEqual(['start']);
    await application.close();
    expect(fake.calls).toEqual(['start', 'stop']);
  });

  it('starts after every onModuleInit and drains before any onApplicationShutdown', async () => {
    const events: string[] = [];
    jest.spyOn(fake, 'start').mockImplementation(async () => void events.push('start'));
    jest.spyOn(fake, 'stop').mockImplementation(async () => void events.push('stop'));

    @Injectable()
    class Connection implements OnApplicationBootstrap, OnApplicationShutdown {
      onModuleInit(): void {
        events.push('open');
      }
      onApplicationBootstrap(): void {
        events.push('bootstrap');
      }
      onApplicationShutdown(): void {
        events.push('close');
      }
    }
    const module = await Test.createTestingModule({ imports: [OrdersModule], providers: [Connection] })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue(fake)
      .compile();
    await module.init();
    await module.close();
    expect(events.indexOf('open')).toBeLessThan(events.indexOf('start'));
    expect(events.indexOf('stop')).toBeLessThan(events.indexOf('close'));
  });

  it('does not start what is to be started by hand', async () => {
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot({ ...OPTIONS, autoStart: false })],
      providers: [Rates, OrdersTopology],
    })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue(fake)
      .compile();
    await module.init();
    expect(fake.calls).toEqual([]);
    await module.close();
  });

  it('does not come up when the application cannot start', async () => {
    fake.startFailure = failure();
    await expect((await compiled()).init()).rejects.toBe(fake.startFailure);
  });

  it('refuses options with all their faults as it is created', async () => {
    const module = Test.createTestingModule({
      imports: [MillraceModule.forRoot({ applicationId: '', kafka: { brokers: [] } })],
      providers: [Rates, OrdersTopology],
    }).setLogger(silentNestLogger);
    await expect(module.compile()).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_CONFIG',
      message: expect.stringMatching(/kafka\.brokers.*applicationId|applicationId.*kafka\.brokers/s),
    });
  });

  it('takes its options from other providers by forRootAsync', async () => {
    @Module({ providers: [{ provide: 'id', useValue: 'from-config' }], exports: ['id'] })
    class ConfigModule {}
    const module = await Test.createTestingModule({
      imports: [
        MillraceModule.forRootAsync({
          imports: [ConfigModule],
          inject: ['id'],
          useFactory: (applicationId: string) => ({ ...OPTIONS, applicationId }),
        }),
      ],
      providers: [Rates, OrdersTopology],
    })
      .setLogger(silentNestLogger)
      .compile();
    expect(module.get(StreamsApplication).applicationId).toBe('from-config');
  });

  it('runs several applications side by side, by name', async () => {
    @Topology({ application: 'billing' })
    class BillingTopology {
      build(builder: StreamsBuilder): void {
        builder.stream<string, string>('bills', Consumed.with(Serdes.string(), Serdes.string())).to('paid');
      }
    }
    @Injectable()
    class Consumer {
      constructor(
        @InjectStreamsApplication() readonly orders: StreamsApplication,
        @InjectStreamsApplication('billing') readonly billing: StreamsApplication,
      ) {}
    }
    const module = await Test.createTestingModule({
      imports: [
        OrdersModule,
        MillraceModule.forRoot({ ...OPTIONS, name: 'billing', applicationId: 'billing' }),
        MillraceModule.forFeature([BillingTopology]),
      ],
      providers: [Consumer],
    })
      .setLogger(silentNestLogger)
      .compile();
    const { orders, billing } = module.get(Consumer);
    expect(orders.applicationId).toBe('orders');
    expect(billing.applicationId).toBe('billing');
    expect(orders.describe()).toContain('orders');
    expect(orders.describe()).not.toContain('bills');
    expect(billing.describe()).toContain('bills');
    expect(module.get(getStreamsApplicationToken('billing'), { strict: false })).toBe(billing);
  });
});

describe('a failure at run time', () => {
  it('takes liveness and readiness down and will be the process’s exit code', async () => {
    const module = await compiled();
    await module.init();
    const health = module.get(MillraceHealthIndicator, { strict: false });
    expect(health.isAlive().millrace.status).toBe('up');
    expect(health.isReady().millrace.status).toBe('up');
    fake.fail(failure());
    await new Promise((resolve) => setImmediate(resolve));
    expect(health.isAlive('orders')).toEqual({
      orders: expect.objectContaining({ status: 'down', state: 'ERROR', error: 'MILLRACE_TOPIC_MISSING' }),
    });
    expect(health.isReady().millrace.status).toBe('down');
    expect(process.exitCode).toBe(1);
    await module.close();
  });

  it('is told to who asked for it', async () => {
    const onFatalError = jest.fn();
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot({ ...OPTIONS, onFatalError })],
      providers: [Rates, OrdersTopology],
    })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue(fake)
      .compile();
    await module.init();
    const error = failure();
    fake.fail(error);
    await new Promise((resolve) => setImmediate(resolve));
    expect(onFatalError).toHaveBeenCalledWith(error);
    await module.close();
  });
});

describe('an application that restores', () => {
  it('is alive and not ready', async () => {
    const module = await compiled();
    await module.init();
    fake.state = 'REBALANCING';
    const health = module.get(MillraceHealthIndicator, { strict: false });
    expect(health.isAlive().millrace.status).toBe('up');
    expect(health.isReady().millrace.status).toBe('down');
    await module.close();
  });
});
