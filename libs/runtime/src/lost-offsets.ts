// Owns telling a first start from one whose offsets are gone: a group without members forgets them after a while, and the state does not.
// Going on would add all of the input to aggregates that hold it already.
import { FatalError, formatTopicPartition } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { StartingPointParts } from './starting-point.ts';

/**
 * To be asked where no input of the task has a committed offset. A task commits offsets before it writes anything into a changelog, so one with
 * records says that there were some. At-least-once processing may die in between, and promises less. Resolves to false where there are offsets by
 * now: they are to be read again. Whoever stood still after its first look finds changelogs that another worker has written since (seed 296).
 * @throws FatalError MILLRACE_OFFSETS_LOST naming the changelogs that are written.
 */
export async function refuseLostOffsets(
  { client, config, layout }: Pick<StartingPointParts, 'client' | 'config' | 'layout'>,
  name: TaskIdText,
): Promise<boolean> {
  if (config.processingGuarantee !== 'exactly_once') return true;
  const changelogs = layout
    .changelogs(name)
    .filter(({ source }) => source === null)
    .map(({ topic, partition }) => ({ topic, partition }));
  if (changelogs.length === 0) return true;
  const ends = await client.admin.offsets(changelogs, 'latest', 'read_uncommitted');
  const written = changelogs
    .map(({ topic, partition }) => formatTopicPartition(topic, partition))
    .filter((changelog) => (ends.get(changelog) ?? 0) > 0);
  if (written.length === 0) return true;
  const places = layout.inputs(name);
  if ((await client.admin.committedOffsets(config.applicationId, places)).size > 0) return false;
  const inputs = places.map(({ topic, partition }) => formatTopicPartition(topic, partition));
  throw new FatalError({
    code: 'MILLRACE_OFFSETS_LOST',
    message: `Task ${name} has state (${written.join(', ')}), but group "${config.applicationId}" has no committed offset of what it reads (${inputs.join(', ')}).`,
    remedy:
      'To compute everything anew, reset the application: its offsets, internal topics and local state together. To keep the state, commit the offsets from which the inputs go on.',
    context: { taskId: name, changelogs: written, inputs },
  });
}
