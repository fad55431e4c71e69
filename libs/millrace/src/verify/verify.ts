// Owns the check that local state is what its changelogs say: finds the tasks of an application on this machine, opens each under its lock, and has every
// store compared. It changes nothing, neither on the disk nor in Kafka.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BrokerClient } from '#libs/broker';
import { FatalError, parseTaskId, silentLogger, systemClock } from '#libs/core';
import { changelogTopic, decodeOffsetMetadata, shortHash } from '#libs/runtime';
import { inspectTask } from '#libs/state-rocksdb';
import type { InspectedStore, InspectedTask } from '#libs/state-rocksdb';
import { connect } from '../connect.ts';
import { compareStore } from './compare-store.ts';
import type { StoreVerification, TaskVerification, VerifyOptions, VerifyReport } from './contract.ts';

const STATE_DIR_DEFAULT = '.millrace/state';
const DIFFERENCES_MAX = 20;
const TASK_FOLDER = /^\d{1,9}_\d{1,9}$/;
const DAY_MS = 86_400_000;

/**
 * @throws MillraceError MILLRACE_STATE_LOCKED a process runs on the state; MILLRACE_STATE_CORRUPTED a database cannot be read;
 * MILLRACE_INVALID_CONFIG there is no such state here.
 */
export async function verifyState(options: VerifyOptions): Promise<VerifyReport> {
  const { applicationId, clock = systemClock, logger = silentLogger } = options;
  const directories = await taskDirectories(options);
  const client = connect(options.kafka, 'millrace-verify', { clock, logger });
  try {
    const facts = await readFacts(client, applicationId);
    const tasks: TaskVerification[] = [];
    for (const directory of directories) {
      options.signal?.throwIfAborted();
      const task = await inspectTask(directory);
      try {
        tasks.push(await verifyTask(client, task, facts, options));
      } finally {
        await task.close();
      }
    }
    refuseUnknownStores(options, tasks);
    const stores = tasks.flatMap((task) => task.stores);
    return {
      ...{ applicationId, tasks },
      differences: stores.reduce((sum, { different }) => sum + sumOf(different), 0),
      compared: stores.filter(({ skipped }) => skipped === null).length,
      skipped: stores.filter(({ skipped }) => skipped !== null).length,
    };
  } finally {
    await client.close();
  }
}

/** What of the cluster bears on all tasks. */
interface Facts {
  readonly topics: ReadonlyMap<string, { readonly topicId: string; readonly partitionCount: number }>;
  readonly configs: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** By partition, then by hash of the operator's name: the newest committed time. */
  readonly clocks: ReadonlyMap<number, ReadonlyMap<string, number>>;
}

async function readFacts({ admin }: BrokerClient, applicationId: string): Promise<Facts> {
  const names = (await admin.listTopics()).filter(
    (name) => name.startsWith(`${applicationId}-`) && name.endsWith('-changelog'),
  );
  const [topics, configs, committed] = await Promise.all([
    admin.describeTopics(names),
    admin.topicConfigs(names),
    admin.committedOffsets(applicationId, null, { requireStable: false }),
  ]);
  const clocks = new Map<number, Map<string, number>>();
  for (const [key, { metadata }] of committed) {
    const partition = Number(key.slice(key.lastIndexOf('-') + 1));
    const times = clocks.get(partition) ?? new Map<string, number>();
    clocks.set(partition, times);
    for (const [hash, time] of decodeOffsetMetadata(metadata)?.clocks ?? [])
      times.set(hash, Math.max(time, times.get(hash) ?? -1));
  }
  return { topics, configs, clocks };
}

async function verifyTask(
  client: BrokerClient,
  task: InspectedTask,
  facts: Facts,
  options: VerifyOptions,
): Promise<TaskVerification> {
  const { taskId, directory, checkpoint } = task;
  const stores: StoreVerification[] = [];
  for (const store of task.stores) {
    if (options.stores !== undefined && !options.stores.includes(store.name)) continue;
    const named = options.changelogs?.get(store.name);
    const changelog = named ?? changelogTopic(options.applicationId, store.name);
    const reached = checkpoint.changelogOffsets.get(store.name) ?? null;
    const { partition } = parseTaskId(taskId);
    const reason = named === undefined ? whyNot(task, store, changelog, partition, facts) : null;
    if (reason !== null) {
      stores.push(skippedStore(store, changelog, reached, reason));
      continue;
    }
    stores.push(
      await compareStore({
        ...{ client, store, changelog, partition, reached, signal: options.signal },
        expiredBefore: expiredBefore(store, changelog, partition, facts),
        deletedBefore: deletedBefore(changelog, facts, (options.clock ?? systemClock).now()),
        differencesMax: options.differencesMax ?? DIFFERENCES_MAX,
        onProgress: (stage, done, total) =>
          options.onProgress?.({ taskId, store: store.name, stage, done, total }),
      }),
    );
  }
  return { directory, taskId, epochId: checkpoint.epochId, stores };
}

