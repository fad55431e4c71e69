// Every third topology with its state in RocksDB, killed half-way: what comes back from disk gives the results of Kafka Streams too.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { explained } from './difference.ts';
import { differenceByRecord } from './on-runtime.ts';
import { buildTopology, topologyNames } from './topologies/index.ts';
import { readVectors } from './vectors.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-vectors-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the results of Kafka Streams', () => {
  const names = topologyNames.filter((name, place) => place % 3 === 0 && !name.includes('punctuator'));

  it.each(names)('are those of "%s" from RocksDB', async (name) => {
    const vectors = readVectors(name);
    const run = 16 + (names.indexOf(name) % 4);
    const difference = await differenceByRecord(
      buildTopology(vectors),
      vectors,
      run,
      13,
      ({ instanceId, clock, logger }) =>
        createRocksStateBackend({ stateDir: join(folder, name, instanceId), clock, logger }),
    );
    if (difference !== null) throw new Error(explained(vectors, difference));
  });
});
