// Specifies @ExactlyOnceHandler on the test driver: what methods are given, what becomes of what they return, and what is refused.
import 'reflect-metadata';
import { Injectable, Scope, UseGuards } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { FailurePolicy, Produced, Serdes, State } from '#libs/millrace';
import type { StreamsApplication } from '#libs/millrace';
import { ExactlyOnceHandler, MillraceModule, getStreamsApplicationToken } from '#libs/nestjs';
import type { HandlerContext, HandlerOutput } from '#libs/nestjs';
import type { TopologyTestDriver } from '#libs/testing';
import { MillraceTestingModule, getTestDriver } from '../src/testing/index.ts';
import type { MillraceTestingOptions } from '../src/testing/index.ts';
import { silentNestLogger } from './fake-application.ts';

interface Payment {
  readonly amount: number;
}

const text = Serdes.string();
const payment = Serdes.json<Payment>();

@Injectable()
class Limits {
  readonly limit = 100;
}

const TOTALS = { total: State.reducing(Serdes.float64(), (a, b) => a + b) };

@Injectable()
class Payments {
  constructor(private readonly limits: Limits) {}

  @ExactlyOnceHandler('payments', {
    name: 'totals',
    valueSerde: payment,
    state: TOTALS,
    outputs: { totals: Produced.with(text, Serdes.float64()), alerts: {} },
  })
  onPayment({ amount }: Payment, { key, state }: HandlerContext<typeof TOTALS>): HandlerOutput[] {
    state.total.add(amount);
    const total = state.total.get()!;
    const outputs: HandlerOutput[] = [{ topic: 'totals', value: total }];
    if (total > this.limits.limit)
      outputs.push({ topic: 'alerts', key: 'desk', value: { account: key, total } });
    return outputs;
  }
}

const modules: TestingModule[] = [];
afterEach(async () => {
  for (const module of modules.splice(0)) await module.close();
});

async function moduleOf(
  providers: readonly Type[],
  options: MillraceTestingOptions = {},
): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    imports: [MillraceTestingModule.forRoot(options)],
    providers: [Limits, ...providers],
  })
    .setLogger(silentNestLogger)
    .compile();
  modules.push(module);
  return module;
}

async function driverOf(...providers: readonly Type[]): Promise<TopologyTestDriver> {
  const module = await moduleOf(providers);
  await module.init();
  return getTestDriver(module);
}

