// Owns a run without a broker: the same service, twice, on a Kafka cluster simulated in this process. One copy is killed half-way; the
// other takes its tasks over, and the result is checked against the file.
import { setTimeout as delay } from 'node:timers/promises';
import { SimulatedKafka } from '#libs/millrace';
import { SimulatedCopies, say } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { AirportDelaysFeed } from './board/airport-delays-feed.ts';
import { TerminalBoard } from './board/terminal-board.ts';
import { recompute } from './check/recompute.ts';
import { checkReport } from './check/report.ts';
import { readDataset } from './data/dataset.ts';
import { airportMessages, flightMessages } from './loader/messages.ts';
import type { InputMessage } from './loader/messages.ts';
import { PARTITIONS, TOPICS } from './loader/topics.ts';
import { APPLICATION_ID, FlightDelaysModule } from './service/flight-delays.module.ts';

/** A paced load publishes as often. */
const TICKS_PER_SECOND = 10;
/** Off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 0 : 1_000;

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function runSimulated({ rate, once }: Arguments, signal: AbortSignal): Promise<number> {
  const dataset = await readDataset();
  const kafka = new SimulatedKafka();
  for (const topic of Object.values(TOPICS)) kafka.createTopic(topic, PARTITIONS);
  publish(kafka, TOPICS.airports, airportMessages(dataset));
  say('A Kafka cluster simulated in this process: no broker, nothing on disk, two copies of the service');
  const copies = await SimulatedCopies.start(
    kafka,
    (options) => FlightDelaysModule.forKafka(options),
    signal,
  );
  const feed = new AirportDelaysFeed();
  const ending = new AbortController();
  const following = feed.follow(kafka, ending.signal);
  const board = new TerminalBoard();
  let drawnAt = -Infinity;
  const show = (status: string): void => {
    if (performance.now() - drawnAt < REDRAW_MS) return;
    drawnAt = performance.now();
    board.draw({ airports: feed.airports.values(), status: `${copies.describe()}, ${status}` });
  };

  const flights = flightMessages(dataset);
  const perTick = once ? 1_000 : Math.max(1, Math.round(rate / TICKS_PER_SECOND));
  for (let sent = 0; sent < flights.length && !signal.aborted; sent += perTick) {
    if (!copies.isKilled && sent >= flights.length / 2) {
      board.release();
      say(copies.kill());
    }
    publish(kafka, TOPICS.flights, flights.slice(sent, sent + perTick));
    await delay(once ? 0 : 1_000 / TICKS_PER_SECOND);
    show(`${Math.min(flights.length, sent + perTick).toLocaleString('en')} flights published`);
  }
  while (!signal.aborted && kafka.lag(APPLICATION_ID, [TOPICS.flights, TOPICS.airports]) > 0) {
    await delay(1_000 / TICKS_PER_SECOND);
    show('all flights are published');
  }
  ending.abort();
  await following;
  await copies.close();
  if (signal.aborted) return 130;
  const actual = await AirportDelaysFeed.read(kafka);
  board.print({ airports: [...actual.values()], status: 'all input is processed, exactly once' });
  const { agrees, text } = checkReport(recompute(dataset), actual);
  say(`\n${text}`);
  return agrees ? 0 : 1;
}

function publish(kafka: SimulatedKafka, topic: string, messages: readonly InputMessage[]): void {
  kafka.publish(
    topic,
    messages.map(({ key, value, timestamp }) => ({ key, value, timestamp: Number(timestamp) })),
  );
}
