// The code shown in docs/guide/nestjs.md and docs/guide/configuration.md, region by region; run by guide-nestjs.spec.ts.
import 'reflect-metadata';
import {
  Controller,
  Get,
  Injectable,
  Module,
  Param,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import type { HealthCheckResult } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
// #region imports
import {
  Consumed,
  Materialized,
  Produced,
  RecordProducer,
  Serdes,
  State,
  StreamsApplication,
  StreamsBuilder,
  readConfiguration,
} from '#libs/millrace';
import type { QueryableStore, StoreQueryError } from '#libs/millrace';
import {
  ExactlyOnceHandler,
  InjectProducer,
  InjectStore,
  InjectStreamsApplication,
  MillraceHealthIndicator,
  MillraceModule,
  Topology,
} from '#libs/nestjs';
import type { HandlerContext, HandlerOutput, TopologyClass } from '#libs/nestjs';
// #endregion
import { MillraceTestingModule, getTestDriver } from '../src/testing/index.ts';

// #region topology
interface Order {
  readonly customer: string;
  readonly amount: number;
}

@Injectable()
export class Rates {
  toEuros(amount: number): number {
    return amount * 0.9;
  }
}

@Topology()
export class RevenueTopology implements TopologyClass {
  constructor(private readonly rates: Rates) {}

  build(builder: StreamsBuilder): void {
    const text = Serdes.string();
    const amount = Serdes.float64();
    builder
      .stream('orders', Consumed.with(text, Serdes.json<Order>()))
      .map((_id, order) => [order.customer, this.rates.toEuros(order.amount)])
      .groupByKey({ name: 'by-customer', keySerde: text, valueSerde: amount })
      .reduce((sum, euros) => sum + euros, Materialized.as('revenue'))
      .toStream()
      .to('revenue', Produced.with(text, amount));
  }
}
// #endregion

// #region handler
const PAYMENTS = { total: State.reducing(Serdes.float64(), (sum, amount) => sum + amount) };

@Injectable()
export class LimitHandler {
  @ExactlyOnceHandler('payments', {
    name: 'limits',
    valueSerde: Serdes.json<{ amount: number }>(),
    state: PAYMENTS,
    outputs: ['payment-totals', 'payment-alerts'],
  })
  onPayment(payment: { amount: number }, { key, state }: HandlerContext<typeof PAYMENTS>): HandlerOutput[] {
    state.total.add(payment.amount);
    const total = state.total.get()!;
    const outputs: HandlerOutput[] = [{ topic: 'payment-totals', value: total }];
    if (total > 1_000) outputs.push({ topic: 'payment-alerts', key: 'desk', value: { account: key, total } });
    return outputs;
  }
}
// #endregion

@Injectable()
class Prices {
  lookUp(_item: string, _signal: AbortSignal): Promise<number> {
    return Promise.resolve(7);
  }
}

// #region asyncHandler
@Injectable()
export class PriceHandler {
  constructor(private readonly prices: Prices) {}

  @ExactlyOnceHandler('carts', {
    name: 'prices',
    outputs: 'priced-carts',
    async: { order: 'perKey', concurrency: 16, retries: { max: 3 } },
  })
  async onCart(cart: { item: string }, { signal }: HandlerContext): Promise<HandlerOutput> {
    return { value: { ...cart, price: await this.prices.lookUp(cart.item, signal) } };
  }
}
// #endregion

// #region store
@Controller('revenue')
export class RevenueController {
  constructor(@InjectStore('revenue') private readonly revenue: QueryableStore<string, number>) {}

  @Get(':customer')
  async of(@Param('customer') customer: string): Promise<number> {
    try {
      return (await this.revenue.get(customer)) ?? 0;
    } catch (error) {
      const { retryAfterMs } = error as StoreQueryError;
      throw new ServiceUnavailableException({ retryAfterMs });
    }
  }
}
// #endregion

// #region feature
@Module({
  imports: [
    MillraceModule.forFeature({
      topologies: [RevenueTopology],
      providers: [Rates],
      stores: ['revenue'],
    }),
  ],
  controllers: [RevenueController],
})
export class RevenueModule {}
// #endregion

// #region producer
@Controller('orders')
export class OrdersController {
  constructor(@InjectProducer() private readonly producer: RecordProducer) {}

  @Post(':id')
  async place(@Param('id') id: string): Promise<void> {
    const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.json<Order>() };
    const order = { customer: 'ann', amount: 10 };
    await this.producer.send({ topic: 'orders', ...serdes, records: [{ key: id, value: order }] });
  }
}
// #endregion

