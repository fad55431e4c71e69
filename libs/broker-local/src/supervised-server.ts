// Owns the ends of a server that runs under the supervisor: stopped for good, killed, restarted. How it starts is its own.
import { setTimeout as delay } from 'node:timers/promises';

import type { RestartOptions } from './local-broker.ts';
import type { SupervisedProcess } from './supervised-process.ts';

export abstract class SupervisedServer {
  readonly #supervised: SupervisedProcess;
  readonly #what: string;
  #stopped = false;

  /** `what` it is, as errors call it. */
  constructor(supervised: SupervisedProcess, what: string) {
    this.#supervised = supervised;
    this.#what = what;
  }

  /** Resolves once it serves. */
  abstract start(): Promise<void>;

  get pid(): number | undefined {
    return this.#supervised.pid;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#supervised.close();
  }

  async kill(): Promise<void> {
    await this.#supervised.end('SIGKILL');
  }

  async restart({ stop = 'crash', downMs = 0 }: RestartOptions = {}): Promise<void> {
    if (this.#stopped) throw new Error(`this ${this.#what} was stopped and its data removed`);
    await this.#supervised.end(stop === 'crash' ? 'SIGKILL' : 'SIGTERM');
    if (downMs > 0) await delay(downMs);
    await this.start();
  }
}
