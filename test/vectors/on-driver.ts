// Runs a topology over its vectors on the driver of libs/topology: the compiled operators over plain Maps, with nothing around them.
// Fast, so it runs every input. It finds the first difference and asserts nothing.
import type { Topology } from '#libs/topology';
import { Driver } from '../../libs/topology/test/driver.ts';
import { numbered, resultsOf, same, shown } from './difference.ts';
import type { Difference } from './difference.ts';
import { effects } from './topologies/words.ts';
import { WALL_CLOCK } from './vectors.ts';
import type { Vectors } from './vectors.ts';

/** The first input whose results are not Kafka Streams', `null`: there is none. `build` gives a new topology each time. */
export function firstDifference(build: () => Topology, vectors: Vectors): Difference | null {
  for (let run = 0; run < vectors.runs.length; run++) {
    const difference = differenceOf(build(), vectors, run);
    if (difference !== null) return difference;
  }
  return null;
}

/** How many records of a run are dropped. */
export function droppedRecords(topology: Topology, { runs }: Vectors, run: number): number {
  const driver = new Driver(topology);
  for (const [topic, key, value, time] of runs[run]!.records) {
    if (topic === WALL_CLOCK) driver.advanceWallClock(time);
    else driver.pipe(topic, key, value, time);
  }
  return driver.drops.length;
}

function differenceOf(topology: Topology, vectors: Vectors, run: number): Difference | null {
  const driver = new Driver(topology);
  const read = vectors.outputs.map(() => 0);
  effects.length = 0;
  for (const [at, line] of vectors.runs[run]!.records.entries()) {
    const [topic, key, value, time] = line;
    if (topic === WALL_CLOCK) driver.advanceWallClock(time);
    else driver.pipe(topic, key, value, time, undefined, vectors.headers === true ? [numbered(at)] : []);
    const actual: string[] = [];
    vectors.outputs.forEach((output, index) => {
      const records = driver.outputs(output);
      for (const record of records.slice(read[index])) actual.push(shown(vectors, index, record));
      read[index] = records.length;
    });
    for (const effect of effects.splice(0)) actual.push(`effect: ${effect}`);
    const expected = resultsOf(line);
    if (!same(actual, expected)) return { run, at, expected, actual };
  }
  return null;
}
