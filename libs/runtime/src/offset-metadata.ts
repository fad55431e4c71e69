// Owns the metadata text beside every committed offset: the task's epoch id and stream time, and whose transaction it was.
//
// The epoch id tells after a lost answer whether the commit had succeeded, also for an epoch that moved no offset. The
// transactional id lets the next owner settle a dead predecessor's open transaction at once.

export interface OffsetMetadata {
  /** Per task, ascending. */
  readonly epochId: number;
  /** Milliseconds; -1 when the task has seen no record. */
  readonly streamTime: number;
  readonly transactionalId: string;
}

const VERSION = 1;

/** At most a few hundred bytes: the broker takes 4,096 (`offset.metadata.max.bytes`). */
export function encodeOffsetMetadata(metadata: OffsetMetadata): string {
  return JSON.stringify([VERSION, metadata.epochId, metadata.streamTime, metadata.transactionalId]);
}

/** `null` for metadata that Millrace did not write: another tool reset the offsets, and the epoch starts over. */
export function decodeOffsetMetadata(text: string | null): OffsetMetadata | null {
  if (text === null || !text.startsWith('[')) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(parsed)) return null;
  const [version, epochId, streamTime, transactionalId] = parsed as readonly unknown[];
  if (version !== VERSION) return null;
  if (typeof epochId !== 'number' || typeof streamTime !== 'number' || typeof transactionalId !== 'string')
    return null;
  return { epochId, streamTime, transactionalId };
}