describe('a handler', () => {
  it('keeps state by key and publishes what it returns, each record to its topic', async () => {
    const driver = await driverOf(Payments);
    const payments = driver.inputTopic('payments', text, payment);
    await payments.pipe('ann', { amount: 60 });
    await payments.pipe('bob', { amount: 10 });
    await payments.pipe('ann', { amount: 50 });
    expect(driver.outputTopic('totals', text, Serdes.float64()).readKeyValues()).toEqual([
      ['ann', 60],
      ['bob', 10],
      ['ann', 110],
    ]);
    expect(driver.outputTopic('alerts', text, Serdes.json()).readKeyValues()).toEqual([
      ['desk', { account: 'ann', total: 110 }],
    ]);
  });

  it('has its state and its outputs exactly once through a kill', async () => {
    const module = await moduleOf([Payments], { instances: 2, partitions: 3 });
    await module.init();
    const driver = getTestDriver(module);
    const payments = driver.inputTopic('payments', text, payment);
    for (let round = 0; round < 5; round++) {
      for (const key of ['ann', 'bob', 'eve']) await payments.append(key, { amount: 1 });
      await driver.step(3);
      await driver.crash(round % 2);
      await driver.restart(round % 2);
    }
    await driver.settle();
    const totals = driver.outputTopic('totals', text, Serdes.float64()).readKeyValues();
    for (const key of ['ann', 'bob', 'eve']) {
      expect(totals.filter(([of]) => of === key).map(([, total]) => total)).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it('without state sees null keys and tombstones, and may return one record, several or none', async () => {
    @Injectable()
    class Relay {
      @ExactlyOnceHandler('in', { valueSerde: text, outputs: 'out' })
      relay(
        value: string | null,
        { key, timestamp, headers, record }: HandlerContext,
      ): HandlerOutput | undefined {
        if (value === 'nothing') return undefined;
        const of = `${record!.topic}/${record!.offset}@${timestamp} ${headers.length}`;
        return { key: key ?? 'nobody', value: value === null ? null : `${value} ${of}`, timestamp: 7 };
      }
    }
    const driver = await driverOf(Relay);
    const input = driver.inputTopic<string | null, string | null>('in', text, text);
    await input.pipe('a', 'x', { timestamp: 5, headers: { trace: '1' } });
    await input.pipe(null, 'y', { timestamp: 6 });
    await input.pipe('a', 'nothing');
    await input.pipe('b', null, { timestamp: 9 });
    const out = driver.outputTopic('out', text, Serdes.json());
    expect(out.readAll().map(({ key, value, timestamp }) => [key, value, timestamp])).toEqual([
      ['a', 'x in/0@5 1', 7],
      ['nobody', 'y in/1@6 0', 7],
      ['b', null, 7],
    ]);
  });

  it('may be one of several of a topic, which is read once', async () => {
    @Injectable()
    class Two {
      @ExactlyOnceHandler('in', { outputs: 'a' })
      first(value: number): HandlerOutput {
        return { value: value + 1 };
      }

      @ExactlyOnceHandler('in', { outputs: 'b' })
      @ExactlyOnceHandler('other', { outputs: 'b' })
      second(value: number): Iterable<HandlerOutput> {
        return [{ value }, { value: -value }];
      }
    }
    const driver = await driverOf(Two);
    await driver.inputTopic('in', text, Serdes.json<number>()).pipe('k', 1);
    await driver.inputTopic('other', text, Serdes.json<number>()).pipe('k', 5);
    const read = (topic: string): unknown[] => driver.outputTopic(topic, text, Serdes.json()).readValues();
    expect([read('a'), read('b')]).toEqual([[2], [1, -1, 5, -5]]);
  });

  it('is called as it stands in the object: a spy, a subclass, a test double', async () => {
    @Injectable()
    class Upper extends Payments {
      override onPayment(value: Payment, context: HandlerContext<typeof TOTALS>): HandlerOutput[] {
        return super.onPayment({ amount: value.amount * 2 }, context);
      }
    }
    const module = await Test.createTestingModule({
      imports: [MillraceTestingModule.forRoot()],
      providers: [Limits, Payments],
    })
      .setLogger(silentNestLogger)
      .overrideProvider(Payments)
      .useClass(Upper)
      .compile();
    modules.push(module);
    await module.init();
    const driver = getTestDriver(module);
    await driver.inputTopic('payments', text, payment).pipe('ann', { amount: 4 });
    expect(driver.outputTopic('totals', text, Serdes.float64()).readKeyValues()).toEqual([['ann', 8]]);
  });

  it('fails its record with what it throws, and publishes nothing of it', async () => {
    @Injectable()
    class Failing {
      @ExactlyOnceHandler('in', { outputs: 'out' })
      *fail(value: number): Iterable<HandlerOutput> {
        yield { value };
        throw new Error('no');
      }
    }
    const driver = await driverOf(Failing);
    const input = driver.inputTopic('in', text, Serdes.json<number>());
    await expect(input.pipe('k', 1)).rejects.toThrow(/no/);
    expect(driver.outputTopic('out', text, Serdes.json()).isEmpty).toBe(true);
  });
});

describe('a handler with a failure policy', () => {
  @Injectable()
  class Picky {
    @ExactlyOnceHandler('in', {
      name: 'picky',
      state: TOTALS,
      outputs: 'out',
      consumed: { failurePolicy: FailurePolicy.deadLetter('dead') },
    })
    take(value: number, { state }: HandlerContext<typeof TOTALS>): HandlerOutput {
      state.total.add(value);
      if (value < 0) throw new Error('negative');
      return { value: state.total.get() };
    }
  }

  it('sends aside what it cannot decode or refuses, and keeps nothing of it', async () => {
    const driver = await driverOf(Picky);
    const input = driver.inputTopic('in', text, text);
    for (const value of ['1', 'no JSON', '-5', '2']) await input.pipe('k', value);
    expect(driver.outputTopic('out', text, Serdes.json()).readValues()).toEqual([1, 3]);
    expect(driver.outputTopic('dead', text, text).readValues()).toEqual(['no JSON', '-5']);
  });
});

describe('an asynchronous handler', () => {
  @Injectable()
  class Rates {
    readonly rate = jest.fn(async (currency: string) => (currency === 'USD' ? 0.5 : 1));

    @ExactlyOnceHandler('prices', { name: 'rates', async: { order: 'perKey' }, outputs: 'euros' })
    async convert(
      { currency, price }: { currency: string; price: number },
      { key }: HandlerContext,
    ): Promise<HandlerOutput> {
      return { key: `${key}!`, value: price * (await this.rate(currency)), timestamp: 3 };
    }
  }

  it('publishes what its calls came to, once', async () => {
    const driver = await driverOf(Rates);
    const prices = driver.inputTopic('prices', text, Serdes.json());
    await prices.pipe('a', { currency: 'USD', price: 8 });
    await driver.settle();
    const out = driver.outputTopic('euros', text, Serdes.json());
    expect(out.readAll().map(({ key, value, timestamp }) => [key, value, timestamp])).toEqual([['a!', 4, 3]]);
  });
});

describe('what is refused with possible solutions', () => {
  async function refusal(...providers: readonly Type[]): Promise<{ code: string; message: string }> {
    const module = await moduleOf(providers);
    try {
      await module.init();
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error('nothing was refused');
  }

  it('an asynchronous method that is not declared to be', async () => {
    @Injectable()
    class Async {
      @ExactlyOnceHandler('in')
      async handle(): Promise<void> {
        await Promise.resolve();
      }
    }
    const error = await refusal(Async);
    expect(error.code).toBe('MILLRACE_ASYNC_HANDLER');
    expect(error.message).toMatch(/Async\.handle is asynchronous.*Possible solutions:\n {2}- /s);
  });

  it('a promise of a method that does not look asynchronous, with its record', async () => {
    @Injectable()
    class Sneaky {
      @ExactlyOnceHandler('in')
      handle(): Promise<void> {
        return Promise.reject(new Error('nobody hears this'));
      }
    }
    const driver = await driverOf(Sneaky);
    await expect(driver.inputTopic('in', text, text).pipe('a', '1')).rejects.toThrow(
      /MILLRACE_ASYNC_HANDLER/,
    );
  });

  it('state beside async, and a store without a name', async () => {
    @Injectable()
    class Both {
      @ExactlyOnceHandler('in', { name: 'both', state: TOTALS, async: {} })
      handle(): void {
        return;
      }
    }
    @Injectable()
    class Nameless {
      @ExactlyOnceHandler('in', { state: TOTALS })
      handle(): void {
        return;
      }
    }
    expect((await refusal(Both)).code).toBe('MILLRACE_ASYNC_HANDLER');
    expect(await refusal(Nameless)).toMatchObject({
      code: 'MILLRACE_INVALID_HANDLER',
      message: expect.stringContaining('Nameless.handle keeps a store'),
    });
  });

  it('guards, which would not run', async () => {
    @Injectable()
    class Guarded {
      @ExactlyOnceHandler('in')
      @UseGuards({ canActivate: () => false })
      handle(): void {
        return;
      }
    }
    expect((await refusal(Guarded)).message).toMatch(/Guarded\.handle carries @UseGuards\(\)/);
  });

  it('a provider of the request’s scope, however far away', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class OfRequest {}
    @Injectable()
    class Between {
      constructor(readonly of: OfRequest) {}
    }
    @Injectable()
    class Scoped {
      constructor(readonly between: Between) {}
      @ExactlyOnceHandler('in')
      handle(): void {
        return;
      }
    }
    expect(await refusal(OfRequest, Between, Scoped)).toMatchObject({
      code: 'MILLRACE_SCOPED_PROVIDER',
      message: expect.stringContaining('Scoped.handle'),
    });
  });

  it('an application that is not there', async () => {
    @Injectable()
    class Elsewhere {
      @ExactlyOnceHandler('in', { application: 'billing' })
      handle(): void {
        return;
      }
    }
    expect((await refusal(Payments, Elsewhere)).message).toContain('the application "billing"');
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a topic that is not among its outputs',
      { topic: 'nowhere', value: 1 },
      /a record for "nowhere".*"a", "b"/s,
    ],
    ['no topic where there are several', { value: 1 }, /a record without a topic/],
    ['what is no record', [42], /returned a number where a record is to be/],
    ['text by itself', 'text', /returned a string where a record is to be/],
  ])('%s, with the record', async (_name, output, message) => {
    @Injectable()
    class Wrong {
      @ExactlyOnceHandler('in', { outputs: ['a', 'b'] })
      handle(): HandlerOutput {
        return output as HandlerOutput;
      }
    }
    const driver = await driverOf(Wrong);
    await expect(driver.inputTopic('in', text, text).pipe('k', '1')).rejects.toThrow(message);
  });
});

describe('several applications', () => {
  it('have handlers of their own', async () => {
    @Injectable()
    class Bills {
      @ExactlyOnceHandler('bills', { application: 'billing', outputs: 'paid' })
      pay(value: unknown): HandlerOutput {
        return { value };
      }
    }
    const options = { kafka: { brokers: ['localhost:1'] } };
    const module = await Test.createTestingModule({
      imports: [
        MillraceModule.forRoot({ ...options, applicationId: 'payments' }),
        MillraceModule.forRoot({ ...options, applicationId: 'billing', name: 'billing' }),
        MillraceModule.forFeature([Payments, Bills], { providers: [Limits] }),
      ],
    })
      .setLogger(silentNestLogger)
      .compile();
    const describe = (name?: string): string =>
      module.get<StreamsApplication>(getStreamsApplicationToken(name), { strict: false }).describe();
    expect(describe()).toContain('payments');
    expect(describe()).not.toContain('bills');
    expect(describe('billing')).toMatch(/bills.*paid/s);
  });
});
