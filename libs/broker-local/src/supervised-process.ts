// Owns the parent's side of the supervisor: a command that runs, is signalled, runs again, and never outlives us.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

interface Report {
  pid?: number;
  exit?: number | null;
  signal?: NodeJS.Signals | null;
  error?: string;
}

export class SupervisedProcess {
  readonly #supervisor: ChildProcess;
  #pid: number | undefined;
  #exited: Promise<void> = Promise.resolve();
  #resolveExited: () => void = () => undefined;
  #onStarted: ((error: Error | undefined) => void) | undefined;
  #closed = false;
  readonly #gone: Promise<void>;

  /** `temporary`: a folder that is removed once the process is gone for good. */
  constructor(temporary: string | undefined) {
    // Compiled, this file and its neighbour end in .js.
    const neighbour = import.meta.url.endsWith('.ts') ? './supervisor.ts' : './supervisor.js';
    this.#supervisor = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        fileURLToPath(new URL(neighbour, import.meta.url)),
        ...(temporary === undefined ? [] : [temporary]),
      ],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        // A group of its own: Ctrl-C reaches the service, which still needs the broker to commit its last epoch.
        detached: true,
        // Options for our own process (a debugger, a loader) are not for the supervisor.
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
    this.#gone = new Promise((resolve) => {
      this.#supervisor.on('exit', () => {
        this.#closed = true;
        this.#onReport({ exit: null });
        resolve();
      });
    });
    this.#supervisor.on('error', (error) => this.#onReport({ error: error.message }));
    this.#supervisor.stdin?.on('error', () => undefined);
    createInterface({ input: this.#supervisor.stdout as Socket }).on('line', (line) =>
      this.#onReport(JSON.parse(line) as Report),
    );
    this.#keepAlive(false);
  }

  /** Process id of the command while it runs. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Settles when the command that runs now has ended. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** Starts the command; both its outputs are appended to `log`. */
  async start(command: string, args: readonly string[], log: string): Promise<void> {
    this.#keepAlive(true);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#onStarted = (error) => (error === undefined ? resolve() : reject(error));
        this.#order({ do: 'start', command, args, log });
      });
    } finally {
      this.#keepAlive(false);
    }
  }

  /** Sends `signal` and waits for the end of the command. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#pid === undefined) return;
    this.#keepAlive(true);
    this.#order({ do: 'signal', signal });
    await this.#exited;
    this.#keepAlive(false);
  }

  /** Kills what runs, removes the temporary folder and ends the supervisor. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#keepAlive(true);
      this.#order({ do: 'finish' });
    }
    await this.#gone;
  }

  #order(order: object): void {
    this.#supervisor.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #onReport(report: Report): void {
    if (report.pid !== undefined) {
      this.#pid = report.pid;
      this.#exited = new Promise((resolve) => {
        this.#resolveExited = resolve;
      });
      this.#onStarted?.(undefined);
    } else {
      this.#pid = undefined;
      this.#resolveExited();
      this.#onStarted?.(new Error(report.error ?? 'the supervisor ended'));
    }
    this.#onStarted = undefined;
  }

  /** A broker in the background must not keep its parent running; an operation on it must. */
  #keepAlive(alive: boolean): void {
    const handles = [this.#supervisor, this.#supervisor.stdin as Socket, this.#supervisor.stdout as Socket];
    for (const handle of handles) {
      if (alive) handle.ref();
      else handle.unref();
    }
  }
}
