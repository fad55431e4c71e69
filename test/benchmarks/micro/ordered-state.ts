// Measures the hot path of ordered stores: what a stream-stream join, a windowed aggregate and a buffer do per record.
//   join    one new row set in a group of one side, one visit of the last few rows of the same group of the other side
//   window  one row looked up, decoded and set again
//   buffer  one row set at a random place of a resident store of many rows, the first one taken
//   npm run -s node -- test/benchmarks/micro/ordered-state.ts [--work join|window|buffer] [--records N] [--keys N] [--epoch N]
//     [--rows N (buffer)] [--backend rocksdb|memory|none] [--cache-mib N]
// Backend `none`: epochs are committed and never written, which is what the cache alone costs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { orderedTime, orderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import type { GroupRange, OrderedStoreSpec, StateEntry } from '#libs/state';
import { createRocksStateBackend } from '#libs/state-rocksdb';

const { values: flags } = parseArgs({
  options: {
    work: { type: 'string', default: 'join' },
    records: { type: 'string', default: '2000000' },
    keys: { type: 'string', default: '20000' },
    rows: { type: 'string', default: '1000000' },
    epoch: { type: 'string', default: '20000' },
    backend: { type: 'string', default: 'rocksdb' },
    'cache-mib': { type: 'string', default: '256' },
  },
});
const records = Number(flags.records);
const keyCount = Number(flags.keys);
const rowCount = Number(flags.rows);
const epochRecords = Number(flags.epoch);
/** Records between two turns of the loop. */
const TURN_RECORDS = 2_000;
/** One record per millisecond of event time. A key's records are `keyCount` ms apart: windows hold about five of them. */
const WINDOW_MS = keyCount * 10;
const RETENTION_MS = WINDOW_MS * 2;
const AGGREGATE_MS = 60_000;

const orderedSpec = (name: string, resident: boolean): OrderedStoreSpec => ({
  kind: 'ordered',
  name,
  keySerde: Serdes.string(),
  valueSerde: Serdes.json(),
  logged: true,
  resident,
  expiry: resident ? null : { retentionMs: RETENTION_MS },
});

const stateDir = await mkdtemp(join(tmpdir(), 'millrace-ordered-'));
const backend =
  flags.backend === 'rocksdb'
    ? createRocksStateBackend({ stateDir, expectedTasks: 4 })
    : createMemoryStateBackend();
const isWritten = flags.backend !== 'none';
const state = await backend.open({
  applicationId: 'bench',
  taskId: '0_0',
  stores: [orderedSpec('left', false), orderedSpec('right', false), orderedSpec('buffer', true)],
  cacheBytesMax: Number(flags['cache-mib']) * 2 ** 20,
  writeBehindBytes: isWritten ? 4 * 2 ** 20 : 2 ** 40,
  writeBehindIntervalMs: isWritten ? 1_000 : 2 ** 30,
});
await state.restored({});
const left = state.orderedStore<number>('left');
const right = state.orderedStore<number>('right');
const buffer = state.orderedStore<number>('buffer');

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed >>> 8;
}

const keys: BinaryString[] = [];
for (let i = 0; i < TURN_RECORDS; i++) keys.push('' as BinaryString);
const text = Buffer.alloc(TURN_RECORDS * 16);

/** Keys as they come out of a fetched batch: slices of one text. */
function nextKeys(): void {
  for (let i = 0; i < TURN_RECORDS; i++) {
    text.write(String(random() % keyCount).padStart(16, 'k'), i * 16, 'latin1');
  }
  const batch = text.toString('latin1');
  for (let i = 0; i < TURN_RECORDS; i++) keys[i] = batch.slice(i * 16, i * 16 + 16) as BinaryString;
}

let time = 1_700_000_000_000;
let visited = 0;
const visit = (row: StateEntry<number>): void => {
  if (row.encoded !== null) visited++;
};

function joinRecord(key: BinaryString, i: number): void {
  const own = (i & 1) === 0 ? left : right;
  const other = (i & 1) === 0 ? right : left;
  const at = orderedTime(time);
  own.set(own.row(key, (at + orderedUint64(i)) as BinaryString), i, time);
  other.range(key, orderedTime(time - WINDOW_MS), orderedTime(time + WINDOW_MS), visit);
}

