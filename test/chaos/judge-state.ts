// Owns the judgement on what lies on disk: every copy of a task's stores equals the fold of the changelogs up to the offset that it says it
// has reached, the last owner's copy is complete, and what the changelogs come to is what the model says.
import { existsSync } from 'node:fs';
import { silentLogger, systemClock } from '#libs/core';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import type { StateStoreSpec } from '#libs/state';
import { chaosTopology } from './chaos-topology.ts';
import type { Violations } from './judge-output.ts';
import type { Model } from './model.ts';
import type { RawRecord } from './peer.ts';
import { APPLICATION_ID, CHANGELOG_SUFFIX, GRACE_MS, PARTITIONS, WINDOW_MS } from './vocabulary.ts';
import type { Price, Stats } from './vocabulary.ts';

/** By row key. */
type Rows = Map<string, { readonly value: string; readonly timestamp: number }>;

/** How far the task's stream time, by which rows of windows expire, may be ahead of the newest row. */
const STREAM_TIME_SLACK_MS = 1_000;

export async function judgeState(
  folders: readonly string[],
  changelogs: readonly RawRecord[],
  model: Model,
  violations: Violations,
): Promise<{ readonly copies: number }> {
  const { subTopologies } = chaosTopology();
  const byPartition = new Map<string, RawRecord[]>();
  for (const record of changelogs) {
    const name = `${record.topic}/${record.partition}`;
    const list = byPartition.get(name);
    if (list === undefined) byPartition.set(name, [record]);
    else list.push(record);
  }
  const recordsOf = (store: string, partition: number): RawRecord[] =>
    byPartition.get(`${APPLICATION_ID}-${store}${CHANGELOG_SUFFIX}/${partition}`) ?? [];
  /** `task store`, for those of which a complete copy was found. */
  const complete = new Set<string>();
  let copies = 0;
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    const backend = createRocksStateBackend({ stateDir: folder, clock: systemClock, logger: silentLogger });
    for (const taskId of await backend.localTasks(APPLICATION_ID)) {
      const [subTopology, partition] = taskId.split('_').map(Number) as [number, number];
      const stores = subTopologies.find(({ id }) => id === subTopology)!.stores as readonly StateStoreSpec[];
      const state = await backend.open({
        taskId,
        applicationId: APPLICATION_ID,
        stores,
        cacheBytesMax: 1 << 20,
        writeBehindBytes: 1 << 20,
        writeBehindIntervalMs: 1_000,
      });
      copies++;
      for (const store of stores.filter(({ logged }) => logged)) {
        const rows: Rows = new Map();
        for await (const { key, value, timestamp } of state.scan(store.name))
          rows.set(key, { value, timestamp });
        const records = recordsOf(store.name, partition);
        const reached = state.checkpoint.changelogOffsets.get(store.name) ?? 0;
        const where = `${store.name} of task ${taskId} in ${folder}`;
        judgeRows(where, store, rows, records, reached, violations);
        if (reached > (records.at(-1)?.offset ?? -1)) complete.add(`${taskId} ${store.name}`);
      }
      await state.closeDirty();
    }
    await backend.close();
  }
  for (const { id, stores } of subTopologies) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const store of stores.filter(({ logged }) => logged)) {
        const records = recordsOf(store.name, partition);
        if (records.length > 0 && !complete.has(`${id}_${partition} ${store.name}`)) {
          violations.add(
            'state',
            store.name,
            `no copy of task ${id}_${partition} has reached the changelog's last record at offset ${records.at(-1)!.offset}`,
          );
        }
      }
    }
  }
  judgeChangelogs(recordsOf, model, violations);
  return { copies };
}

function judgeRows(
  where: string,
  store: StateStoreSpec,
  rows: Rows,
  records: readonly RawRecord[],
  reached: number,
  violations: Violations,
): void {
  const folded = fold(records.filter(({ offset }) => offset < reached));
  let newest = -Infinity;
  for (const { timestamp } of folded.values()) newest = Math.max(newest, timestamp);
  const expires = store.kind === 'ordered' && store.expiry !== null;
  for (const [key, row] of rows) {
    const want = folded.get(key);
    if (want?.value === row.value && want.timestamp === row.timestamp) continue;
    // Its last updates are not written where it had expired before their turn came.
    if (expires && want !== undefined && isExpired(want.timestamp, newest)) continue;
    violations.add(
      'state',
      where,
      `reached offset ${reached}: row ${JSON.stringify(key)} is ${row.value} at ${row.timestamp}, the changelog says ${want === undefined ? 'nothing' : `${want.value} at ${want.timestamp}`}`,
    );
  }
  for (const [key, { value, timestamp }] of folded) {
    if (rows.has(key) || (expires && isExpired(timestamp, newest))) continue;
    violations.add(
      'state',
      where,
      `reached offset ${reached}: row ${JSON.stringify(key)} is not there, the changelog says ${value} at ${timestamp}`,
    );
  }
}

/** A window's row may go once no record can change it any more. The row's timestamp lies within the window. */
function isExpired(timestamp: number, newest: number): boolean {
  const start = Math.floor(timestamp / WINDOW_MS) * WINDOW_MS;
  return start + WINDOW_MS + GRACE_MS <= newest + STREAM_TIME_SLACK_MS;
}

function fold(records: readonly RawRecord[]): Rows {
  const rows: Rows = new Map();
  for (const { key, value, timestamp } of records) {
    if (value === null) rows.delete(key!);
    else rows.set(key!, { value, timestamp });
  }
  return rows;
}

/** The last word of the changelogs whose rows the model knows. */
function judgeChangelogs(
  recordsOf: (store: string, partition: number) => readonly RawRecord[],
  model: Model,
  violations: Violations,
): void {
  const stats = new Map<string, string>();
  const prices = new Map<string, string>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (const [key, { value }] of fold(recordsOf('stats', partition))) {
      const { id, ...figures } = JSON.parse(value) as Stats;
      if (!model.events.has(id))
        violations.add('state', 'stats', `group ${key} ends with ${id}, which is no event`);
      stats.set(key, JSON.stringify(figures));
    }
    for (const [key, { value }] of fold(recordsOf('prices', partition))) {
      prices.set(key, String((JSON.parse(value) as Price).version));
    }
  }
  const want = new Map([...model.stats].map(([group, figures]) => [group, JSON.stringify(figures)]));
  compare('stats', stats, want, violations);
  compare(
    'prices',
    prices,
    new Map([...model.versions].map(([key, rows]) => [key, String(rows.at(-1))])),
    violations,
  );
}

function compare(
  store: string,
  got: ReadonlyMap<string, string>,
  want: ReadonlyMap<string, string>,
  violations: Violations,
): void {
  for (const key of new Set([...got.keys(), ...want.keys()])) {
    if (got.get(key) === want.get(key)) continue;
    violations.add(
      'state',
      `${store}${CHANGELOG_SUFFIX}`,
      `${key} ends as ${got.get(key) ?? 'nothing'}, the model as ${want.get(key) ?? 'nothing'}`,
    );
  }
}
