// Owns what a reset of an application writes beside the offsets that it sets, for as long as it is not done: whoever finds it does not start. Whoever
// resets again finds in it what the offsets were before.
import { FatalError, formatTopicPartition } from '#libs/core';
import type { TopicPartition } from '#libs/core';

export interface ResetMark {
  /** What the group had committed before the reset; `null`: nothing. */
  readonly offsetBefore: number | null;
  /** What the stores were written as, of all tasks: `storeFingerprints`. */
  readonly stores: string;
}

const KIND = 'reset';
const VERSION = 1;
/** `offset.metadata.max.bytes` is 4,096 by default. */
const STORES_CHARACTERS_MAX = 3_960;

export function encodeResetMark({ offsetBefore, stores }: ResetMark): string {
  return JSON.stringify([KIND, VERSION, offsetBefore, stores.slice(0, STORES_CHARACTERS_MAX)]);
}

/** `null`: the metadata is none of a reset. */
export function decodeResetMark(metadata: string): ResetMark | null {
  if (!metadata.startsWith(`["${KIND}",`)) return null;
  try {
    const [, , offsetBefore, stores] = JSON.parse(metadata) as readonly unknown[];
    return {
      offsetBefore: typeof offsetBefore === 'number' ? offsetBefore : null,
      stores: typeof stores === 'string' ? stores : '',
    };
  } catch {
    return { offsetBefore: null, stores: '' };
  }
}

/** @throws FatalError MILLRACE_RESET_UNFINISHED */
export function refuseUnfinishedReset(
  applicationId: string,
  { topic, partition }: TopicPartition,
  metadata: string,
): void {
  if (decodeResetMark(metadata) === null) return;
  throw new FatalError({
    code: 'MILLRACE_RESET_UNFINISHED',
    message: `A reset of "${applicationId}" was begun and did not end: the offset of ${formatTopicPartition(topic, partition)} carries its mark, and some of the old state may be left.`,
    remedy: 'Run the reset again, to its end, then start.',
    context: { applicationId, topic, partition },
  });
}