function windowRecord(key: BinaryString, i: number): void {
  const row = left.row(key, orderedTime(time - (time % AGGREGATE_MS)));
  left.set(row, (left.value(row) ?? 0) + i, time);
}

const one = '' as BinaryString;

function bufferRecord(i: number): void {
  buffer.set(
    buffer.row(one, (orderedTime(time + (random() % rowCount)) + orderedUint64(i)) as BinaryString),
    i,
    time,
  );
  buffer.set(buffer.first(one)!, null, time);
}

const works: Readonly<Record<string, (key: BinaryString, i: number) => void>> = {
  join: joinRecord,
  window: windowRecord,
  buffer: (_key, i) => bufferRecord(i),
};
const work = works[flags.work]!;

let epoch = 0;
let open = 0;
let dirty = 0;
let sealMs = 0;
function commit(): void {
  const at = performance.now();
  epoch++;
  state.seal(epoch, () => {
    dirty++;
  });
  state.commit(epoch, {
    changelogOffsets: new Map([['left', dirty]]),
    metadata: {},
    expireBefore: new Map([
      ['left', time - RETENTION_MS],
      ['right', time - RETENTION_MS],
    ]),
  });
  sealMs += performance.now() - at;
  open = 0;
}

if (flags.work === 'buffer') {
  for (let i = 0; i < rowCount; i++) {
    buffer.set(
      buffer.row(one, (orderedTime(time + (random() % rowCount)) + orderedUint64(i)) as BinaryString),
      i,
      time,
    );
    if (++open >= epochRecords) commit();
  }
  commit();
  if (isWritten) await state.flush();
  sealMs = 0;
}

function ranges(): { own: GroupRange[]; other: GroupRange[] } {
  const own: GroupRange[] = [];
  const other: GroupRange[] = [];
  const from = orderedTime(time - WINDOW_MS);
  for (let i = 0; i < TURN_RECORDS; i++) ((i & 1) === 0 ? own : other).push({ group: keys[i]!, from });
  return { own, other };
}

const thread = process.threadCpuUsage();
const cpu = process.cpuUsage();
let workMs = 0;
let readMs = 0;
const start = performance.now();
for (let done = 0; done < records; done += TURN_RECORDS) {
  nextKeys();
  if (flags.work === 'join' && isWritten) {
    const at = performance.now();
    const { own, other } = ranges();
    await state.readAheadRanges('right', own);
    await state.readAheadRanges('left', other);
    readMs += performance.now() - at;
  }
  const at = process.threadCpuUsage();
  for (let i = 0; i < TURN_RECORDS; i++) {
    time++;
    state.beginRecord();
    work(keys[i]!, done + i);
  }
  const used = process.threadCpuUsage(at);
  workMs += (used.user + used.system) / 1_000;
  open += TURN_RECORDS;
  if (open >= epochRecords) commit();
  await nextTurn();
}
const loopMs = performance.now() - start;
if (isWritten) await state.flush();
const loop = process.threadCpuUsage(thread);
const { user, system } = process.cpuUsage(cpu);
const per = (ms: number): number => Math.round((ms / records) * 1e6);
console.log(
  JSON.stringify({
    work: flags.work,
    backend: flags.backend,
    records,
    visitedPerRecord: Number((visited / records).toFixed(1)),
    operationsPerCpuSecond: Math.round((records / workMs) * 1_000),
    recordsPerSecond: Math.round((records / loopMs) * 1_000),
    nanosPerRecord: { readAhead: per(readMs), process: per(workMs), sealCommit: per(sealMs) },
    loopCpuNanosPerRecord: per((loop.user + loop.system) / 1_000),
    cpuNanosPerRecord: per((user + system) / 1_000),
    cachedMiB: Math.round((state as unknown as { cachedBytes: number }).cachedBytes / 2 ** 20),
    heapMiB: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
  }),
);
await state.closeDirty();
await backend.close();
await rm(stateDir, { recursive: true, force: true });
