// The engine alone, without a broker: records per second of an aggregate, a windowed count or a passthrough on logs in memory.
// node --conditions=millrace-source test/benchmarks/micro/engine.ts [aggregate|passthrough|windowed|windowed-on-close] [records] [keys] [memory|rocksdb] [queriers]
// With queriers the aggregate's store is read meanwhile: each asks for a key, then for a page of 100, again and again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordBatchEncoder } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { QueryableStore, StoreQueryError, StreamsRuntime, resolveRuntimeConfig } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { EmitStrategy, minutes, StreamsBuilder, TimeWindows, checkPartitions } from '#libs/topology';
import { InProcessBroker } from '../../support/in-process-broker.ts';

const workload = process.argv[2] ?? 'aggregate';
const records = Number(process.argv[3] ?? 1_000_000);
const keys = Number(process.argv[4] ?? 100_000);
const backendName = process.argv[5] ?? 'memory';
const queriers = Number(process.argv[6] ?? 0);
const PARTITIONS = 4;

interface Payment {
  id: number;
  account: string;
  amount: number;
  ts: number;
}

const broker = new InProcessBroker();
broker.createTopic('in', PARTITIONS);
broker.createTopic('out', PARTITIONS);
let state = 12345;
const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0);
const encoders = Array.from({ length: PARTITIONS }, () => new RecordBatchEncoder());
for (let i = 0; i < records; i++) {
  const account = `k${String(random() % keys).padStart(9, '0')}`;
  const partition = Number(account.slice(1)) % PARTITIONS;
  const value = `{"id":${i},"account":"${account}","amount":${random() % 1000},"ts":${1_700_000_000_000 + i},"note":"0123456789abcdef"}`;
  const encoder = encoders[partition]!;
  encoder.appendText(1_700_000_000_000 + i, account as BinaryString, value);
  if (encoder.size > 64_000) broker.append('in', partition, encoder.finish()!);
}
encoders.forEach((encoder, partition) => {
  const batch = encoder.finish();
  if (batch !== undefined) broker.append('in', partition, batch);
});
broker.keepOnly = new Set();

const builder = new StreamsBuilder();
const key = Serdes.string();
const value = Serdes.json<Payment>();
const sum = Serdes.json<{ account: string; sum: number }>();
if (workload === 'aggregate') {
  builder
    .stream<string, Payment>('in', { keySerde: key, valueSerde: value })
    .groupByKey()
    .aggregate(
      () => ({ account: '', sum: 0 }),
      (account, payment, total) => ({ account, sum: total.sum + payment.amount }),
      { name: 'sums', keySerde: key, valueSerde: sum },
    )
    .toStream()
    .to('out', { keySerde: key, valueSerde: sum });
} else if (workload === 'windowed' || workload === 'windowed-on-close') {
  // Windows of 60 s and a record a millisecond, as in `npm run bench -- windowed-count`.
  builder
    .stream<string, Payment>('in', { keySerde: key, valueSerde: value })
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
    .emitStrategy(workload === 'windowed' ? EmitStrategy.onWindowUpdate() : EmitStrategy.onWindowClose())
    .count({ name: 'counts' })
    .toStream()
    .map(({ key: account, window }, count) => [account, { account, start: window.start, count }])
    .to('out', { keySerde: key, valueSerde: Serdes.json() });
} else {
  builder
    .stream<string, Payment>('in', { keySerde: key, valueSerde: value })
    .mapValues((payment) => ({ ...payment, amount: payment.amount * 2 }))
    .to('out', { keySerde: key, valueSerde: value });
}
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-engine-'));
const backend =
  backendName === 'rocksdb'
    ? (await import('#libs/state-rocksdb')).createRocksStateBackend({
        stateDir,
        clock: systemClock,
        logger: silentLogger,
      })
    : createMemoryStateBackend();
const runtime = new StreamsRuntime({
  topology: builder.build(),
  config: resolveRuntimeConfig({ applicationId: 'engine', instanceId: 'one', until: 'latest' }),
  client: broker.client(),
  backend,
  checkPartitions: (topology, counts) => checkPartitions(topology, counts).repartitionCounts,
  clock: systemClock,
  logger: silentLogger,
});
const start = performance.now();
const queried = { gets: 0, rows: 0, getMs: 0, pageMs: 0, getMsMax: 0, pageMsMax: 0, pages: 0, refused: 0 };
let ended = false;

async function query(): Promise<void> {
  const store = new QueryableStore<string, { sum: number }>(runtime.queries, 'sums');
  while (!ended) {
    const account = `k${String(random() % keys).padStart(9, '0')}`;
    try {
      const asked = performance.now();
      // The topic's partitions are chosen by number here, not by hash.
      await store.get(account, { partition: Number(account.slice(1)) % PARTITIONS });
      const got = performance.now();
      queried.gets++;
      queried.getMs += got - asked;
      queried.getMsMax = Math.max(queried.getMsMax, got - asked);
      queried.rows += (await store.range({ lower: account, limit: 100 })).entries.length;
      queried.pages++;
      const took = performance.now() - got;
      queried.pageMs += took;
      queried.pageMsMax = Math.max(queried.pageMsMax, took);
    } catch (error) {
      if (!(error instanceof StoreQueryError)) throw error;
      queried.refused++;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

await runtime.start();
const querying = Promise.all(Array.from({ length: queriers }, query));
await runtime.whenEnded();
ended = true;
await querying;
const seconds = (performance.now() - start) / 1000;
const cpu = process.cpuUsage();
console.log(
  JSON.stringify({
    workload,
    backend: backendName,
    records,
    seconds: Number(seconds.toFixed(3)),
    recordsPerSecond: Math.round(records / seconds),
    written: Object.fromEntries(broker.writtenRecords),
    transactions: broker.transactions,
    rssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    cpuSeconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(2)),
    ...(queriers === 0
      ? {}
      : {
          queriers,
          gets: queried.gets,
          getMs: Number((queried.getMs / queried.gets).toFixed(2)),
          getMsMax: Math.round(queried.getMsMax),
          pages: queried.pages,
          pageMs: Number((queried.pageMs / queried.pages).toFixed(2)),
          pageMsMax: Math.round(queried.pageMsMax),
          rows: queried.rows,
        }),
  }),
);
await backend.close();
rmSync(stateDir, { recursive: true, force: true });
