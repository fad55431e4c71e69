// Owns the way from a task's path to its open database: lock, format, identity, what is set aside and what is refused.
//
//   absent, empty ─────────────► create
//   torn, corrupted, foreign ──► set aside, create
//   locked ────────────────────► try again until the time is up, then MILLRACE_STATE_LOCKED
//   other serdes or kind ──────► MILLRACE_STATE_INCOMPATIBLE; the directory stays as it is
//   anything else ─────────────► MILLRACE_STATE_FAILED
import { FatalError, MillraceError, sleep } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { EMPTY_CHECKPOINT, isMachineFault, stateIncompatible, stateLocked, storeIdentity } from '#libs/state';
import type { StateCheckpoint, StateStoreSpec, TaskStateOptions } from '#libs/state';
import {
  FORMAT_VERSION,
  RESERVED_KEYS,
  STORE_NUMBER_MAX,
  decodeCheckpoint,
  decodeIdentity,
  encodeCheckpoint,
  encodeIdentity,
  storeRange,
} from './key-format.ts';
import type { DatabaseIdentity, KnownStore, StoredCheckpoint } from './key-format.ts';
import { NativeDatabase } from './native-database.ts';
import type { NativeOptions } from './native-database.ts';
import { NativeOperation } from './native-operation.ts';
import { StoreKeys, segmentMsOf } from './store-keys.ts';
import type { FoundDirectory, TaskDirectories } from './task-directory.ts';

const LOCK_RETRY_MS = 50;
const OPEN_ATTEMPTS_MAX = 3;

export interface OpenParts {
  readonly directories: TaskDirectories;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly native: NativeOptions;
  readonly lockTimeoutMs: number;
}

export interface OpenedDatabase {
  readonly native: NativeDatabase;
  readonly checkpoint: StateCheckpoint;
  readonly stores: readonly StoreKeys[];
  readonly empty: readonly boolean[];
}

const NOTHING_STORED: StoredCheckpoint = { checkpoint: EMPTY_CHECKPOINT, newestTimes: new Map() };

/** Why a directory cannot be used as it is, though another in its place could. */
class Unusable extends Error {}

export async function openDatabase(
  path: string,
  task: TaskStateOptions,
  parts: OpenParts,
): Promise<OpenedDatabase> {
  try {
    for (let attempt = 1; ; attempt++) {
      const found = await parts.directories.inspect(path);
      try {
        return await openFound(path, found, task, parts);
      } catch (error) {
        if (!(error instanceof Unusable) || attempt === OPEN_ATTEMPTS_MAX) throw error;
        // Only the directory that was looked at: by now another process may have put a good one in its place.
        await parts.directories.setAside(path, error.message, found.inode);
      }
    }
  } catch (error) {
    throw asRefusal(error, path, task);
  }
}

async function openFound(
  path: string,
  found: FoundDirectory,
  task: TaskStateOptions,
  parts: OpenParts,
): Promise<OpenedDatabase> {
  if (found.kind === 'torn') {
    // Opened for its lock: who is just creating the database holds it, and their directory is not torn.
    await (await openLocked(path, task, parts, true)).close();
    throw new Unusable('the directory held no complete database');
  }
  await parts.directories.create(path);
  // An existing database is never created: RocksDB would answer a missing CURRENT with an empty one.
  const native = await openLocked(path, task, parts, found.kind !== 'database');
  try {
    const identity = await readIdentity(native, task);
    const checkpoint = identity === undefined ? NOTHING_STORED : await readCheckpoint(native);
    return await prepare(native, identity, checkpoint, task);
  } catch (error) {
    await native.close();
    throw isCorruption(error) ? new Unusable(`RocksDB: ${messageOf(error)}`) : error;
  }
}

async function openLocked(
  path: string,
  task: TaskStateOptions,
  parts: OpenParts,
  createIfMissing: boolean,
): Promise<NativeDatabase> {
  const { clock } = parts;
  const deadline = clock.monotonic() + parts.lockTimeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await NativeDatabase.open(path, { ...parts.native, createIfMissing });
    } catch (error) {
      if (!isLocked(error)) throw isCorruption(error) ? new Unusable(`RocksDB: ${messageOf(error)}`) : error;
      if (clock.monotonic() >= deadline) throw stateLocked(task.taskId, path, error);
      if (attempt === 1)
        parts.logger.info('Waiting for the lock of a task’s state', { taskId: task.taskId, path });
      await sleep(clock, LOCK_RETRY_MS);
    }
  }
}

/** `undefined`: the database is new, its first write never happened. */
async function readIdentity(
  native: NativeDatabase,
  task: TaskStateOptions,
): Promise<DatabaseIdentity | undefined> {
  const [format, identity] = await native.read([RESERVED_KEYS.format, RESERVED_KEYS.identity]);
  if (format === null || format === undefined) {
    if (await native.isEmpty({})) return undefined;
    throw new Unusable('the database was not written by Millrace');
  }
  if (format.length !== 1 || format[0] !== FORMAT_VERSION) {
    throw new Unusable(
      `the database has format ${format[0] ?? 'none'}, this version of Millrace reads ${FORMAT_VERSION}`,
    );
  }
  let known: DatabaseIdentity;
  try {
    known = decodeIdentity(identity ?? new Uint8Array(0));
  } catch (error) {
    throw new Unusable(`the database does not say whose it is: ${messageOf(error)}`);
  }
  if (known.applicationId !== task.applicationId || known.taskId !== task.taskId) {
    throw new Unusable(
      `the database is that of task ${known.taskId} of application "${known.applicationId}"`,
    );
  }
  return known;
}

