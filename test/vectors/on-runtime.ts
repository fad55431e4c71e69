// Runs a topology over its vectors on TopologyTestDriver: the runtime as in production, on a simulated broker. Slower, so it runs a part:
// one run of each profile record by record, and, where the topology reads one topic, each run as one batch. It asserts nothing.
import { Serdes } from '#libs/serde';
import { TopologyTestDriver } from '#libs/testing';
import type { TopologyTestDriverOptions } from '#libs/testing';
import type { Topology } from '#libs/topology';
import { numbered, resultsOf, same, shown } from './difference.ts';
import type { Difference } from './difference.ts';
import { effects } from './topologies/words.ts';
import { WALL_CLOCK } from './vectors.ts';
import type { Vectors } from './vectors.ts';

const text = Serdes.string();

/** One of each profile. */
export function sampledRuns({ runs }: Vectors): number[] {
  return runs.flatMap(({ profile }, index) => (runs[index - 1]?.profile === profile ? [] : [index]));
}

/** Each record processed and committed before the next. `crashAt`: before this one the application is killed and started again. */
export async function differenceByRecord(
  topology: Topology,
  vectors: Vectors,
  run: number,
  crashAt = -1,
  stateBackend: TopologyTestDriverOptions['stateBackend'] = 'memory',
): Promise<Difference | null> {
  await using driver = await start(topology, vectors, stateBackend);
  const read = readerOf(driver, vectors);
  for (const [at, line] of vectors.runs[run]!.records.entries()) {
    const [topic, key, value, timestamp] = line;
    if (at === crashAt) {
      await driver.crash();
      await driver.restart();
    }
    if (topic === WALL_CLOCK) {
      await driver.advanceWallClockTime(timestamp);
    } else {
      const headers = vectors.headers === true ? [numbered(at)] : [];
      await driver.inputTopic(topic, text, text).pipe(key, value, { timestamp, headers });
    }
    const actual = read();
    const expected = resultsOf(line);
    if (!same(actual, expected)) return { run, at, expected, actual };
  }
  return null;
}

/** Does the order of its inputs not hang on when each is written? */
export function canRunAsBatch({ runs }: Vectors): boolean {
  return new Set(runs.flatMap(({ records }) => records.map(([topic]) => topic))).size === 1;
}

/** All records of a run at once, so that one batch is read ahead and processed in one epoch. */
export async function differenceOfBatch(
  topology: Topology,
  vectors: Vectors,
  run: number,
): Promise<Difference | null> {
  await using driver = await start(topology, vectors);
  const read = readerOf(driver, vectors);
  const { records } = vectors.runs[run]!;
  for (const [at, [topic, key, value, timestamp]] of records.entries()) {
    const headers = vectors.headers === true ? [numbered(at)] : [];
    await driver.inputTopic(topic, text, text).append(key, value, { timestamp, headers });
  }
  await driver.settle();
  const actual = read();
  const expected = inTopicOrder(vectors, records.flatMap(resultsOf));
  return same(actual, expected) ? null : { run, at: records.length - 1, expected, actual };
}

function start(
  topology: Topology,
  vectors: Vectors,
  stateBackend: TopologyTestDriverOptions['stateBackend'] = 'memory',
): Promise<TopologyTestDriver> {
  effects.length = 0;
  const partitions = Object.fromEntries(vectors.outputs.map((output) => [output, 1]));
  return TopologyTestDriver.start(topology, {
    startTimeMs: 0,
    partitions,
    stateBackend: stateBackend ?? 'memory',
  });
}

/** Reads what came out since the last call, topic by topic, then effects. */
function readerOf(driver: TopologyTestDriver, vectors: Vectors): () => string[] {
  return () => [
    ...vectors.outputs.flatMap((output, index) =>
      driver
        .outputTopic(output, text, text)
        .readAll()
        .map((record) => shown(vectors, index, record)),
    ),
    ...effects.splice(0).map((effect) => `effect: ${effect}`),
  ];
}

function inTopicOrder({ outputs }: Vectors, results: readonly string[]): string[] {
  const placeOf = (result: string): number => {
    if (result.startsWith('effect: ')) return outputs.length;
    const at = outputs.findIndex((output, index) => index > 0 && result.startsWith(`${output}: `));
    return Math.max(at, 0);
  };
  return results
    .map((result, index) => ({ result, index, place: placeOf(result) }))
    .sort((a, b) => a.place - b.place || a.index - b.index)
    .map(({ result }) => result);
}