export const PRODUCER_TRANSACTION = async (producer: RecordProducer): Promise<void> => {
  const text = { keySerde: Serdes.string(), valueSerde: Serdes.string() };
  // #region transaction
  await producer.transaction(async ({ send }) => {
    await send({ topic: 'orders', ...text, records: [{ key: '1', value: 'placed' }] });
    await send({ topic: 'audit', ...text, records: [{ key: null, value: 'order 1 was placed' }] });
  });
  // #endregion
};

// #region health
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly millrace: MillraceHealthIndicator,
  ) {}

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.millrace.isAlive()]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.millrace.isReady('tasks'),
      () => this.millrace.isRestored('state', { offsetsMax: 1_000 }),
      () => this.millrace.isWithinLag('lag', { recordsMax: 50_000, ageMsMax: 60_000 }),
    ]);
  }
}
// #endregion

// #region module
@Module({
  imports: [
    TerminusModule,
    MillraceModule.forRootAsync({ useFactory: () => readConfiguration({ ignore: ['MILLRACE_TEST_'] }) }),
    RevenueModule,
  ],
  controllers: [HealthController, OrdersController],
  providers: [LimitHandler, PriceHandler, Prices],
})
export class AppModule {}
// #endregion

// #region several
@Topology({ application: 'billing' })
export class BillingTopology implements TopologyClass {
  build(builder: StreamsBuilder): void {
    const text = Serdes.string();
    builder.stream('bills', Consumed.with(text, text)).to('paid-bills');
  }
}

@Injectable()
export class Switchboard {
  constructor(
    @InjectStreamsApplication() readonly sales: StreamsApplication,
    @InjectStreamsApplication('billing') readonly billing: StreamsApplication,
  ) {}
}

@Module({
  imports: [
    MillraceModule.forRoot({ applicationId: 'sales', kafka: { brokers: ['kafka:9092'] } }),
    MillraceModule.forRoot({ name: 'billing', applicationId: 'billing', kafka: { brokers: ['kafka:9092'] } }),
    MillraceModule.forFeature({ topologies: [RevenueTopology, BillingTopology], providers: [Rates] }),
  ],
  providers: [Switchboard],
})
export class TwoApplicationsModule {}
// #endregion

// #region sight
@Module({
  imports: [
    MillraceModule.forRoot({
      applicationId: 'sales',
      kafka: { brokers: ['kafka:9092'] },
      control: { port: 8075, allowActions: true },
      metrics: true,
    }),
    MillraceModule.forFeature({ topologies: [RevenueTopology], providers: [Rates] }),
  ],
})
export class SeenModule {}
// #endregion

// #region test
export async function testedModule(): Promise<TestingModule> {
  const builder = Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Rates)
    .useValue({ toEuros: (amount: number) => amount });
  const module = await MillraceTestingModule.override(builder).compile();
  return module.init();
}
// #endregion

export async function testRun(module: TestingModule): Promise<unknown[]> {
  // #region driver
  const driver = getTestDriver(module);
  const orders = driver.inputTopic('orders', Serdes.string(), Serdes.json<Order>());
  await orders.pipe('1', { customer: 'ann', amount: 10 });
  await orders.pipe('2', { customer: 'ann', amount: 5 });
  const revenue = driver.outputTopic('revenue', Serdes.string(), Serdes.float64());
  // #endregion
  return revenue.readKeyValues();
}

export function configured(environment: Record<string, string>, file: string): unknown {
  // #region configuration
  const configuration = readConfiguration({
    environment,
    file,
    defaults: { commitIntervalMs: 200, sessionTimeoutMs: 10_000 },
  });
  // #endregion
  return configuration;
}
