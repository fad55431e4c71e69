// Every topology of topologies/ over its vectors: results record by record as in Kafka Streams' TopologyTestDriver.
import { describe, expect, it } from '@jest/globals';
import { explained } from './difference.ts';
import { countsDropsAlike } from './drops.ts';
import { droppedRecords, firstDifference } from './on-driver.ts';
import { buildTopology, needsTheRuntime, topologyNames } from './topologies/index.ts';
import { readVectors, vectorNames } from './vectors.ts';

const names = topologyNames.filter((name) => !needsTheRuntime.has(name));
const PROFILES = ['in order', 'out of order', 'late', 'null', 'duplicate', 'mixed'];

describe('the vectors', () => {
  it('are of the topologies there are, at least 60', () => {
    expect([...topologyNames].sort()).toEqual(vectorNames());
    expect(vectorNames().length).toBeGreaterThanOrEqual(60);
  });

  it.each(vectorNames())('of "%s" are 20 runs of all profiles, each with results', (name) => {
    const { runs } = readVectors(name);
    expect(runs).toHaveLength(20);
    for (const profile of PROFILES) {
      const lines = runs.filter((run) => run.profile === profile).flatMap(({ records }) => records);
      expect(lines.filter(({ length }) => length > 4).length).toBeGreaterThan(0);
    }
  });
});

describe('the results of Kafka Streams', () => {
  it.each(names)('are those of "%s", record by record', (name) => {
    const vectors = readVectors(name);
    const difference = firstDifference(() => buildTopology(vectors), vectors);
    if (difference !== null) throw new Error(explained(vectors, difference));
  });

  it.each(names.filter(countsDropsAlike))('are those of "%s" in records dropped', (name) => {
    const vectors = readVectors(name);
    const dropped = vectors.runs.map((_, run) => droppedRecords(buildTopology(vectors), vectors, run));
    expect(dropped).toEqual(vectors.runs.map((run) => run.dropped));
  });
});
