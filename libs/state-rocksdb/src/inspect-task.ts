// Owns looking at a task's database as it lies on the disk, without knowing the topology: which stores it has, what it reached, every row. The lock
// is held meanwhile, so nobody runs on it. It changes no row, sets nothing aside, and knows no serde.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FatalError } from '#libs/core';
import { stateLocked } from '#libs/state';
import type { DatabaseRow, StateCheckpoint } from '#libs/state';
import {
  FORMAT_VERSION,
  RESERVED_KEYS,
  TIMESTAMP_BYTES,
  decodeCheckpoint,
  decodeIdentity,
  readTimestamp,
  storeRange,
} from './key-format.ts';
import type { DatabaseIdentity, StoredCheckpoint } from './key-format.ts';
import { readBinary } from './native-buffer.ts';
import { NativeDatabase } from './native-database.ts';
import { isLocked } from './open-database.ts';
import { StoreKeys } from './store-keys.ts';

export interface InspectedRow extends DatabaseRow {
  /** It lies in a segment that is not that of its time, where no read would look for it. */
  readonly misplaced: boolean;
}

export interface InspectedStore {
  readonly name: string;
  /** Kind, layout and serde names. */
  readonly identity: string;
  /** Length of its segments, milliseconds; 0: its rows do not expire. */
  readonly segmentMs: number;
  /** By encoded key, within a segment. */
  rows(): AsyncIterable<InspectedRow>;
}

export interface InspectedTask {
  readonly directory: string;
  readonly applicationId: string;
  readonly taskId: string;
  readonly checkpoint: StateCheckpoint;
  readonly stores: readonly InspectedStore[];
  close(): Promise<void>;
}

/**
 * Opens the database in `directory`, which is a task's.
 * @throws MillraceError MILLRACE_STATE_LOCKED somebody runs on it; MILLRACE_STATE_CORRUPTED it is no complete database of this version.
 */
export async function inspectTask(directory: string): Promise<InspectedTask> {
  const taskId = basename(directory);
  if (!existsSync(join(directory, 'CURRENT'))) throw corrupted(directory, 'there is no database in it');
  let native: NativeDatabase;
  try {
    native = await NativeDatabase.open(directory, { createIfMissing: false });
  } catch (error) {
    if (isLocked(error)) throw stateLocked(taskId, directory, error);
    throw corrupted(directory, messageOf(error), error);
  }
  try {
    const { identity, stored } = await readReserved(native, directory);
    const stores = Object.entries(identity.stores).map(([name, known]): InspectedStore => {
      const keys = new StoreKeys(known.number, known.segmentMs ?? 0);
      const { identity: text, segmentMs = 0 } = known;
      return { name, identity: text, segmentMs, rows: () => rowsOf(native, keys) };
    });
    return {
      directory,
      applicationId: identity.applicationId,
      taskId: identity.taskId,
      checkpoint: stored.checkpoint,
      stores,
      close: () => native.close(),
    };
  } catch (error) {
    await native.close();
    throw error;
  }
}

async function readReserved(
  native: NativeDatabase,
  directory: string,
): Promise<{ identity: DatabaseIdentity; stored: StoredCheckpoint }> {
  const [format, identity, checkpoint] = await native.read([
    RESERVED_KEYS.format,
    RESERVED_KEYS.identity,
    RESERVED_KEYS.checkpoint,
  ]);
  if (format?.length !== 1 || format[0] !== FORMAT_VERSION)
    throw corrupted(
      directory,
      `its format is ${format?.[0] ?? 'none'}, this version reads ${FORMAT_VERSION}`,
    );
  try {
    return {
      identity: decodeIdentity(identity ?? new Uint8Array(0)),
      stored: decodeCheckpoint(checkpoint ?? new Uint8Array(0)),
    };
  } catch (error) {
    throw corrupted(directory, `it does not say whose it is and what it reached: ${messageOf(error)}`, error);
  }
}

async function* rowsOf(native: NativeDatabase, keys: StoreKeys): AsyncGenerator<InspectedRow, void> {
  for await (const { key, value } of native.scan(storeRange(keys.number))) {
    const row = readBinary(key, keys.prefixBytes, key.length);
    yield {
      key: row,
      value: readBinary(value, TIMESTAMP_BYTES, value.length),
      timestamp: readTimestamp(value, 0),
      misplaced: keys.isSegmented && keys.readSegment(key) !== keys.segmentOf(row),
    };
  }
}

function corrupted(directory: string, why: string, cause?: unknown): FatalError {
  return new FatalError({
    code: 'MILLRACE_STATE_CORRUPTED',
    message: `The state in ${directory} cannot be read: ${why}.`,
    remedy:
      'Delete the folder, or leave it: at its next start the application sets it aside and restores it.',
    cause,
    context: { directory },
  });
}

// Errors of the binding may come from another realm, where they are no `Error` of ours.
function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}
