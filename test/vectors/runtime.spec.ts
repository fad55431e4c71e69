// A part of the vectors on the runtime itself, over a simulated broker: records of a topology one by one, whole batches, and through a crash.
import { describe, expect, it } from '@jest/globals';
import { explained } from './difference.ts';
import { canRunAsBatch, differenceByRecord, differenceOfBatch, sampledRuns } from './on-runtime.ts';
import { buildTopology, topologyNames } from './topologies/index.ts';
import { readVectors } from './vectors.ts';

/** What is told by fields of a processor begins anew, and so do schedules of the wall clock. */
const BEGIN_ANEW = new Set(['process-wall-clock-punctuator', 'process-cancelled-punctuator']);
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
      const place = names.indexOf(name);
      // One that is out of order or late, and one of the mixed.
      for (const run of [4 + (place % 6), 16 + (place % 4)]) {
        const crashAt = 10 + (place % 9);
        const difference = await differenceByRecord(buildTopology(vectors), vectors, run, crashAt);
        if (difference !== null) throw new Error(explained(vectors, difference));
      }
    },
  );
});
