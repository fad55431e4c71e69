// Owns a run from its broker to its end: broker, topics, service, the day, the verdict; then everything closed in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import {
  aborted,
  createTopics,
  outsideClient,
  readFromOutside,
  say,
  startBroker,
  startServiceProcess,
  stateFolder,
  whileRetriable,
} from '../../lesson-kit/src/index.ts';
import type { OutsideReader, ServiceProcess } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { alertLine, lineOf } from './board/timeline.ts';
import { expectedCounts, verdict } from './check/verdict.ts';
import { TOPICS, TOPIC_CONFIGS } from './data/topics.ts';
import type { Alert, CardEvent, SpendingLimitRule, Transaction } from './data/transaction.ts';
import { generateDay } from './generator/day.ts';
import type { Day } from './generator/day.ts';
import { Publisher } from './generator/publish.ts';
import { Orchestrator } from './orchestrator.ts';

/** What is deployed: a process of its own. */
const SERVICE = join(import.meta.dirname, 'service/main.js');

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const { bootstrapServers: brokers } = await startBroker(cleanUp);
  const stateDir = await stateFolder(args.stateDir, 'fraud-patterns', cleanUp);
  const kafka = outsideClient(brokers, 'card-network');
  const isNew = await prepareTopics(kafka);
  const start = (more: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> =>
    startServiceProcess(SERVICE, {
      MILLRACE_KAFKA_BROKERS: brokers.join(','),
      MILLRACE_STATE_DIR: stateDir,
      PORT: '0',
      ...more,
    });
  if (!args.load) return await runCopy(await start(), signal);
  if (!isNew) {
    say(
      `This broker has seen a day already: there are records in '${TOPICS.transactions}'. Use another one.`,
    );
    return 1;
  }

  const day = generateDay({ seed: args.seed });
  const publisher = cleanUp.use(await Publisher.connect(kafka));
  await publisher.rule(day.rules.first);
  const outputs = cleanUp.use(await followOutputs(kafka, args.once));
  const play = args.once ? playAtOnce : playSlowly;
  const done = await play({ day, publisher, start, outputs, rate: args.rate, cleanUp, signal });
  if (!done || signal.aborted) return signal.aborted ? 130 : 1;
  const { isRight, text } = verdict(day, {
    alerts: valuesOf<Alert>(outputs, TOPICS.alerts),
    cardEvents: valuesOf<CardEvent>(outputs, TOPICS.cardEvents),
    late: valuesOf<Transaction>(outputs, TOPICS.late),
  });
  say(`\n${text}`);
  return isRight ? 0 : 1;
}

interface Play {
  readonly day: Day;
  readonly publisher: Publisher;
  readonly start: (more?: Readonly<Record<string, string>>) => Promise<ServiceProcess>;
  readonly outputs: OutsideReader;
  readonly rate: number;
  readonly cleanUp: AsyncDisposableStack;
  readonly signal: AbortSignal;
}

/** Everything is published, then processed; the service ends by itself. */
async function playAtOnce({ day, publisher, start, outputs, signal }: Play): Promise<boolean> {
  await publisher.rule(day.rules.changed);
  await publisher.transactions(day.transactions, null, signal);
  await publisher.endOfDay(day.endsAt);
  const service = await start({ MILLRACE_UNTIL: 'latest' });
  const exitCode = await service.ended;
  if (exitCode !== 0) say(`The service ended with ${exitCode}.`);
  await allOutputs(day, outputs);
  const alerts = valuesOf<Alert>(outputs, TOPICS.alerts).sort((a, b) => a.at - b.at);
  for (const alert of alerts) say(alertLine(alert));
  return exitCode === 0;
}

/** The service runs while the day is published, and a rule is changed by a request to it. */
async function playSlowly(parts: Play): Promise<boolean> {
  const { start, cleanUp, signal } = parts;
  const more = { MILLRACE_CONTROL_PORT: '0', MILLRACE_GROUP_INSTANCE_ID: 'watcher-1' };
  const orchestrator = cleanUp.use(await Orchestrator.start(() => start(more)));
  const { pid, url, dashboard } = orchestrator.service;
  say(`The service is process ${pid}, at ${url} (/health/ready, /cards/card-0001)`);
  say(`Its dashboard: ${dashboard ?? 'none'}\n`);
  await Promise.race([orchestrator.failed, playDay(parts, orchestrator)]);
  return !signal.aborted;
}

async function playDay(
  { day, publisher, outputs, rate, signal }: Play,
  watched: Orchestrator,
): Promise<void> {
  const isMorning = ({ at }: Transaction): boolean => at < day.rules.changedAt;
  // By arrival: what is of the morning and arrives after noon is of the second half.
  const noon = day.transactions.findIndex((transaction) => !isMorning(transaction));
  await publisher.transactions(day.transactions.slice(0, noon), rate, signal);
  const address = (): string => `${watched.service.url}/rules/spending-limit`;
  await changeRule(address, day.rules.changed, signal);
  if (signal.aborted) return;
  say(`${'-'.repeat(8)}  the spending limit is changed: PUT ${address()}`);
  await publisher.transactions(day.transactions.slice(noon), rate, signal);
  await publisher.endOfDay(day.endsAt);
  if (!signal.aborted) await allOutputs(day, outputs);
}

/** Resolves once the service has it: it reads the topic as any other copy does. Asks again where nobody answers: it may have been killed. */
async function changeRule(
  address: () => string,
  rule: SpendingLimitRule,
  signal: AbortSignal,
): Promise<void> {
  const body = JSON.stringify(rule);
  const headers = { 'content-type': 'application/json' };
  const ask = (options?: RequestInit): Promise<string> =>
    fetch(address(), options).then(
      (answer) => answer.text(),
      () => '',
    );
  while (!signal.aborted && (await ask()) !== body) {
    await ask({ method: 'PUT', headers, body });
    await delay(200);
  }
}

async function runCopy(service: ServiceProcess, signal: AbortSignal): Promise<number> {
  say(`A copy of the service is process ${service.pid}, at ${service.url}; Ctrl-C stops`);
  await Promise.race([aborted(signal), service.ended]);
  return signal.aborted ? (await service.end('SIGTERM'), 0) : 1;
}

/** False: there is an earlier day in them. */
async function prepareTopics(kafka: Kafka): Promise<boolean> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await createTopics(admin, TOPIC_CONFIGS);
    const ends = await whileRetriable(() => admin.fetchTopicOffsets(TOPICS.transactions));
    return ends.every(({ high }) => high === '0');
  } finally {
    await admin.disconnect();
  }
}

/** Lines are told as they come, unless everything comes at once. */
function followOutputs(kafka: Kafka, quietly: boolean): Promise<OutsideReader> {
  return readFromOutside(kafka, [TOPICS.alerts, TOPICS.cardEvents, TOPICS.late], ({ topic, value }) => {
    const line = quietly ? null : lineOf(topic, value);
    if (line !== null) say(line);
  });
}

/** All there will be, and a moment more; or as much as came. */
async function allOutputs(day: Day, outputs: OutsideReader): Promise<void> {
  const wanted = expectedCounts(day);
  await outputs.settled(
    () =>
      outputs.records(TOPICS.alerts).length >= wanted.alerts &&
      outputs.records(TOPICS.cardEvents).length >= wanted.cardEvents &&
      outputs.records(TOPICS.late).length >= wanted.late,
  );
}

function valuesOf<T>(outputs: OutsideReader, topic: string): T[] {
  return outputs.records(topic).map(({ value }) => value as T);
}