async function readCheckpoint(native: NativeDatabase): Promise<StoredCheckpoint> {
  const bytes = await native.get(RESERVED_KEYS.checkpoint);
  if (bytes === null) throw new Unusable('the database has no checkpoint');
  try {
    return decodeCheckpoint(bytes);
  } catch (error) {
    throw new Unusable(`the checkpoint cannot be read: ${messageOf(error)}`);
  }
}

// Compares and numbers the stores, empties those without a changelog, and writes down what changed.
async function prepare(
  native: NativeDatabase,
  known: DatabaseIdentity | undefined,
  { checkpoint, newestTimes }: StoredCheckpoint,
  task: TaskStateOptions,
): Promise<OpenedDatabase> {
  const stores: Record<string, KnownStore> = Object.assign(Object.create(null) as object, known?.stores);
  let highest = 0;
  for (const { number } of Object.values(stores)) highest = Math.max(highest, number);
  let changed = known === undefined;
  for (const spec of task.stores) {
    const identity = storeIdentity(spec);
    const before = stores[spec.name];
    if (before === undefined) {
      const segmentMs = segmentMsOf(spec);
      stores[spec.name] = { number: ++highest, identity, ...(segmentMs > 0 ? { segmentMs } : {}) };
      changed = true;
    } else if (before.identity !== identity) {
      throw stateIncompatible(task.taskId, spec.name, before.identity, identity);
    }
  }
  if (highest > STORE_NUMBER_MAX) throw new Unusable(`the database has seen ${highest} stores`);
  const keys = task.stores.map((spec) => {
    const { number, segmentMs = 0 } = stores[spec.name]!;
    return new StoreKeys(number, segmentMs);
  });
  for (const one of keys) one.newestTime = newestTimes.get(one.number) ?? Infinity;
  if (changed) {
    const identity = encodeIdentity({ applicationId: task.applicationId, taskId: task.taskId, stores });
    await native.write([
      reserved(native, RESERVED_KEYS.format, Uint8Array.of(FORMAT_VERSION)),
      reserved(native, RESERVED_KEYS.identity, identity),
      reserved(native, RESERVED_KEYS.checkpoint, encodeCheckpoint(checkpoint, keys)),
    ]);
  }
  const empty: boolean[] = [];
  for (const [i, spec] of task.stores.entries()) {
    const isEmpty = await emptied(native, spec, keys[i]!.number, known);
    if (isEmpty) keys[i]!.newestTime = -Infinity;
    else if (keys[i]!.isSegmented) await findSegments(native, keys[i]!);
    empty.push(isEmpty);
  }
  return { native, checkpoint, stores: keys, empty };
}

// From the first key of a segment to the first one behind it.
async function findSegments(native: NativeDatabase, keys: StoreKeys): Promise<void> {
  const { lt } = storeRange(keys.number);
  let { gte } = storeRange(keys.number);
  for (;;) {
    const first = await native.firstKey({ gte, lt });
    if (first === null) return;
    const segment = keys.readSegment(first);
    keys.note(segment);
    gte = keys.bounds(segment).lt;
  }
}

async function emptied(
  native: NativeDatabase,
  spec: StateStoreSpec,
  number: number,
  known: DatabaseIdentity | undefined,
): Promise<boolean> {
  if (known === undefined || known.stores[spec.name] === undefined) return true;
  const range = storeRange(number);
  if (await native.isEmpty(range)) return true;
  if (spec.logged) return false;
  await native.deleteRange(range.gte, range.lt);
  return true;
}

function reserved(native: NativeDatabase, key: Uint8Array, value: Uint8Array): NativeOperation {
  const operation = new NativeOperation(native.layout.put, native.layout.columnFamily);
  operation.key = key;
  operation.value = value;
  return operation;
}

export function isLocked(error: unknown): boolean {
  return /lock file|lock hold/i.test(messageOf(error));
}

/** The files are at fault, not the machine: others in their place would do. */
function isCorruption(error: unknown): boolean {
  if (error instanceof MillraceError || error instanceof Unusable) return false;
  const cause = (error as { cause?: unknown } | null)?.cause;
  if (!isNative(error) && !isNative(cause)) return false;
  // What RocksDB says of a torn or corrupted database is open-ended; what a machine lacks is not.
  return !isMachineFault(error);
}

function asRefusal(error: unknown, path: string, task: TaskStateOptions): Error {
  if (error instanceof MillraceError) return error;
  return new FatalError({
    code: 'MILLRACE_STATE_FAILED',
    message: `The state of task ${task.taskId} could not be opened in ${path}: ${messageOf(error)}.`,
    remedy: 'Look at permissions and free space of the state directory.',
    cause: error,
    context: { taskId: task.taskId, path },
  });
}

// Errors of the binding carry libuv's name of a code.
function isNative(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z]/.test(code);
}

// Errors of the binding may come from another realm, where they are no `Error` of ours.
function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : '';
}
