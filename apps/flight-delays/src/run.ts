// Owns a run from its broker to its end: broker, topics, input, service, board; then everything closed in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { SchemaRegistryClient, StreamsApplication } from '#libs/millrace';
import type { KafkaConfig } from '#libs/millrace';
import {
  aborted,
  outsideClient,
  say,
  startBroker,
  startRegistry,
  stateFolder,
} from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { AirportDelaysFeed } from './board/airport-delays-feed.ts';
import { TerminalBoard } from './board/terminal-board.ts';
import { recompute } from './check/recompute.ts';
import { checkReport } from './check/report.ts';
import { readDataset } from './data/dataset.ts';
import type { Dataset } from './data/dataset.ts';
import { loadProgress } from './loader/load-progress.ts';
import { avroMessages, describeSubjects, registerResultSchema } from './loader/avro-messages.ts';
import { load } from './loader/load.ts';
import type { LoadOptions } from './loader/load.ts';
import { TOPICS, createTopics } from './loader/topics.ts';
import { avroSerdes, jsonSerdes } from './records/record-serdes.ts';
import type { RecordSerdes } from './records/record-serdes.ts';
import { FlightDelaysModule } from './service/flight-delays.module.ts';
import type { FlightDelaysOptions } from './service/flight-delays.module.ts';
import { openSight } from './sight.ts';

/** A redraw of the board; off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 250 : 1_000;

/** Where a run takes place. */
interface Place {
  readonly brokers: readonly string[];
  /** `null`: records are JSON. */
  readonly registryUrl: string | null;
  readonly records: RecordSerdes;
  readonly stateDir: string;
  readonly dataset: Dataset;
}

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const { bootstrapServers: brokers } = await startBroker(cleanUp);
  const registryUrl = args.avro ? (await startRegistry(cleanUp)).url : null;
  const stateDir = await stateFolder(args.stateDir, 'flight-delays', cleanUp);
  const records =
    registryUrl === null ? jsonSerdes() : avroSerdes(new SchemaRegistryClient({ host: registryUrl }));
  const place: Place = { brokers, registryUrl, records, stateDir, dataset: await readDataset() };
  // Awaited here: what is returned outlives the cleaning up.
  const exitCode = args.once
    ? await runOnce(args, place, signal)
    : await runLive(args, place, signal, cleanUp);
  return exitCode;
}

/** Everything is published, then processed, then checked. */
async function runOnce({ load: publish }: Arguments, place: Place, signal: AbortSignal): Promise<number> {
  const { brokers, dataset, records } = place;
  if (publish)
    await load({ brokers, dataset, ...(await inputOf(place)), onProgress: loadProgress(), signal });
  if (signal.aborted) return 130;
  const service = await startService(place, { until: 'latest' });
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
  const actual = await AirportDelaysFeed.read(boardClient(brokers), records.airportDelays);
  new TerminalBoard().print({ airports: [...actual.values()], status: 'all input is processed' });
  const { agrees, text } = checkReport(recompute(dataset), actual);
  say(`\n${text}`);
  if (place.registryUrl !== null) say(`\n${await describeSubjects(place.registryUrl)}`);
  return agrees ? 0 : 1;
}

/** Airports are published, the service starts, flights come in; the board shows it until the signal. */
async function runLive(
  args: Arguments,
  place: Place,
  signal: AbortSignal,
  cleanUp: AsyncDisposableStack,
): Promise<number> {
  const { brokers, dataset, records } = place;
  const sight = await openSight(args, cleanUp);
  await withTopics(brokers);
  const ending = new AbortController();
  signal.addEventListener('abort', () => ending.abort());
  // The service starts behind the airports: a flight that came before its airport would find none to join.
  const airportsPublished = Promise.withResolvers<undefined>();
  const progress = { done: 0, total: dataset.flights.length };
  const loading = args.load
    ? load({
        ...{ brokers, dataset, ...(await inputOf(place)) },
        flightsPerSecond: args.rate,
        signal: ending.signal,
        onProgress: (topic, done, total) => {
          if (topic === TOPICS.airports && done === total) airportsPublished.resolve(undefined);
          if (topic === TOPICS.flights) progress.done = done;
        },
      })
    : Promise.resolve(airportsPublished.resolve(undefined));
  await Promise.race([airportsPublished.promise, loading]);
  const service = await startService(place, { until: 'stopped', ...sight.options }).catch(async (error) => {
    ending.abort();
    await Promise.allSettled([loading]);
    throw error;
  });
  const application = service.get(StreamsApplication);
  say(`\n${sight.addresses.join('\n')}`);
  say(`A second copy, in another terminal:\n  ${secondCopy(place)}\n`);
  const feed = new AirportDelaysFeed(records.airportDelays);
  const following = feed.follow(boardClient(brokers), ending.signal);
  const drawing = draw(feed, ending.signal, () => statusOf(application, args.load, progress));
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

/** What `load` publishes, if it is not JSON. */
async function inputOf({ registryUrl, dataset }: Place): Promise<Pick<LoadOptions, 'messages'>> {
  return registryUrl === null ? {} : { messages: await avroMessages(dataset, registryUrl) };
}

function secondCopy({ brokers, registryUrl }: Place): string {
  const registry = registryUrl === null ? '' : `SCHEMA_REGISTRY_URL=${registryUrl} `;
  const avro = registryUrl === null ? '' : ' --avro';
  return `${registry}KAFKA_BROKERS=${brokers.join(',')} npm start -- flight-delays${avro} --no-load`;
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

async function startService(
  { brokers, registryUrl, records, stateDir }: Place,
  more: Partial<FlightDelaysOptions>,
): Promise<INestApplicationContext> {
  // The service registers what is its own, the schemas of its stores; this one is of a topic, and part of its deployment.
  if (registryUrl !== null) await registerResultSchema(registryUrl);
  const module = FlightDelaysModule.forKafka({ kafka: { brokers }, stateDir, ...more }, records);
  return NestFactory.createApplicationContext(module, {
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
  if (application.state === 'PENDING_SHUTDOWN') return 'stopping';
  const state = restoring > 0 ? `${restoring} tasks restoring` : application.state.toLowerCase();
  const published =
    !publish || done >= total
      ? ''
      : `, ${done.toLocaleString('en')} of ${total.toLocaleString('en')} flights published`;
  return `${state}${published}; Ctrl-C stops`;
}
