// A part of the vectors on the runtime itself, over a simulated broker: records of a topology one by one, whole batches, and through a crash.
import { describe, expect, it } from '@jest/globals';
import { explained } from './difference.ts';
import { canRunAsBatch, differenceByRecord, differenceOfBatch, sampledRuns } from './on-runtime.ts';
import { buildTopology, topologyNames } from './topologies/index.ts';
import { readVectors } from './vectors.ts';

/** Schedules are not state: they begin anew. So does the time of a partition that a timestamp extractor is shown. */
const BEGIN_ANEW = new Set([
  'timestamp-extractor',
  'process-stream-time-punctuator',
  'process-wall-clock-punctuator',
  'process-cancelled-punctuator',
  'headers-punctuator',
]);
const names = topologyNames;

describe('the results of Kafka Streams', () => {
  it.each(names)('are those of "%s" on the runtime, record by record', async (name) => {
    const vectors = readVectors(name);
    const runs = sampledRuns(vectors);
    expect(runs).toHaveLength(6);
    for (const run of runs) {
      const difference = await differenceByRecord(buildTopology(vectors), vectors, run);
      if (difference !== null) throw new Error(explained(vectors, difference));
    }
  });

  it.each(names.filter((name) => canRunAsBatch(readVectors(name))))(
    'are those of "%s" on the runtime, in one batch',
    async (name) => {
      const vectors = readVectors(name);
      for (let run = 0; run < vectors.runs.length; run++) {
        const difference = await differenceOfBatch(buildTopology(vectors), vectors, run);
        if (difference !== null) throw new Error(explained(vectors, difference));
      }
    },
  );

  it.each(names.filter((name) => !BEGIN_ANEW.has(name)))(
    'are those of "%s" on the runtime, though it is killed half-way',
    async (name) => {
      const vectors = readVectors(name);
      const run = vectors.runs.length - 1 - (names.indexOf(name) % 4);
      const difference = await differenceByRecord(buildTopology(vectors), vectors, run, 14);
      if (difference !== null) throw new Error(explained(vectors, difference));
    },
  );
});
