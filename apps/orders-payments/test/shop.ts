// Owns how a spec plays a shop's days through the service's own modules on the test driver: no broker, virtual time.
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { Serdes } from '#libs/millrace';
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- in a project of yours it is 'millrace/nestjs/testing'
import * as testing from '../../../libs/nestjs/src/testing/index.ts';
import type { Account, Settlement, ShipmentRelease } from '../src/data/records.ts';
import { PARTITIONS, TOPICS } from '../src/data/topics.ts';
import type { Message } from '../src/generator/days.ts';
import { ExchangeRates } from '../src/service/exchange-rates.ts';
import type { Rates } from '../src/service/exchange-rates.ts';
import { OrdersPaymentsModule } from '../src/service/orders-payments.module.ts';

const { MillraceTestingModule } = testing;
export const { getTestDriver } = testing;
const text = Serdes.string();

/** `rates` may be changed while it runs: it stands for what the next version of the service knows. */
export async function startService(
  rates: Rates,
  options: testing.MillraceTestingOptions = {},
): Promise<TestingModule> {
  const kafka = { brokers: ['nowhere:9092'] };
  const service = OrdersPaymentsModule.forRoot(() => ({ applicationId: 'orders-payments', kafka }));
  const builder = Test.createTestingModule({ imports: [service] })
    .overrideProvider(ExchangeRates)
    .useValue(new ExchangeRates(rates));
  const module = await MillraceTestingModule.override(builder, {
    partitions: PARTITIONS,
    ...options,
  }).compile();
  return module.init();
}

/** Publishes them; the service has not seen them yet. */
export async function append(module: TestingModule, messages: readonly Message[]): Promise<void> {
  const driver = getTestDriver(module);
  for (const { topic, key, value, timestamp } of messages) {
    await driver.inputTopic(topic, text, text).append(key, value, { timestamp });
  }
}

/** Publishes them, and lets the service process them. */
export async function play(module: TestingModule, messages: readonly Message[]): Promise<void> {
  await append(module, messages);
  await getTestDriver(module).settle();
}

export interface Results {
  /** All of them: an order that is settled twice is there twice. */
  readonly settlements: readonly Settlement[];
  readonly accounts: ReadonlyMap<string, Account>;
  readonly releases: ReadonlyMap<string, ShipmentRelease>;
  /** Values of the dead letters. */
  readonly dead: readonly string[];
}

/** All since the start. */
export function results(module: TestingModule): Results {
  const driver = getTestDriver(module);
  const newest = <T>(topic: string): Map<string, T> => {
    const history = driver.outputTopic(topic, text, Serdes.json<T>()).history();
    return new Map(history.map(({ key, value }) => [key!, value!]));
  };
  return {
    settlements: driver
      .outputTopic(TOPICS.settlements, text, Serdes.json<Settlement>())
      .history()
      .map(({ value }) => value!),
    accounts: newest<Account>(TOPICS.accounts),
    releases: newest<ShipmentRelease>(TOPICS.releases),
    dead: driver
      .outputTopic(TOPICS.deadLetters, text, text)
      .history()
      .map(({ value }) => value!),
  };
}
