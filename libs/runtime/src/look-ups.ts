// Owns patience with what serdes look up: a schema registry that does not answer is asked again, for as long as it takes. Nothing is skipped
// meanwhile: the record waits, and with it what is behind it.
import { RetriableError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';

const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;
/** Between two warnings of one outage. */
const WARN_EVERY_MS = 30_000;

export class LookUps {
  private readonly clock: Clock;
  private readonly logger: Logger | null;
  private readonly what: string;
  private pauseMs = PAUSE_MS_MIN;
  private warnedAt = -Infinity;

  /** `what` waits, for the log; `null`: somebody else says it. */
  constructor(clock: Clock, logger: Logger | null, what: string) {
    this.clock = clock;
    this.logger = logger;
    this.what = what;
  }

  /**
   * Resolves when what `ready` is of may be tried again: it is there, or could not be had and a pause is over. A look-up begins anew with the
   * next try. @throws what is not to be tried again.
   */
  async wait(ready: Promise<void>): Promise<void> {
    try {
      await ready;
    } catch (error) {
      await this.pause(this.toPause(error));
      return;
    }
    this.settle();
  }

  /** Milliseconds to wait before the next try. @throws `error`, unless it can be tried again. */
  toPause(error: unknown): number {
    if (!(error instanceof RetriableError)) throw error;
    const now = this.clock.monotonic();
    if (now - this.warnedAt >= WARN_EVERY_MS) {
      this.warnedAt = now;
      this.logger?.warn(`${this.what} waits: ${error.message}`, { code: error.code });
    }
    const pauseMs = this.pauseMs;
    this.pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
    return pauseMs;
  }

  /** The outage, if there was one, is over. */
  settle(): void {
    if (this.warnedAt > -Infinity) this.logger?.info(`${this.what} goes on`);
    this.warnedAt = -Infinity;
    this.pauseMs = PAUSE_MS_MIN;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.schedule(ms, resolve, true);
    });
  }
}
