// Owns a run from its broker to its end: broker, topics, input, service, board; then everything closed in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { LocalBroker } from '#libs/broker-local';
import { StreamsApplication } from '#libs/millrace';
import type { KafkaConfig } from '#libs/millrace';
import { aborted, outsideClient, say, startBroker, stateFolder } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { AirportDelaysFeed } from './board/airport-delays-feed.ts';
import { TerminalBoard } from './board/terminal-board.ts';
import { recompute } from './check/recompute.ts';
import { checkReport } from './check/report.ts';
import { readDataset } from './data/dataset.ts';
import type { Dataset } from './data/dataset.ts';
import { loadProgress } from './loader/load-progress.ts';
import { load } from './loader/load.ts';
import { TOPICS, createTopics } from './loader/topics.ts';
import { FlightDelaysModule } from './service/flight-delays.module.ts';

/** A redraw of the board; off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 250 : 1_000;

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const broker = await startBroker(cleanUp);
  const stateDir = await stateFolder(args.stateDir, 'flight-delays', cleanUp);
  const dataset = await readDataset();
  // Awaited here: what is returned outlives the cleaning up.
  const exitCode = args.once
    ? await runOnce(args, broker, stateDir, dataset, signal)
    : await runLive(args, broker, stateDir, dataset, signal);
  return exitCode;
}

/** Everything is published, then processed, then checked. */
async function runOnce(
  { load: publish }: Arguments,
  { bootstrapServers: brokers }: LocalBroker,
  stateDir: string,
  dataset: Dataset,
  signal: AbortSignal,
): Promise<number> {
  if (publish) await load({ brokers, dataset, onProgress: loadProgress(), signal });
  if (signal.aborted) return 130;
  const service = await startService(brokers, stateDir, 'latest');
  const application = service.get(StreamsApplication);
  const started = performance.now();
  const stop = (): void => void service.close().catch(() => undefined);
  signal.addEventListener('abort', stop);
  try {
    await application.whenEnded();
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (signal.aborted) return 130;
  const processed = application.figures?.processedRecords ?? 0;
  await service.close();
  say(
    `${processed.toLocaleString('en')} records processed in ${((performance.now() - started) / 1000).toFixed(1)} s, exactly once`,
  );
  const actual = await AirportDelaysFeed.read(boardClient(brokers));
  new TerminalBoard().print({ airports: [...actual.values()], status: 'all input is processed' });
  const { agrees, text } = checkReport(recompute(dataset), actual);
  say(`\n${text}`);
  return agrees ? 0 : 1;
}

/** Airports are published, the service starts, flights come in; the board shows it until the signal. */
async function runLive(
  { load: publish, rate }: Arguments,
  { bootstrapServers: brokers }: LocalBroker,
  stateDir: string,
  dataset: Dataset,
  signal: AbortSignal,
): Promise<number> {
  await withTopics(brokers);
  const ending = new AbortController();
  signal.addEventListener('abort', () => ending.abort());
  // The service starts behind the airports: a flight that came before its airport would find none to join.
  const airportsPublished = Promise.withResolvers<undefined>();
  const progress = { done: 0, total: dataset.flights.length };
  const loading = publish
    ? load({
        brokers,
        dataset,
        flightsPerSecond: rate,
        signal: ending.signal,
        onProgress: (topic, done, total) => {
          if (topic === TOPICS.airports && done === total) airportsPublished.resolve(undefined);
          if (topic === TOPICS.flights) progress.done = done;
        },
      })
    : Promise.resolve(airportsPublished.resolve(undefined));
  await Promise.race([airportsPublished.promise, loading]);
  const service = await startService(brokers, stateDir, 'stopped');
  const application = service.get(StreamsApplication);
  const feed = new AirportDelaysFeed();
  const following = feed.follow(boardClient(brokers), ending.signal);
  const drawing = draw(feed, ending.signal, () => statusOf(application, publish, progress));
  try {
    await Promise.race([
      // Either may fail while the service runs.
      application.whenEnded(),
      Promise.all([loading, following, drawing, aborted(ending.signal)]),
    ]);
    if (ending.signal.aborted) say('\nStopping: what is processed is committed, then the group is left.');
  } finally {
    ending.abort();
    await service.close();
    await Promise.allSettled([loading, following, drawing]);
  }
  return 0;
}

async function withTopics(brokers: readonly string[]): Promise<void> {
  const admin = outsideClient(brokers, 'flight-delays').admin();
  await admin.connect();
  try {
    await createTopics(admin);
  } finally {
    await admin.disconnect();
  }
}

function startService(
  brokers: readonly string[],
  stateDir: string,
  until: 'stopped' | 'latest',
): Promise<INestApplicationContext> {
  const options = { kafka: { brokers }, stateDir, until };
  return NestFactory.createApplicationContext(FlightDelaysModule.forKafka(options), {
    // The board has the terminal; warnings and errors go to stderr.
    logger: ['warn', 'error', 'fatal'],
    // The caller prints what went wrong, in one place.
    abortOnError: false,
  });
}

function boardClient(brokers: readonly string[]): KafkaConfig {
  return { brokers, clientId: 'airport-delays-board' };
}

async function draw(feed: AirportDelaysFeed, signal: AbortSignal, status: () => string): Promise<void> {
  const board = new TerminalBoard();
  const show = (): void => board.draw({ airports: feed.airports.values(), status: status() });
  while (!signal.aborted) {
    show();
    await delay(REDRAW_MS, undefined, { signal }).catch(() => undefined);
  }
  show();
}

function statusOf(
  application: StreamsApplication,
  publish: boolean,
  { done, total }: { readonly done: number; readonly total: number },
): string {
  const restoring = application.figures?.openingTasks.length ?? 0;
  const state = restoring > 0 ? `${restoring} tasks restoring` : application.state.toLowerCase();
  const published =
    !publish || done >= total
      ? ''
      : `, ${done.toLocaleString('en')} of ${total.toLocaleString('en')} flights published`;
  return `${state}${published}; Ctrl-C stops`;
}