/** Why a store cannot be compared; `null`: it can. */
function whyNot(
  { checkpoint }: InspectedTask,
  { name }: InspectedStore,
  changelog: string,
  partition: number,
  { topics }: Facts,
): string | null {
  const topic = topics.get(changelog);
  if (topic === undefined)
    return `there is no topic ${changelog}: the store is not logged, or a source topic is its changelog`;
  if (partition >= topic.partitionCount) return `${changelog} has ${topic.partitionCount} partitions`;
  const written = (checkpoint.metadata['changelogs'] as Readonly<Record<string, unknown>> | undefined)?.[
    name
  ];
  if (written !== undefined && written !== topic.topicId && checkpoint.changelogOffsets.has(name))
    return `${changelog} was created anew since: the state is set aside at the next start`;
  return null;
}

/** As the runtime drops rows: behind the store's own clock by its retention, which its changelog keeps for a day more. */
function expiredBefore(
  { name, segmentMs }: InspectedStore,
  changelog: string,
  partition: number,
  { configs, clocks }: Facts,
): number {
  if (segmentMs === 0) return -Infinity;
  const time = clocks.get(partition)?.get(shortHash(`store/${name}`));
  if (time === undefined) return -Infinity;
  const kept = Number(configs.get(changelog)?.['retention.ms'] ?? Number.NaN);
  return time - (kept > DAY_MS ? kept - DAY_MS : 2 * segmentMs);
}

/** Brokers delete by the clock on the wall what a topic says it keeps for a time, however new it is by the clock of the records. */
function deletedBefore(changelog: string, { configs }: Facts, nowMs: number): number {
  const { 'cleanup.policy': policy = '', 'retention.ms': retention = '-1' } = configs.get(changelog) ?? {};
  return policy.includes('delete') && Number(retention) >= 0 ? nowMs - Number(retention) : -Infinity;
}

function skippedStore(
  { name, identity }: InspectedStore,
  changelog: string,
  reached: number | null,
  skipped: string,
): StoreVerification {
  const different = { missing: 0, extra: 0, value: 0, timestamp: 0, misplaced: 0 };
  return {
    ...{ store: name, identity, changelog, reached, rows: 0, same: 0, expired: 0, changedSince: 0 },
    ...{ different, differences: [], skipped },
  };
}

/** `<stateDir>/<applicationId>/<instance>/<applicationId>/<taskId>` */
async function taskDirectories({
  applicationId,
  stateDir = STATE_DIR_DEFAULT,
  tasks,
}: VerifyOptions): Promise<string[]> {
  const root = join(stateDir, applicationId);
  const found: string[] = [];
  for (const instance of (await readdir(root).catch(() => [])).sort()) {
    const parent = join(root, instance, applicationId);
    const names = (await readdir(parent).catch(() => [])).filter((name) => TASK_FOLDER.test(name)).sort();
    for (const name of names) if (tasks?.includes(name) !== false) found.push(join(parent, name));
  }
  const missing = tasks?.filter((task) => !found.some((directory) => basename(directory) === task)) ?? [];
  if (found.length === 0 || missing.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `There is no local state of ${missing.length > 0 ? `task ${missing.join(', ')} of ` : ''}"${applicationId}" in "${stateDir}".`,
      remedy: 'Name the application and its stateDir, on the machine where its instances run.',
      context: { stateDir, applicationId },
    });
  }
  return found;
}

function refuseUnknownStores(
  { stores = [], applicationId }: VerifyOptions,
  tasks: readonly TaskVerification[],
): void {
  const known = new Set(tasks.flatMap((task) => task.stores.map(({ store }) => store)));
  const unknown = stores.filter((store) => !known.has(store));
  if (unknown.length === 0) return;
  throw new FatalError({
    code: 'MILLRACE_STORE_UNKNOWN',
    message: `No task of "${applicationId}" here has a store ${unknown.join(', ')}.`,
    remedy: 'Leave --store out to see which there are.',
    context: { stores: unknown },
  });
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
