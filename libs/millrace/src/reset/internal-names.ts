// Owns which topics are an application's own, by their names: as Kafka Streams' reset tool finds them, and retry topics.
import type { ResetTopic } from './contract.ts';

const ENDINGS: readonly (readonly [RegExp, ResetTopic['kind']])[] = [
  [/^.+-changelog$/, 'changelog'],
  [/^.+-repartition$/, 'repartition'],
  [/^.+-retry-\d+$/, 'retry'],
];

/** `null`: it is none of this application's, whatever the others are. */
export function internalKind(applicationId: string, topic: string): ResetTopic['kind'] | null {
  const prefix = `${applicationId}-`;
  if (!topic.startsWith(prefix)) return null;
  const rest = topic.slice(prefix.length);
  return ENDINGS.find(([pattern]) => pattern.test(rest))?.[1] ?? null;
}

/**
 * The same, where it is known what the group has committed offsets of: nobody commits those of changelogs, so one with offsets is an input that
 * happens to be called so.
 */
export function ownKind(
  applicationId: string,
  topic: string,
  committed: ReadonlySet<string>,
): ResetTopic['kind'] | null {
  const kind = internalKind(applicationId, topic);
  return kind === 'changelog' && committed.has(topic) ? null : kind;
}

export function storeOfChangelog(applicationId: string, topic: string): string {
  return topic.slice(applicationId.length + 1, -'-changelog'.length);
}

/** Ids of applications that the topic could be of as well: `orders-eu` where `orders` is asked about. Longest first. */
export function otherOwners(applicationId: string, topic: string): string[] {
  const owners: string[] = [];
  for (let at = topic.length - 1; at > applicationId.length; at--)
    if (topic[at] === '-' && at < topic.length - 1) owners.push(topic.slice(0, at));
  return owners;
}
