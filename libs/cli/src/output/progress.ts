// Owns how far something is, on stderr: a bar where somebody watches, else a line now and then. Nothing of it is a result.
import cliProgress from 'cli-progress';
import type { Clock } from '#libs/core';
import type { OutputStream } from '../io.ts';

/** Between two lines where nobody watches. */
const LINE_INTERVAL_MS = 2_000;

export class Progress {
  private readonly stderr: OutputStream;
  private readonly clock: Clock;
  private readonly isOn: boolean;
  private readonly isWatched: boolean;
  private bar: cliProgress.SingleBar | null = null;
  private barOf = '';
  private lineAt: number;

  constructor(stderr: OutputStream, clock: Clock, isOn: boolean) {
    this.stderr = stderr;
    this.clock = clock;
    this.isOn = isOn;
    this.isWatched = stderr.isTTY === true;
    this.lineAt = clock.monotonic();
  }

  /** `total` null: nobody knows. */
  update(what: string, done: number, total: number | null): void {
    if (!this.isOn) return;
    if (!this.isWatched) {
      this.line(what, done, total);
      return;
    }
    if (this.bar === null || this.barOf !== what) {
      this.stop();
      this.barOf = what;
      this.bar = new cliProgress.SingleBar({
        format: total === null ? `${what}  {value}` : `${what}  {bar} {percentage} %  {value}/{total}`,
        stream: this.stderr as unknown as NodeJS.WritableStream,
        clearOnComplete: true,
        hideCursor: true,
        barsize: 30,
        barCompleteChar: '█',
        barIncompleteChar: '░',
      });
      this.bar.start(total ?? 0, done);
    }
    if (total !== null) this.bar.setTotal(total);
    this.bar.update(done);
  }

  /** Something that was done, once. */
  step(text: string): void {
    if (!this.isOn) return;
    this.stop();
    this.stderr.write(`${text}\n`);
  }

  /** Takes the bar away. */
  stop(): void {
    this.bar?.stop();
    this.bar = null;
  }

  private line(what: string, done: number, total: number | null): void {
    const now = this.clock.monotonic();
    if (now - this.lineAt < LINE_INTERVAL_MS) return;
    this.lineAt = now;
    const share = total === null || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`;
    this.stderr.write(`${what}: ${done}${share}\n`);
  }
}
