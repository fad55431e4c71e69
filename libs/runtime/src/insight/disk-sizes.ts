// Owns what is known of the size of tasks' databases: asked for beside whoever looks, seldom, and answered from memory.
import type { Clock, TaskIdText } from '#libs/core';
import type { StateBackend } from '#libs/state';

/** A size is so old at most before it is looked up again, if somebody asks. */
const REFRESH_MS = 10_000;

export class DiskSizes {
  private readonly backend: StateBackend;
  private readonly applicationId: string;
  private readonly clock: Clock;
  private readonly sizes = new Map<TaskIdText, { bytes: number | null; askedAt: number }>();

  constructor(backend: StateBackend, applicationId: string, clock: Clock) {
    this.backend = backend;
    this.applicationId = applicationId;
    this.clock = clock;
  }

  /** `null`: not known yet, or nothing lies on disk. */
  of(taskId: TaskIdText): number | null {
    const now = this.clock.monotonic();
    let size = this.sizes.get(taskId);
    if (size === undefined) this.sizes.set(taskId, (size = { bytes: null, askedAt: -Infinity }));
    if (now - size.askedAt < REFRESH_MS) return size.bytes;
    size.askedAt = now;
    const asked = size;
    this.backend.diskBytes(this.applicationId, taskId).then(
      (bytes) => (asked.bytes = bytes),
      // Files come and go while they are counted; the next time will do.
      () => undefined,
    );
    return size.bytes;
  }
}
