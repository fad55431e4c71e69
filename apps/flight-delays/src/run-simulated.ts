// Owns a run without a broker: the same service, twice, on a Kafka cluster simulated in this process. One copy is killed half-way; the
// other takes its tasks over, and the result is checked against the file. Nothing is installed, nothing is written to disk.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { SimulatedKafka, StreamsApplication } from '#libs/millrace';
import type { SimulatedHost } from '#libs/millrace';
import { say } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { AirportDelaysFeed } from './board/airport-delays-feed.ts';
import { TerminalBoard } from './board/terminal-board.ts';
import { recompute } from './check/recompute.ts';
import { checkReport } from './check/report.ts';
import { readDataset } from './data/dataset.ts';
import { airportMessages, flightMessages } from './loader/messages.ts';
import type { InputMessage } from './loader/messages.ts';
import { PARTITIONS, TOPICS } from './loader/topics.ts';
import { FlightDelaysModule } from './service/flight-delays.module.ts';

/** A paced load publishes as often. */
const TICKS_PER_SECOND = 10;
/** Off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 0 : 1_000;
/** A copy that was killed is missed by its group after this long. */
const SESSION_TIMEOUT_MS = 1_500;

interface Copy {
  readonly name: string;
  readonly host: SimulatedHost;
  readonly context: INestApplicationContext;
}

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function runSimulated({ rate, once }: Arguments, signal: AbortSignal): Promise<number> {
  const dataset = await readDataset();
  const kafka = new SimulatedKafka();
  for (const topic of Object.values(TOPICS)) kafka.createTopic(topic, PARTITIONS);
  publish(kafka, TOPICS.airports, airportMessages(dataset));
  say('A Kafka cluster simulated in this process: no broker, nothing on disk, two copies of the service');
  const copies = [await startCopy(kafka, 'copy-1'), await startCopy(kafka, 'copy-2')] as const;
  // The second one gets its share of the tasks by and by: a task changes hands once it is committed and closed.
  while (!signal.aborted && copies.some((copy) => tasksOf(copy) === 0)) await delay(1_000 / TICKS_PER_SECOND);
  const feed = new AirportDelaysFeed();
  const ending = new AbortController();
  const following = feed.follow(kafka, ending.signal);
  const board = new TerminalBoard();
  let drawnAt = -Infinity;
  const show = (status: string): void => {
    if (performance.now() - drawnAt < REDRAW_MS) return;
    drawnAt = performance.now();
    board.draw({ airports: feed.airports.values(), status });
  };

  const flights = flightMessages(dataset);
  const [killed, survivor] = copies;
  const perTick = once ? 1_000 : Math.max(1, Math.round(rate / TICKS_PER_SECOND));
  let isKilled = false;
  for (let sent = 0; sent < flights.length && !signal.aborted; sent += perTick) {
    if (!isKilled && sent >= flights.length / 2) {
      killed.host.kill();
      isKilled = true;
      board.release();
      say(
        `${killed.name} was killed, with whatever it was doing: ${survivor.name} takes over in ${SESSION_TIMEOUT_MS / 1_000} s`,
      );
    }
    publish(kafka, TOPICS.flights, flights.slice(sent, sent + perTick));
    await delay(once ? 0 : 1_000 / TICKS_PER_SECOND);
    show(
      `${describe(copies, isKilled)}, ${Math.min(flights.length, sent + perTick).toLocaleString('en')} flights published`,
    );
  }
  while (!signal.aborted && kafka.lag('flight-delays', [TOPICS.flights, TOPICS.airports]) > 0) {
    await delay(1_000 / TICKS_PER_SECOND);
    show(`${describe(copies, isKilled)}, all flights are published`);
  }
  ending.abort();
  await following;
  // The killed one can do nothing any more, not even stop.
  for (const { context } of isKilled ? [survivor] : copies) await context.close();
  if (signal.aborted) return 130;
  const actual = await AirportDelaysFeed.read(kafka);
  board.print({ airports: [...actual.values()], status: 'all input is processed, exactly once' });
  const { agrees, text } = checkReport(recompute(dataset), actual);
  say(`\n${text}`);
  return agrees ? 0 : 1;
}

async function startCopy(kafka: SimulatedKafka, name: string): Promise<Copy> {
  const host = kafka.host(name);
  const module = FlightDelaysModule.forKafka({
    kafka: host.kafka,
    clock: host.clock,
    instanceId: name,
    state: 'memory',
    until: 'stopped',
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: SESSION_TIMEOUT_MS / 3,
  });
  const context = await NestFactory.createApplicationContext(module, {
    // The board has the terminal; warnings and errors go to stderr.
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  });
  await context.get(StreamsApplication).whenRunning();
  return { name, host, context };
}

function publish(kafka: SimulatedKafka, topic: string, messages: readonly InputMessage[]): void {
  kafka.publish(
    topic,
    messages.map(({ key, value, timestamp }) => ({ key, value, timestamp: Number(timestamp) })),
  );
}

function tasksOf({ context }: Copy): number {
  return context.get(StreamsApplication).figures?.runningTasks.length ?? 0;
}

function describe(copies: readonly [Copy, Copy], isKilled: boolean): string {
  return copies
    .map((copy, i) =>
      isKilled && i === 0 ? `${copy.name} is dead` : `${copy.name} runs ${tasksOf(copy)} tasks`,
    )
    .join(', ');
}
