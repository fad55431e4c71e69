// Owns how a spec plays transactions through the service's own modules on the test driver: no broker, virtual time.
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { Serdes } from '#libs/millrace';
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- in a project of yours it is 'millrace/nestjs/testing'
import * as testing from '../../../libs/nestjs/src/testing/index.ts';
import { PARTITIONS, TOPICS } from '../src/data/topics.ts';
import { SPENDING_LIMIT } from '../src/data/transaction.ts';
import type { Alert, CardEvent, SpendingLimitRule, Transaction } from '../src/data/transaction.ts';
import { MINUTE_MS } from '../src/generator/everyday.ts';
import { signOffs } from '../src/generator/sign-offs.ts';
import { FraudPatternsModule } from '../src/service/fraud-patterns.module.ts';

const { MillraceTestingModule } = testing;
export const { getTestDriver } = testing;
export const text = Serdes.string();

export interface Played {
  readonly alerts: readonly Alert[];
  readonly cardEvents: readonly CardEvent[];
  readonly late: readonly Transaction[];
}

export async function startService(options: testing.MillraceTestingOptions = {}): Promise<TestingModule> {
  const kafka = { brokers: ['nowhere:9092'] };
  const service = FraudPatternsModule.forRoot(() => ({ applicationId: 'fraud-patterns', kafka }));
  const builder = Test.createTestingModule({ imports: [service] });
  const partitions = Object.fromEntries(
    Object.values(TOPICS).map((topic) => [topic, topic === TOPICS.rules ? 1 : PARTITIONS]),
  );
  const module = await MillraceTestingModule.override(builder, { partitions, ...options }).compile();
  return module.init();
}

export async function setRule(module: TestingModule, rule: SpendingLimitRule): Promise<void> {
  const rules = getTestDriver(module).inputTopic(TOPICS.rules, text, Serdes.json<SpendingLimitRule>());
  await rules.pipe(SPENDING_LIMIT, rule);
}

/** Publishes them; the service has not seen them yet. */
export async function append(module: TestingModule, transactions: readonly Transaction[]): Promise<void> {
  const driver = getTestDriver(module);
  const input = driver.inputTopic(TOPICS.transactions, text, Serdes.json<Transaction>());
  for (const transaction of transactions) await input.append(transaction.card, transaction);
}

/** Publishes them, and lets the service process them. */
export async function play(module: TestingModule, transactions: readonly Transaction[]): Promise<void> {
  await append(module, transactions);
  await getTestDriver(module).settle();
}

/** Moves event time on in every partition: to half a minute before `at`. */
export async function moveTo(module: TestingModule, at: number): Promise<void> {
  await play(module, signOffs(at - MINUTE_MS));
}

export function results(module: TestingModule): Played {
  const driver = getTestDriver(module);
  return {
    alerts: driver.outputTopic(TOPICS.alerts, text, Serdes.json<Alert>()).readValues() as Alert[],
    cardEvents: driver
      .outputTopic(TOPICS.cardEvents, text, Serdes.json<CardEvent>())
      .readValues() as CardEvent[],
    late: driver.outputTopic(TOPICS.late, text, Serdes.json<Transaction>()).readValues() as Transaction[],
  };
}
