// Owns which copy of an application this process is: a numbered folder under the state folder, held by a lock that dies with the
// process, and an instance id that stays with the folder. It never touches the state inside.
//
//   <stateDir>/<applicationId>/instance-0/instance-id   the id, written once
//                                        /lock/          held while the process lives
//
// A process takes the lowest folder that nobody holds, so one that was killed finds its own id and state again.
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FatalError, asError } from '#libs/core';

/** Copies of one application that may share a state folder. */
const SLOTS_MAX = 256;
const LEGAL_ID = /^[a-zA-Z0-9._-]{1,200}$/;

export interface InstanceSlot {
  readonly instanceId: string;
  /** The folder that is this instance's alone. */
  readonly directory: string;
  release(): Promise<void>;
}

/** A lock on a folder that ends with its holder. `null`: another process, or another part of this one, holds it. */
export type LockDirectory = (directory: string) => Promise<{ release(): Promise<void> } | null>;

/** Claims the lowest free slot. @throws FatalError MILLRACE_STATE_LOCKED none is free, MILLRACE_STATE_FAILED the folder cannot be written. */
export async function claimSlot(
  stateDir: string,
  applicationId: string,
  lockDirectory: LockDirectory,
): Promise<InstanceSlot> {
  for (let number = 0; number < SLOTS_MAX; number++) {
    const slot = await claim(join(stateDir, applicationId, `instance-${number}`), null, lockDirectory);
    if (slot !== null) return slot;
  }
  throw new FatalError({
    code: 'MILLRACE_STATE_LOCKED',
    message: `All ${SLOTS_MAX} places for copies of "${applicationId}" in "${stateDir}" are held by running processes.`,
    remedy: 'Give some of the copies a state folder of their own.',
    context: { stateDir, applicationId },
  });
}

/** Claims the folder of a given instance id. @throws FatalError MILLRACE_STATE_LOCKED, MILLRACE_STATE_FAILED */
export async function claimInstance(
  stateDir: string,
  applicationId: string,
  instanceId: string,
  lockDirectory: LockDirectory,
): Promise<InstanceSlot> {
  const slot = await claim(join(stateDir, applicationId, `named-${instanceId}`), instanceId, lockDirectory);
  if (slot !== null) return slot;
  throw new FatalError({
    code: 'MILLRACE_STATE_LOCKED',
    message: `The state of instance "${instanceId}" of "${applicationId}" in "${stateDir}" is in use by another process.`,
    remedy: 'Stop that process, or give this one another instanceId or stateDir.',
    context: { stateDir, applicationId, instanceId },
  });
}

async function claim(
  directory: string,
  instanceId: string | null,
  lockDirectory: LockDirectory,
): Promise<InstanceSlot | null> {
  const lockFolder = join(directory, 'lock');
  try {
    await mkdir(lockFolder, { recursive: true });
    const lock = await lockDirectory(lockFolder);
    if (lock === null) return null;
    try {
      const id = instanceId ?? (await keptId(directory));
      return { instanceId: id, directory, release: () => lock.release() };
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw new FatalError({
      code: 'MILLRACE_STATE_FAILED',
      message: `The state folder "${directory}" cannot be used: ${asError(error).message}`,
      remedy: 'Make it a folder that this process may write, or set stateDir to one.',
      cause: error,
      context: { directory },
    });
  }
}

/** The id written in the folder; a new one where there is none that can be read. Called under the lock. */
async function keptId(directory: string): Promise<string> {
  const file = join(directory, 'instance-id');
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (LEGAL_ID.test(kept.trim())) return kept.trim();
  const id = randomUUID();
  // Renamed into place: a kill in between leaves no half an id.
  await writeFile(`${file}.new`, `${id}\n`);
  await rename(`${file}.new`, file);
  return id;
}
