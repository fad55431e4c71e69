// Owns the question whether records that are gone were lost, or are somebody else's work by now. A worker that slept for longer than its
// session reads on where it stood, perhaps before it hears that its tasks have moved, and their new owner has had what it read deleted
// (repartition-trimmer.ts), or retention has. Nothing is lost then, and no reason to stop: the group has committed beyond.
import type { BrokerAdmin } from '#libs/broker';
import { MillraceError, RetriableError, TaskMigratedError, formatTopicPartition } from '#libs/core';

/**
 * A TaskMigratedError in the place of MILLRACE_OFFSET_OUT_OF_RANGE if the group has committed offsets beyond what this worker has read; a
 * RetriableError if the group could not be asked: what is read next begins at what it has committed. All else as it is.
 */
export async function migratedIfOvertaken(
  error: unknown,
  admin: Pick<BrokerAdmin, 'committedOffsets'>,
  applicationId: string,
): Promise<unknown> {
  if (!(error instanceof MillraceError) || error.code !== 'MILLRACE_OFFSET_OUT_OF_RANGE') return error;
  const { topic, partition, offset } = error.context;
  if (typeof topic !== 'string' || typeof partition !== 'number' || typeof offset !== 'number') return error;
  try {
    // What is pending may be our own, and waits for us.
    const committed = await admin.committedOffsets(applicationId, [{ topic, partition }], {
      requireStable: false,
    });
    const reached = committed.get(formatTopicPartition(topic, partition))?.offset ?? -1;
    if (reached <= offset) return error;
    return new TaskMigratedError({
      code: 'MILLRACE_GENERATION_LOST',
      message: `Offset ${offset} of ${formatTopicPartition(topic, partition)} is gone, and the group has committed ${reached}: another worker has taken the task over.`,
      remedy:
        'None needed: the worker closes its tasks and rejoins; if it repeats, raise the session timeout.',
      cause: error,
      context: { topic, partition, offset, committed: reached },
    });
  } catch (failure) {
    return failure instanceof RetriableError ? failure : error;
  }
}
