// Owns a run from its broker to its end: Friday with a kill, dead letters, the mending, the redrive, Monday, the verdict.
import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { peekDeadLetters, redriveDeadLetters, summarizeDeadLetters } from '#libs/millrace';
import {
  aborted,
  createTopics,
  outsideClient,
  say,
  startBroker,
  stateFolder,
  whileRetriable,
} from '../../lesson-kit/src/index.ts';
import type { ServiceProcess } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { booksTable } from './board/books.ts';
import { recompute } from './check/recompute.ts';
import { verdict } from './check/verdict.ts';
import { TOPICS, TOPIC_CONFIGS } from './data/topics.ts';
import { generateDays, messagesOf } from './generator/days.ts';
import { Publisher } from './generator/publish.ts';
import { Outputs, deadLettersAre, deadLettersOf, startService } from './shop-run.ts';

/** At first nobody thought of Sweden. */
const RATES = { EUR: 1, USD: 0.92, GBP: 1.17 };
const MENDED_RATES = { ...RATES, SEK: 0.09 };
/** A dead service is noticed after a while. */
const DEAD_FOR_MS = 1_000;

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const { bootstrapServers: brokers } = await startBroker(cleanUp);
  const stateDir = await stateFolder(args.stateDir, 'orders-payments', cleanUp);
  const kafka = outsideClient(brokers, 'shop');
  const isNew = await prepareTopics(kafka);
  if (!args.load) {
    const copy = await startService({ brokers, stateDir, rates: MENDED_RATES, instance: null });
    return await runCopy(copy, signal);
  }
  if (!isNew) {
    say(`This broker has seen Friday already: there are records in '${TOPICS.orders}'. Use another one.`);
    return 1;
  }

  const days = generateDays({ seed: args.seed });
  const messages = messagesOf(days);
  const friday = messages.filter(({ timestamp }) => timestamp < days.mondayAt);
  const monday = messages.slice(friday.length);
  const publisher = cleanUp.use(await Publisher.connect(kafka));
  const outputs = cleanUp.use(await Outputs.follow(kafka));
  const options = { brokers, stateDir, instance: 'books-1' };
  const perSecond = args.once ? null : args.rate;
  const letters = deadLettersOf(brokers);

  let service = await startService({ ...options, rates: RATES });
  // Whichever is the last.
  cleanUp.defer(() => service.end('SIGTERM').then(() => undefined));
  say(`\nFriday. The service is process ${service.pid}, at ${service.url} (/accounts, /health/ready)`);
  say(`Its dashboard: ${service.dashboard ?? 'none'}`);
  const half = Math.floor(friday.length / 2);
  await publisher.publish(friday.slice(0, half), perSecond, signal);
  const rest = publisher.publish(friday.slice(half), perSecond, signal);
  service = await killAndRestart(service, outputs, () => startService({ ...options, rates: RATES }));
  await rest;
  if (signal.aborted) return 130;
  const onFriday = recompute(days, { rates: RATES, until: days.mondayAt, isOver: false });
  await orFailed(service, outputs.settled(onFriday));
  await orFailed(service, deadLettersAre(brokers, onFriday.unpriced + days.unreadable.length));
  say(
    `\nAll of Friday is processed. What is not paid stays open until Monday:\n${booksTable(outputs.published.accounts)}`,
  );

  const { pending, byException, byOrigin } = await summarizeDeadLetters(letters);
  say(`\n${pending} dead letters, from ${counts(byOrigin)}: ${counts(byException)}`);
  for (const { origin, exception, message, value } of await peekDeadLetters({ ...letters, limit: 2 })) {
    const place = origin === null ? '?' : `${origin.topic}-${origin.partition}@${origin.offset}`;
    say(`  ${place}  ${exception ?? '?'}: ${message ?? ''}\n    ${Buffer.from(value ?? []).toString()}`);
  }

  await service.end('SIGTERM');
  service = await startService({ ...options, rates: MENDED_RATES });
  say(`\nMended: process ${service.pid} has a rate for SEK. The dead letters go back:`);
  const filter = { exceptions: ['UnknownCurrency'] };
  for (const what of ['put back', 'once more']) {
    const { redriven, filtered } = await redriveDeadLetters({ ...letters, filter });
    say(`  ${what.padEnd(9)}  ${redriven} redriven, ${filtered} others stay`);
  }
  const { redriven: discarded } = await redriveDeadLetters({ ...letters, discard: true });
  say(`  discarded  ${discarded} that nobody can read`);
  const putBack = recompute(days, { rates: MENDED_RATES, until: days.mondayAt, isOver: false });
  await orFailed(service, outputs.settled(putBack));

  await publisher.publish(monday, perSecond, signal);
  if (signal.aborted) return 130;
  const expected = recompute(days, { rates: MENDED_RATES, until: Infinity, isOver: true });
  await orFailed(service, outputs.settled(expected));
  say(
    `\nMonday. Friday's orders are settled, one way or another:\n${booksTable(outputs.published.accounts)}`,
  );
  const { isRight, text } = verdict(expected, outputs.published);
  say(`\n${text}`);
  return isRight ? 0 : 1;
}

/** kill −9 in the middle of whatever it does, and a new process in its place. */
async function killAndRestart(
  service: ServiceProcess,
  outputs: Outputs,
  start: () => Promise<ServiceProcess>,
): Promise<ServiceProcess> {
  const ended = await service.end('SIGKILL');
  const settledBefore = outputs.published.settlements.length;
  say(
    `\nProcess ${service.pid} is dead (${ended}): ${settledBefore.toLocaleString('en')} orders were settled`,
  );
  await delay(DEAD_FOR_MS);
  const startedAt = performance.now();
  const next = await start();
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  say(`Process ${next.pid} goes on where it was, ${seconds} s after its start`);
  return next;
}

async function runCopy(service: ServiceProcess, signal: AbortSignal): Promise<number> {
  say(`A copy of the service is process ${service.pid}, at ${service.url}; Ctrl-C stops`);
  await Promise.race([aborted(signal), service.ended]);
  return signal.aborted ? (await service.end('SIGTERM'), 0) : 1;
}

/** False: there are earlier days in them. */
async function prepareTopics(kafka: Kafka): Promise<boolean> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await createTopics(admin, TOPIC_CONFIGS);
    const ends = await whileRetriable(() => admin.fetchTopicOffsets(TOPICS.orders));
    return ends.every(({ high }) => high === '0');
  } finally {
    await admin.disconnect();
  }
}

/** What is awaited of the service does not come when it has failed. @throws Error then. */
async function orFailed<T>({ pid, ended }: ServiceProcess, awaited: Promise<T>): Promise<T> {
  const failed = ended.then((end) => {
    if (typeof end === 'number' && end !== 0)
      throw new Error(`the service, process ${pid}, ended with ${end}`);
    return new Promise<never>(() => undefined);
  });
  return Promise.race([awaited, failed]);
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
