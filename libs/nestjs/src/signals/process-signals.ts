// Owns the process's way out when it is asked to end: every application that runs here is drained first, so that none of them stays in
// its group as a member that nobody hears of, also where Nest's own shutdown hooks are not enabled (`nest start --watch` ends the old process by
// SIGTERM). It never ends a process that somebody else means to end: then it only drains.
//
// 1. While applications run, the signals are listened to; once the last one has ended, they are not.
// 2. A signal drains them all, beside each other. Then it is sent again, unless others listen to it too (Nest's shutdown hooks do, and send
//    it again themselves).
// 3. While they drain, one repetition is overlooked: Nest's CLI hands on a Ctrl-C that the terminal has sent to all already. The next one
//    ends the process at once; what is open then is as after a crash.
import type { Logger } from '#libs/millrace';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
const REPETITIONS_OVERLOOKED = 1;

export interface Drainable {
  readonly applicationId: string;
  stop(): Promise<void>;
}

/** The part of `process` that is needed. */
export interface SignalledProcess {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  listenerCount(signal: NodeJS.Signals): number;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

export class ProcessSignals {
  private readonly process: SignalledProcess;
  private readonly running = new Map<Drainable, Logger>();
  private draining: Promise<void> | null = null;
  private repetitions = 0;
  private readonly onSignal = (signal: NodeJS.Signals): void => this.drain(signal);

  constructor(ofProcess: SignalledProcess) {
    this.process = ofProcess;
  }

  /** From now on a signal drains the application. */
  add(application: Drainable, logger: Logger): void {
    if (this.running.size === 0) for (const signal of SIGNALS) this.process.on(signal, this.onSignal);
    this.running.set(application, logger);
  }

  /** The application has ended, or somebody else ends it. */
  remove(application: Drainable): void {
    if (!this.running.delete(application) || this.running.size > 0) return;
    for (const signal of SIGNALS) this.process.removeListener(signal, this.onSignal);
  }

  private drain(signal: NodeJS.Signals): void {
    if (this.draining !== null) {
      if (++this.repetitions > REPETITIONS_OVERLOOKED) this.leave(signal);
      return;
    }
    this.repetitions = 0;
    const stops = [...this.running].map(async ([application, logger]) => {
      logger.info(
        `${signal}: the application "${application.applicationId}" commits what it has done and leaves its group`,
      );
      await application.stop();
    });
    this.draining = Promise.allSettled(stops).then(() => {
      this.draining = null;
      this.leave(signal);
    });
  }

  private leave(signal: NodeJS.Signals): void {
    for (const application of [...this.running.keys()]) this.remove(application);
    if (this.process.listenerCount(signal) === 0) this.process.kill(this.process.pid, signal);
  }
}

/** Of this process. */
export const processSignals = new ProcessSignals(process);
