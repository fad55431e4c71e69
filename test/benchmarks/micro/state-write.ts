// Measures the way of a state update: look up, decode, set, seal, commit, write behind. A sum per key, as an aggregate does
// it, on RocksDB or in memory, without broker and serialisation of records.
//   npm run -s node -- test/benchmarks/micro/state-write.ts [--records N] [--keys N] [--epoch N] [--backend rocksdb|memory]
//     [--value number|object] [--cache-mib N]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Serdes } from '#libs/serde';
import type { BinaryString } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { createRocksStateBackend } from '#libs/state-rocksdb';

const { values: flags } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    keys: { type: 'string', default: '100000' },
    epoch: { type: 'string', default: '20000' },
    backend: { type: 'string', default: 'rocksdb' },
    value: { type: 'string', default: 'number' },
    'cache-mib': { type: 'string', default: '64' },
    'write-behind-mib': { type: 'string', default: '4' },
  },
});
const records = Number(flags.records);
const keyCount = Number(flags.keys);
const epochRecords = Number(flags.epoch);
/** Records between two turns of the loop, and in one read-ahead: about one fetched batch. */
const TURN_RECORDS = 2_000;

const stateDir = await mkdtemp(join(tmpdir(), 'millrace-write-'));
const backend =
  flags.backend === 'memory'
    ? createMemoryStateBackend()
    : createRocksStateBackend({ stateDir, expectedTasks: 4 });
const state = await backend.open({
  applicationId: 'bench',
  taskId: '0_0',
  stores: [
    {
      kind: 'keyValue',
      name: 'sums',
      keySerde: Serdes.string(),
      valueSerde: Serdes.json(),
      logged: true,
    },
  ],
  cacheBytesMax: Number(flags['cache-mib']) * 2 ** 20,
  writeBehindBytes: Number(flags['write-behind-mib']) * 2 ** 20,
  writeBehindIntervalMs: 1_000,
});
await state.restored({});
const store = state.store<number | { sum: number }>('sums');
const asObject = flags.value === 'object';

let seed = 1;
const keys: BinaryString[] = [];
for (let i = 0; i < TURN_RECORDS; i++) keys.push('' as BinaryString);
const text = Buffer.alloc(TURN_RECORDS * 16);

/** Keys as they come out of a fetched batch: slices of one text. */
function nextKeys(): void {
  for (let i = 0; i < TURN_RECORDS; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    text.write(String(seed % keyCount).padStart(16, 'k'), i * 16, 'latin1');
  }
  const batch = text.toString('latin1');
  for (let i = 0; i < TURN_RECORDS; i++) keys[i] = batch.slice(i * 16, i * 16 + 16) as BinaryString;
}

function work(count: number): number {
  let changelogBytes = 0;
  for (let i = 0; i < count; i++) {
    state.beginRecord();
    const entry = store.entry(keys[i]!);
    const before = store.value(entry);
    if (asObject)
      store.set(entry, { sum: (before === undefined ? 0 : (before as { sum: number }).sum) + i }, i);
    else store.set(entry, ((before as number | undefined) ?? 0) + i, i);
    changelogBytes += entry.encoded!.length;
  }
  return changelogBytes;
}

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpu = process.cpuUsage();
const thread = process.threadCpuUsage();
let keysMs = 0;
let workMs = 0;
let sealMs = 0;
let readMs = 0;
let epoch = 0;
let open = 0;
let dirty = 0;
const start = performance.now();
for (let done = 0; done < records; done += TURN_RECORDS) {
  let at = performance.now();
  nextKeys();
  keysMs += performance.now() - at;
  at = performance.now();
  const read = state.readAhead('sums', keys, TURN_RECORDS);
  if (read !== undefined) await read;
  readMs += performance.now() - at;
  at = performance.now();
  work(TURN_RECORDS);
  workMs += performance.now() - at;
  open += TURN_RECORDS;
  if (open >= epochRecords) {
    at = performance.now();
    epoch++;
    state.seal(epoch, () => {
      dirty++;
    });
    state.commit(epoch, { changelogOffsets: new Map([['sums', done]]), metadata: {} });
    sealMs += performance.now() - at;
    open = 0;
  }
  await nextTurn();
}
const loopMs = performance.now() - start;
await state.flush();
const { user, system } = process.cpuUsage(cpu);
const loop = process.threadCpuUsage(thread);
const per = (ms: number): number => Number(((ms / records) * 1e6).toFixed(0));
console.log(
  JSON.stringify({
    backend: backend.name,
    records,
    keys: keyCount,
    writtenKeysPerRecord: Number((dirty / records).toFixed(2)),
    recordsPerSecond: Math.round((records / loopMs) * 1_000),
    nanosPerRecord: {
      makeKeys: per(keysMs),
      readAhead: per(readMs),
      process: per(workMs),
      sealCommit: per(sealMs),
    },
    loopCpuNanosPerRecord: per((loop.user + loop.system) / 1_000),
    cpuNanosPerRecord: per((user + system) / 1_000),
    loopDelayMs: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  }),
);
await state.close();
await backend.close();
await rm(stateDir, { recursive: true, force: true });
