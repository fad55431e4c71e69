// Owns a run from its broker to its end: broker, topics, service, lines, chart; then everything closed in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { Serdes, StreamsApplication } from '#libs/millrace';
import {
  TerminalScreen,
  TopicTable,
  aborted,
  outsideClient,
  say,
  startBroker,
  stateFolder,
} from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { drawing } from './chart.ts';
import { verdict } from './check.ts';
import { readStory } from './data/story.ts';
import { publishForever, publishOnce, withTopics } from './publish-lines.ts';
import { TOPICS } from './service/topics.ts';
import { WordCountModule } from './service/word-count.module.ts';

/** A redraw of the chart; off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 250 : 1_000;

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const { bootstrapServers: brokers } = await startBroker(cleanUp);
  const stateDir = await stateFolder(args.stateDir, 'word-count', cleanUp);
  await withTopics(outsideClient(brokers, 'word-count-lines'));
  // Awaited here: what is returned outlives the cleaning up.
  const exitCode = args.once
    ? await runOnce(args, brokers, stateDir, signal)
    : await runLive(args, brokers, stateDir, signal);
  return exitCode;
}

/** The story is published, then counted, then the counts are checked. */
async function runOnce(
  args: Arguments,
  brokers: readonly string[],
  stateDir: string,
  signal: AbortSignal,
): Promise<number> {
  if (args.load) await publishOnce(outsideClient(brokers, 'word-count-lines'), await readStory());
  const service = await startService(brokers, stateDir, 'latest');
  const stop = (): void => void service.close().catch(() => undefined);
  signal.addEventListener('abort', stop);
  await service.get(StreamsApplication).whenEnded();
  await service.close();
  if (signal.aborted) return 130;
  return verdict({ brokers });
}

/** The service runs, lines come in, the chart shows it until the signal. */
async function runLive(
  args: Arguments,
  brokers: readonly string[],
  stateDir: string,
  signal: AbortSignal,
): Promise<number> {
  const service = await startService(brokers, stateDir, 'stopped');
  const application = service.get(StreamsApplication);
  say(`This copy is process ${process.pid}. A second one, in another terminal:`);
  say(`  KAFKA_BROKERS=${brokers.join(',')} npm start -- word-count --no-load\n`);
  const ending = new AbortController();
  signal.addEventListener('abort', () => ending.abort());
  if (signal.aborted) ending.abort();
  const counts = new TopicTable<number>(TOPICS.wordCounts, Serdes.json<number>());
  const work = [
    counts.follow({ brokers, clientId: 'word-count-chart' }, ending.signal),
    draw(counts.rows, application, ending.signal),
    ...(args.load
      ? [
          publishForever(
            outsideClient(brokers, 'word-count-lines'),
            await readStory(),
            args.rate,
            ending.signal,
          ),
        ]
      : []),
    aborted(ending.signal),
  ];
  try {
    // Either may fail while the service runs.
    await Promise.race([application.whenEnded(), Promise.all(work)]);
    if (ending.signal.aborted) say('\nStopping: what is counted is committed, then the group is left.');
  } finally {
    ending.abort();
    await service.close();
    await Promise.allSettled(work);
  }
  return 0;
}

function startService(
  brokers: readonly string[],
  stateDir: string,
  until: 'stopped' | 'latest',
): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(
    WordCountModule.forKafka({ kafka: { brokers }, stateDir, until }),
    {
      // The chart has the terminal; warnings and errors go to stderr.
      logger: ['warn', 'error', 'fatal'],
      // The caller prints what went wrong, in one place.
      abortOnError: false,
    },
  );
}

async function draw(
  counts: ReadonlyMap<string, number>,
  application: StreamsApplication,
  signal: AbortSignal,
): Promise<void> {
  const screen = new TerminalScreen();
  const show = (): void => screen.draw(drawing(counts, statusOf(application)));
  while (!signal.aborted) {
    show();
    await delay(REDRAW_MS, undefined, { signal }).catch(() => undefined);
  }
  show();
}

/** What this copy is at. A topology of two parts over four partitions has eight tasks. */
function statusOf({ state, figures }: StreamsApplication): string {
  if (state === 'PENDING_SHUTDOWN') return 'stopping';
  const running = figures?.runningTasks.length ?? 0;
  const opening = figures?.openingTasks.length ?? 0;
  const restoring = opening > 0 ? `, ${opening} being restored` : '';
  return `${state.toLowerCase()}: ${running} tasks on this copy${restoring}; Ctrl-C stops`;
}
