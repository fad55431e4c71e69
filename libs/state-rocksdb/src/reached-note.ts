// Owns the note of what a database reached: a copy of its checkpoint in a file beside it, so that the group can be told how current the
// state of a hundred tasks is without opening a hundred databases. It is a hint: nothing is restored or refused by it.
//
// A note may be older than the database, by what was written in `INTERVAL_MS`, never newer.
import { asError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { StateCheckpoint } from '#libs/state';
import { decodeCheckpoint } from './key-format.ts';
import type { TaskDirectories } from './task-directory.ts';

/** Between two notes; the last one is written at close. */
const INTERVAL_MS = 500;

export class ReachedNote {
  private readonly clock: Clock;
  private readonly save: (checkpoint: Uint8Array) => Promise<void>;
  private writing: Promise<void> | null = null;
  private notedAt = -Infinity;
  private latest: Uint8Array | null = null;

  /** `save` may fail: the note is then missing, or older. */
  constructor(clock: Clock, save: (checkpoint: Uint8Array) => Promise<void>) {
    this.clock = clock;
    this.save = save;
  }

  /** `checkpoint`, as the database has it, is written. */
  offer(checkpoint: Uint8Array): void {
    this.latest = checkpoint;
    if (this.writing !== null || this.clock.monotonic() - this.notedAt < INTERVAL_MS) return;
    this.write(checkpoint);
  }

  /** Writes down what is not yet. */
  async close(): Promise<void> {
    await this.writing;
    if (this.latest !== null) this.write(this.latest);
    await this.writing;
  }

  private write(checkpoint: Uint8Array): void {
    this.latest = null;
    this.notedAt = this.clock.monotonic();
    this.writing = this.save(checkpoint)
      .catch(() => undefined)
      .then(() => {
        this.writing = null;
      });
  }
}

/** `undefined`: there is none, or it cannot be read. */
export async function readReached(
  directories: TaskDirectories,
  path: string,
  logger: Logger,
): Promise<StateCheckpoint | undefined> {
  try {
    const bytes = await directories.readReached(path);
    return bytes === undefined ? undefined : decodeCheckpoint(bytes).checkpoint;
  } catch (error) {
    logger.debug('What a task’s state reached cannot be read from its note', {
      path,
      error: asError(error).message,
    });
    return undefined;
  }
}
