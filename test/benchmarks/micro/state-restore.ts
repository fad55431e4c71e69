// Measures how fast changelog records get into RocksDB: several tasks' databases at once, from fetched columns, as the
// restorer hands them over. No broker: what it costs to fetch and decode is not in the figure.
//   npm run -s node -- test/benchmarks/micro/state-restore.ts [--records N] [--tasks N] [--batch N] [--key-bytes N]
//     [--value-bytes N] [--in-flight N] [--sorted]
// A profile: node --cpu-prof --cpu-prof-dir=.cache/profiles --conditions=millrace-source <this file>
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Serdes } from '#libs/serde';
import type { RestoreBatch } from '#libs/state';
import { createRocksStateBackend } from '#libs/state-rocksdb';

const { values: flags } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    tasks: { type: 'string', default: '4' },
    batch: { type: 'string', default: '2000' },
    'key-bytes': { type: 'string', default: '16' },
    'value-bytes': { type: 'string', default: '100' },
    'in-flight': { type: 'string', default: '4' },
    sorted: { type: 'boolean', default: false },
  },
});
const records = Number(flags.records);
const tasks = Number(flags.tasks);
const batchRecords = Number(flags.batch);
const keyBytes = Number(flags['key-bytes']);
const valueBytes = Number(flags['value-bytes']);
const inFlightMax = Number(flags['in-flight']);

const stateDir = await mkdtemp(join(tmpdir(), 'millrace-restore-'));
const backend = createRocksStateBackend({ stateDir, expectedTasks: tasks });
const store = {
  kind: 'keyValue' as const,
  name: 'totals',
  keySerde: Serdes.string(),
  valueSerde: Serdes.bytes(),
  logged: true,
};

let seed = 1;
/** Deterministic, so that two runs write the same keys. */
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed % below;
}

/** A section as fetched: keys of digits, each record's fields behind the other. */
function section(): RestoreBatch {
  const stride = 6 + keyBytes + 1 + valueBytes + 1;
  const batch = {
    count: batchRecords,
    bytes: Buffer.alloc(stride * batchRecords, 65),
    keyStart: new Int32Array(batchRecords),
    keyEnd: new Int32Array(batchRecords),
    valueStart: new Int32Array(batchRecords),
    valueEnd: new Int32Array(batchRecords),
    timestamps: new Float64Array(batchRecords).fill(1_700_000_000_000),
  };
  const ids = Float64Array.from({ length: batchRecords }, () => random(1_000_000_000));
  if (flags.sorted) ids.sort();
  for (let i = 0; i < batchRecords; i++) {
    const at = i * stride + 6;
    batch.bytes.write(String(ids[i]).padStart(keyBytes, '0'), at, 'latin1');
    batch.keyStart[i] = at;
    batch.keyEnd[i] = at + keyBytes;
    batch.valueStart[i] = at + keyBytes + 1;
    batch.valueEnd[i] = at + keyBytes + 1 + valueBytes;
  }
  return batch;
}

const perTask = Math.floor(records / tasks / batchRecords);
const sections = Array.from({ length: perTask * tasks }, section);
const states = await Promise.all(
  Array.from({ length: tasks }, (_, i) =>
    backend.open({
      applicationId: 'bench',
      taskId: `0_${i}`,
      stores: [store],
      cacheBytesMax: 1 << 24,
      writeBehindBytes: 1 << 22,
      writeBehindIntervalMs: 1_000,
    }),
  ),
);

let longestTurnMs = 0;
const cpu = process.cpuUsage();
const threadCpu = process.threadCpuUsage();
const startMs = performance.now();
await Promise.all(
  states.map(async (state, task) => {
    const inFlight: Promise<void>[] = [];
    for (let i = 0; i < perTask; i++) {
      const turn = performance.now();
      inFlight.push(state.restore('totals', sections[task * perTask + i]!, i + 1));
      longestTurnMs = Math.max(longestTurnMs, performance.now() - turn);
      if (inFlight.length >= inFlightMax) await inFlight.shift();
    }
    await Promise.all(inFlight);
    await state.restored({});
  }),
);
const elapsedMs = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpu);
const loop = process.threadCpuUsage(threadCpu);
const done = perTask * tasks * batchRecords;
console.log(
  JSON.stringify({
    records: done,
    tasks,
    batchRecords,
    recordsPerSecond: Math.round((done / elapsedMs) * 1_000),
    loopCpuMicrosPerRecord: Number(((loop.user + loop.system) / done).toFixed(2)),
    cpuMicrosPerRecord: Number(((user + system) / done).toFixed(2)),
    longestCallMs: Number(longestTurnMs.toFixed(1)),
    rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  }),
);
const closeStart = performance.now();
await Promise.all(states.map((state) => state.close()));
await backend.close();
console.log(JSON.stringify({ closeMs: Math.round(performance.now() - closeStart) }));
await rm(stateDir, { recursive: true, force: true });
