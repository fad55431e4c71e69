// Owns the refusal of bytes that are no valid batch. The text names positions, never payload.
import { MillraceError } from '#libs/core';

export function corruptBatch(why: string, context: Readonly<Record<string, unknown>> = {}): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_CORRUPT_BATCH',
    message: `A record batch is corrupt: ${why}.`,
    remedy:
      "Check the broker's disks and logs; to go on without these records, move the group past the batch.",
    context,
  });
}
