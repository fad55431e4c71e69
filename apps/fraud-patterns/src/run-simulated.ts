// Owns a run without a broker: the same service, twice, on a Kafka cluster simulated in this process. One copy is killed half-way; the
// other takes its tasks over, and the result is checked. Nothing is installed, nothing is written to disk.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { Serdes, SimulatedKafka, StreamsApplication, readTopic } from '#libs/millrace';
import type { SimulatedHost } from '#libs/millrace';
import { say } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { lineOf } from './board/timeline.ts';
import { expectedCounts, verdict } from './check/verdict.ts';
import { TOPICS, TOPIC_CONFIGS } from './data/topics.ts';
import { SPENDING_LIMIT } from './data/transaction.ts';
import type { Alert, CardEvent, SpendingLimitRule, Transaction } from './data/transaction.ts';
import { generateDay } from './generator/day.ts';
import { signOffs } from './generator/sign-offs.ts';
import { DEFAULTS, FraudPatternsModule } from './service/fraud-patterns.module.ts';

const TICKS_PER_SECOND = 10;
/** A copy that was killed is missed by its group after this long. */
const SESSION_TIMEOUT_MS = 1_500;
const PATIENCE_MS = 60_000;

interface Copy {
  readonly host: SimulatedHost;
  readonly context: INestApplicationContext;
}

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function runSimulated({ seed, rate, once }: Arguments, signal: AbortSignal): Promise<number> {
  const day = generateDay({ seed });
  const kafka = new SimulatedKafka();
  for (const { topic, numPartitions } of TOPIC_CONFIGS) kafka.createTopic(topic, numPartitions);
  setRule(kafka, day.rules.first);
  say('A Kafka cluster simulated in this process: no broker, nothing on disk, two copies of the service\n');
  const [killed, survivor] = [await startCopy(kafka, 'copy-1'), await startCopy(kafka, 'copy-2')];
  const ending = new AbortController();
  const outputs = new Outputs(kafka, ending.signal);

  const perTick = once ? 500 : Math.max(1, Math.round(rate / TICKS_PER_SECOND));
  const noon = day.transactions.findIndex(({ at }) => at >= day.rules.changedAt);
  for (let sent = 0; sent < day.transactions.length && !signal.aborted;) {
    // Noon is between two ticks: the rule is there before what it is for.
    const until = sent < noon ? Math.min(sent + perTick, noon) : sent + perTick;
    publish(kafka, day.transactions.slice(sent, until));
    sent = until;
    if (sent === noon) {
      setRule(kafka, day.rules.changed);
      say('--------  the spending limit is changed; copy-1 is killed, copy-2 takes over');
      killed.host.kill();
    }
    await delay(once ? 20 : 1_000 / TICKS_PER_SECOND);
  }
  publish(kafka, signOffs(day.endsAt));
  const wanted = expectedCounts(day);
  const until = performance.now() + PATIENCE_MS;
  while (!signal.aborted && performance.now() < until && !outputs.has(wanted)) await delay(100);
  // More than there should be is to be seen, too.
  await delay(1_000 / TICKS_PER_SECOND);
  ending.abort();
  await outputs.following;
  await survivor.context.close();
  if (signal.aborted) return 130;
  const { isRight, text } = verdict(day, outputs);
  say(`\n${text}`);
  return isRight ? 0 : 1;
}

/** What is published, as it is published: committed records only. */
class Outputs {
  readonly alerts: Alert[] = [];
  readonly cardEvents: CardEvent[] = [];
  readonly late: Transaction[] = [];
  /** Ends with the signal. */
  readonly following: Promise<unknown>;

  constructor(kafka: SimulatedKafka, signal: AbortSignal) {
    this.following = Promise.all([
      this.#follow(kafka, TOPICS.alerts, this.alerts, signal),
      this.#follow(kafka, TOPICS.cardEvents, this.cardEvents, signal),
      this.#follow(kafka, TOPICS.late, this.late, signal),
    ]);
  }

  has(wanted: { readonly alerts: number; readonly cardEvents: number; readonly late: number }): boolean {
    const { alerts, cardEvents, late } = this;
    return (
      alerts.length >= wanted.alerts && cardEvents.length >= wanted.cardEvents && late.length >= wanted.late
    );
  }

  async #follow<T>(kafka: SimulatedKafka, topic: string, into: T[], signal: AbortSignal): Promise<void> {
    const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.json<T>() };
    for await (const { value } of readTopic({ kafka, topic, ...serdes, follow: true, signal })) {
      if (value === null) continue;
      into.push(value);
      const line = lineOf(topic, value);
      if (line !== null) say(line);
    }
  }
}

async function startCopy(kafka: SimulatedKafka, name: string): Promise<Copy> {
  const host = kafka.host(name);
  const module = FraudPatternsModule.forRoot(() => ({
    ...DEFAULTS,
    kafka: host.kafka,
    clock: host.clock,
    instanceId: name,
    state: 'memory',
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: SESSION_TIMEOUT_MS / 3,
  }));
  const context = await NestFactory.createApplicationContext(module, {
    // The timeline has the terminal; warnings and errors go to stderr.
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  });
  await context.get(StreamsApplication).whenRunning();
  return { host, context };
}

function publish(kafka: SimulatedKafka, transactions: readonly Transaction[]): void {
  const records = transactions.map((transaction) => {
    return { key: transaction.card, value: JSON.stringify(transaction) };
  });
  kafka.publish(TOPICS.transactions, records);
}

function setRule(kafka: SimulatedKafka, rule: SpendingLimitRule): void {
  kafka.publish(TOPICS.rules, [{ key: SPENDING_LIMIT, value: JSON.stringify(rule) }]);
}
