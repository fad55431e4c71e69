// Measures what a promotion costs besides the network: from the moment a copy is asked for its open state until a task could read it.
// A copy has been filled from a changelog on the simulated cluster (no latency), the state is RocksDB, the clock is the system's.
//   npm run -s node -- test/benchmarks/micro/promotion.ts [--records N] [--rounds N]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createMemoryCluster } from '#libs/broker-memory';
import { createBrokerClient } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import { StreamsRuntime, resolveRuntimeConfig } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { StreamsBuilder, checkPartitions } from '#libs/topology';

const { values: flags } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '5' } },
});
const records = Number(flags.records);

const cluster = createMemoryCluster({ clock: systemClock });
for (const topic of ['in', 'out']) cluster.topics.create(topic, 1, { 'retention.ms': '-1' });
const builder = new StreamsBuilder();
builder
  .stream<string, string>('in', { keySerde: Serdes.string(), valueSerde: Serdes.string() })
  .groupByKey()
  .count({ name: 'counts', keySerde: Serdes.string() })
  .toStream()
  .to('out', { keySerde: Serdes.string(), valueSerde: Serdes.json<number>() });
const topology = builder.build();

const dirs: string[] = [];
async function start(
  instanceId: string,
  numStandbys: number,
): Promise<{ runtime: StreamsRuntime; kill: () => void }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'millrace-promotion-'));
  dirs.push(stateDir);
  const process = cluster.process(instanceId);
  const runtime = new StreamsRuntime({
    topology,
    config: resolveRuntimeConfig({
      applicationId: 'app',
      instanceId,
      numStandbys,
      sessionTimeoutMs: 1_000,
      heartbeatIntervalMs: 100,
    }),
    client: createBrokerClient({ rpc: process.rpc(), clock: process.clock, logger: silentLogger }),
    backend: createRocksStateBackend({ stateDir }),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock: process.clock,
    logger: silentLogger,
    onRestore: (event, { role }) => {
      if (event === 'suspended' && role !== 'active') takenAt = performance.now();
    },
  });
  runtime.lifecycle.onChange((state) => {
    if (state === 'RUNNING') runningAt = performance.now();
  });
  await runtime.start();
  return { runtime, kill: () => process.kill() };
}
let takenAt = 0;
let runningAt = 0;

const until = async (what: string, holds: () => boolean): Promise<void> => {
  const from = performance.now();
  while (!holds()) {
    if (performance.now() - from > 300_000) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

let owner = await start('owner-0', 1);
await until('the owner runs', () => owner.runtime.lifecycle.state === 'RUNNING');
for (let from = 0; from < records; from += 10_000) {
  const batch = Array.from({ length: Math.min(10_000, records - from) }, (_, i) => ({
    key: `key-${from + i}`,
    value: 'x',
    timestamp: 1_000 + from,
  }));
  cluster.topics.append('in', 0, batch);
}
await until('all is processed', () => cluster.inspect.recordCount('out', 0) === records);
const times: number[] = [];
for (let round = 1; round <= Number(flags.rounds); round++) {
  const standby = await start(`owner-${round}`, 1);
  await until('the copy is current', () => {
    const [copy] = standby.runtime.figures?.copies ?? [];
    return copy !== undefined && copy.lag === 0 && copy.position >= records;
  });
  takenAt = 0;
  owner.kill();
  await until('the copy is promoted', () => takenAt > 0 && runningAt > takenAt);
  times.push(runningAt - takenAt);
  owner = standby;
}
console.log(JSON.stringify({ records, promotionMs: times.map((time) => Number(time.toFixed(1))) }));
for (const dir of dirs) await rm(dir, { recursive: true, force: true });
process.exit(0);
