// Every topology of topologies/ over its vectors: results record by record as in Kafka Streams' TopologyTestDriver.
import { describe, expect, it } from '@jest/globals';
import { explained } from './difference.ts';
import { firstDifference } from './on-driver.ts';
import { buildTopology, needsTheRuntime, topologies } from './topologies/index.ts';
import { readVectors } from './vectors.ts';

const names = Object.keys(topologies).filter((name) => !needsTheRuntime.has(name));

describe('the results of Kafka Streams', () => {
  it.each(names)('are those of "%s", record by record', (name) => {
    const vectors = readVectors(name);
    expect(vectors.runs).toHaveLength(20);
    const difference = firstDifference(() => buildTopology(name), vectors);
    if (difference !== null) throw new Error(explained(vectors, difference));
  });
});
