// Owns the metadata text beside every committed offset: the task's epoch id and times, whose transaction it was, and what its
// stores were written as.
//
// The epoch id tells after a lost answer whether the commit had succeeded, also for an epoch that moved no offset. The
// transactional id lets the next owner settle a dead predecessor's open transaction at once. Names are hashed, times are
// differences: the broker takes 4,096 bytes (`offset.metadata.max.bytes`), and each partition's offset carries all of it.
import { createHash } from 'node:crypto';

export interface OffsetMetadata {
  /** Per task, ascending. */
  readonly epochId: number;
  /** Milliseconds; -1 when the task has seen no record. */
  readonly streamTime: number;
  readonly transactionalId: string;
  /** As event-time.ts has it. Left out: the stream time. */
  readonly eventTime?: number;
  /** Times of operators' clocks by `shortHash` of their names; those that were never set are left out. */
  readonly clocks?: ReadonlyMap<string, number>;
  /** As `storeFingerprints` makes it; `''` without stores. */
  readonly stores?: string;
}

const VERSION = 1;
/** The broker's default limit, less some room. */
export const METADATA_BYTES_MAX = 4_000;

const HASH_CHARACTERS = 6;
/** A hash, a difference of times in base 36 with its sign, a separator. */
const CLOCK_BYTES_MAX = HASH_CHARACTERS + 13;
const NUMBERS_BYTES_MAX = 80;

/** 36 bits of a name as text that needs no escaping. */
export function shortHash(text: string, characters = HASH_CHARACTERS): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, characters);
}

/** Bytes that the metadata of a task may take at most. */
export function metadataBytesMax(transactionalId: string, clockCount: number, stores: string): number {
  return NUMBERS_BYTES_MAX + transactionalId.length + clockCount * CLOCK_BYTES_MAX + stores.length;
}

export function encodeOffsetMetadata(metadata: OffsetMetadata): string {
  const { epochId, streamTime, transactionalId, eventTime = streamTime, clocks, stores = '' } = metadata;
  return JSON.stringify([
    VERSION,
    epochId,
    streamTime,
    transactionalId,
    eventTime,
    encodeClocks(clocks, eventTime),
    stores,
  ]);
}

function encodeClocks(clocks: OffsetMetadata['clocks'], base: number): string {
  let text = '';
  if (clocks === undefined) return text;
  for (const [id, time] of clocks) {
    if (time < 0) continue;
    text += `${text === '' ? '' : ','}${id}${time === base ? '' : Math.trunc(time - base).toString(36)}`;
  }
  return text;
}

function decodeClocks(text: string, base: number): ReadonlyMap<string, number> {
  const clocks = new Map<string, number>();
  if (text === '') return clocks;
  for (const item of text.split(',')) {
    const difference = item.slice(HASH_CHARACTERS);
    const time = base + (difference === '' ? 0 : Number.parseInt(difference, 36));
    if (Number.isSafeInteger(time)) clocks.set(item.slice(0, HASH_CHARACTERS), time);
  }
  return clocks;
}

/** `null` for metadata that Millrace did not write: another tool reset the offsets, and the epoch starts over. */
export function decodeOffsetMetadata(text: string | null): Required<OffsetMetadata> | null {
  if (text === null || !text.startsWith('[')) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(parsed)) return null;
  const [version, epochId, streamTime, transactionalId, eventTime, clocks, stores] =
    parsed as readonly unknown[];
  if (version !== VERSION) return null;
  if (typeof epochId !== 'number' || typeof streamTime !== 'number' || typeof transactionalId !== 'string')
    return null;
  const base = typeof eventTime === 'number' ? eventTime : streamTime;
  return {
    epochId,
    streamTime,
    transactionalId,
    eventTime: base,
    clocks: decodeClocks(typeof clocks === 'string' ? clocks : '', base),
    stores: typeof stores === 'string' ? stores : '',
  };
}
