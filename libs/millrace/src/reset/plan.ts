// Owns what a reset would change, as it stands now. It changes nothing.
import type { BrokerAdmin, BrokerClient, GroupView } from '#libs/broker';
import { MillraceError, silentLogger, systemClock } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { isStoreWritten } from '#libs/runtime';
import type { ResetOffset, ResetOptions, ResetPlan, ResetTopic } from './contract.ts';
import { invalid } from './errors.ts';
import { readGroupOffsets } from './group-offsets.ts';
import type { GroupOffsets } from './group-offsets.ts';
import { internalKind, otherOwners, ownKind, storeOfChangelog } from './internal-names.ts';
import { findStateFolders } from './state-folders.ts';
import { checkTarget, offsetsFor } from './targets.ts';
import type { CurrentOffset } from './targets.ts';
import { findTransactions } from './transactions.ts';
import type { TransactionParts } from './transactions.ts';

export const STATE_DIR_DEFAULT = '.millrace/state';
const APPLICATION_ID = /^[A-Za-z0-9._-]{1,200}$/;

/** With what only the steps need. */
export interface PreparedReset {
  readonly plan: ResetPlan;
  readonly group: GroupView;
  readonly offsets: GroupOffsets;
  readonly transactions: TransactionParts;
}

/** Name of the group, and of the transactions, of an application's redrives. */
function redriveGroup(applicationId: string): string {
  return `${applicationId}-dlq-redrive`;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG, MILLRACE_TOPIC_MISSING */
export async function prepareReset(client: BrokerClient, options: ResetOptions): Promise<PreparedReset> {
  checkOptions(options);
  const { admin } = client;
  const { applicationId, target = 'earliest', clock = systemClock, logger = silentLogger } = options;
  const group = await admin.describeGroup(applicationId);
  const offsets = await readGroupOffsets(admin, applicationId);
  const existing = new Set(await admin.listTopics());
  const { topics, leftTopics } = await internalTopics(admin, options, offsets, existing);
  const own = new Set(topics.map(({ name }) => name));
  const inputs = await inputsOf(admin, options, offsets, existing);
  if (inputs.length === 0 && target !== 'earliest')
    throw invalid(
      `The group "${applicationId}" has no committed offsets, so it is not known which topics to set.`,
      'Check the id of the application, or name its input topics.',
    );
  const redrives = await redriveOffsets(admin, options, existing);
  const transactions: TransactionParts = {
    ...{ admin, clock, logger, applicationId },
    // A redrive that runs would go on to put back what counts as done.
    known: new Set([
      ...offsets.transactionalIds,
      ...(redrives.length === 0 ? [] : [redriveGroup(applicationId)]),
    ]),
    topics: own,
    offsets: new Map<string, readonly TopicPartition[]>([
      [applicationId, offsets.offsets.filter(({ topic }) => existing.has(topic))],
      [redriveGroup(applicationId), redrives],
    ]),
  };
  const found = await findTransactions(transactions);
  const plan: ResetPlan = {
    applicationId,
    group: {
      type: group.type,
      state: group.state,
      members: group.members.map(({ memberId, groupInstanceId, clientId, clientHost }) => ({
        ...{ memberId, groupInstanceId, clientId, clientHost },
      })),
    },
    unfinished: offsets.unfinished,
    offsets: await offsetsFor(admin, inputs, target),
    missingTopics: [
      ...new Set(offsets.offsets.map(({ topic }) => topic).filter((topic) => !existing.has(topic))),
    ],
    topics,
    leftTopics,
    state: await findStateFolders(options.stateDir ?? STATE_DIR_DEFAULT, applicationId),
    transactions: found.map(({ transactionalId, phase }) => ({ transactionalId, phase })),
    deadLetters: redrives,
  };
  return { plan, group, offsets, transactions };
}

/** Partitions of topics of the user's: those with offsets, and all of those named. */
async function inputsOf(
  admin: BrokerAdmin,
  { applicationId, inputTopics = [] }: ResetOptions,
  { offsets }: GroupOffsets,
  existing: ReadonlySet<string>,
): Promise<CurrentOffset[]> {
  const committed = new Map(offsets.map((one) => [`${one.topic}-${one.partition}`, one.offset]));
  const topics = new Set<string>(inputTopics);
  const read = new Set(offsets.map(({ topic }) => topic));
  for (const topic of read)
    if (existing.has(topic) && ownKind(applicationId, topic, read) === null) topics.add(topic);
  return (await partitionsOf(admin, [...topics])).map(({ topic, partition }) => ({
    ...{ topic, partition },
    offset: committed.get(`${topic}-${partition}`) ?? null,
  }));
}

async function internalTopics(
  admin: BrokerAdmin,
  { applicationId, internalTopics: named }: ResetOptions,
  { offsets, stores }: GroupOffsets,
  existing: ReadonlySet<string>,
): Promise<Pick<ResetPlan, 'topics' | 'leftTopics'>> {
  if (named !== undefined) {
    const topics = named
      .filter((name) => existing.has(name))
      .map((name): ResetTopic => ({ name, kind: internalKind(applicationId, name)!, because: 'named' }));
    return { topics, leftTopics: [] };
  }
  const read = new Set(offsets.map(({ topic }) => topic));
  const topics: ResetTopic[] = [];
  const leftTopics: { name: string; group: string }[] = [];
  const groups = new Map<string, boolean>();
  for (const name of [...existing].sort()) {
    const kind = ownKind(applicationId, name, read);
    if (kind === null) continue;
    const isKnown =
      kind === 'changelog' ? isStoreWritten(stores, storeOfChangelog(applicationId, name)) : read.has(name);
    const owner = isKnown ? null : await otherGroup(admin, applicationId, name, groups);
    if (owner !== null) leftTopics.push({ name, group: owner });
    else topics.push({ name, kind, because: isKnown ? 'offsets' : 'name' });
  }
  return { topics, leftTopics };
}

/** A group that is there, of an application whose id begins as this one's, whose topic it could be. */
async function otherGroup(
  admin: BrokerAdmin,
  applicationId: string,
  topic: string,
  groups: Map<string, boolean>,
): Promise<string | null> {
  for (const id of otherOwners(applicationId, topic)) {
    if (internalKind(id, topic) === null) continue;
    if (!groups.has(id)) groups.set(id, await isThere(admin, id));
    if (groups.get(id) === true) return id;
  }
  return null;
}

async function isThere(admin: BrokerAdmin, groupId: string): Promise<boolean> {
  try {
    if ((await admin.describeGroup(groupId)).state !== 'Dead') return true;
    return (await admin.committedOffsets(groupId, null, { requireStable: false })).size > 0;
  } catch (error) {
    // What may not be seen is somebody else's.
    if (error instanceof MillraceError && error.code === 'MILLRACE_AUTHORIZATION_FAILED') return true;
    throw error;
  }
}

async function redriveOffsets(
  admin: BrokerAdmin,
  { applicationId, target = 'earliest', deadLetters, deadLetterTopics = [] }: ResetOptions,
  existing: ReadonlySet<string>,
): Promise<ResetOffset[]> {
  if ((deadLetters ?? (target === 'earliest' ? 'done' : 'keep')) === 'keep') return [];
  const { offsets } = await readGroupOffsets(admin, redriveGroup(applicationId));
  const topics = new Set([...deadLetterTopics, ...offsets.map(({ topic }) => topic)]);
  const committed = new Map(offsets.map((one) => [`${one.topic}-${one.partition}`, one.offset]));
  const partitions = await partitionsOf(
    admin,
    [...topics].filter((topic) => existing.has(topic)),
  );
  const current = partitions.map(({ topic, partition }) => ({
    ...{ topic, partition },
    offset: committed.get(`${topic}-${partition}`) ?? null,
  }));
  return offsetsFor(admin, current, 'latest');
}

async function partitionsOf(admin: BrokerAdmin, topics: readonly string[]): Promise<TopicPartition[]> {
  const described = await admin.describeTopics(topics);
  const missing = topics.filter((topic) => !described.has(topic));
  if (missing.length > 0) {
    throw new MillraceError({
      code: 'MILLRACE_TOPIC_MISSING',
      message: `Topics that were named do not exist: ${missing.join(', ')}.`,
      remedy: 'Check their names.',
      context: { topics: missing },
    });
  }
  return [...described.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, partitionCount }) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic: name, partition })),
    );
}

function checkOptions({
  applicationId,
  target = 'earliest',
  internalTopics: named = [],
}: ResetOptions): void {
  if (typeof applicationId !== 'string' || !APPLICATION_ID.test(applicationId) || /^\.+$/.test(applicationId))
    throw invalid(`"${String(applicationId)}" is not the id of an application.`, 'Name the application.id.');
  checkTarget(target);
  const others = named.filter((name) => internalKind(applicationId, name) === null);
  if (others.length > 0)
    throw invalid(
      `Not internal topics of "${applicationId}": ${others.join(', ')}.`,
      'Name changelogs, repartition and retry topics only; a dry run lists those there are.',
    );
}
