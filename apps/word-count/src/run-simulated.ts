// Owns a run without a broker: the same service, twice, on a Kafka cluster simulated in this process. One copy is killed in the middle of the
// story, and the counts are checked all the same.
import { setTimeout as delay } from 'node:timers/promises';
import { Serdes, SimulatedKafka } from '#libs/millrace';
import { SimulatedCopies, TerminalScreen, TopicTable, say } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { drawing } from './chart.ts';
import { verdict } from './check.ts';
import { readStory } from './data/story.ts';
import { PARTITIONS } from './publish-lines.ts';
import { TOPICS } from './service/topics.ts';
import { APPLICATION_ID, WordCountModule } from './service/word-count.module.ts';

/** The story is told as often. */
const ROUNDS = 10;
const TICK_MS = 100;
/** Off a terminal a line is enough each second. */
const REDRAW_MS = process.stdout.isTTY ? 0 : 1_000;
/** What is to be processed until every word is counted. */
const INPUTS = [TOPICS.lines, `${APPLICATION_ID}-by-word-repartition`];

/** Resolves to the exit code. `signal`: the user wants it to end. */
export async function runSimulated({ once }: Arguments, signal: AbortSignal): Promise<number> {
  const kafka = new SimulatedKafka();
  for (const topic of Object.values(TOPICS)) kafka.createTopic(topic, PARTITIONS);
  say('A Kafka cluster simulated in this process: no broker, nothing on disk, two copies of the service');
  const copies = await SimulatedCopies.start(kafka, (options) => WordCountModule.forKafka(options), signal);
  const counts = new TopicTable<number>(TOPICS.wordCounts, Serdes.json<number>());
  const ending = new AbortController();
  const following = counts.follow(kafka, ending.signal);
  const screen = new TerminalScreen();
  let drawnAt = -Infinity;
  const show = (): void => {
    if (performance.now() - drawnAt < REDRAW_MS) return;
    drawnAt = performance.now();
    screen.draw(drawing(counts.rows, copies.describe()));
  };

  const story = await readStory();
  const lines = Array.from({ length: ROUNDS }, () => story).flat();
  const perTick = Math.ceil(lines.length / 50);
  for (let sent = 0; sent < lines.length && !signal.aborted; sent += perTick) {
    if (!copies.isKilled && sent >= lines.length / 2) {
      screen.release();
      say(copies.kill());
    }
    kafka.publish(
      TOPICS.lines,
      lines.slice(sent, sent + perTick).map((value) => ({ key: null, value })),
    );
    await delay(once ? 0 : TICK_MS);
    show();
  }
  while (!signal.aborted && kafka.lag(APPLICATION_ID, INPUTS) > 0) {
    await delay(TICK_MS);
    show();
  }
  ending.abort();
  await following;
  await copies.close();
  if (signal.aborted) return 130;
  return verdict(kafka);
}
