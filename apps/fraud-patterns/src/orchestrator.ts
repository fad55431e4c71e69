// Owns what an orchestrator does for a service: it starts it, and again when it was killed. One that failed is not started again: it would
// fail again.
import { say } from '../../lesson-kit/src/index.ts';
import type { ServiceProcess } from '../../lesson-kit/src/index.ts';

export class Orchestrator implements AsyncDisposable {
  /** Rejects when the service failed. */
  readonly failed: Promise<never>;
  #service: ServiceProcess;
  #isEnding = false;

  private constructor(service: ServiceProcess, start: () => Promise<ServiceProcess>) {
    this.#service = service;
    this.failed = this.#watch(start);
    // Whoever waits for something else meanwhile hears of it too.
    this.failed.catch(() => undefined);
  }

  static async start(start: () => Promise<ServiceProcess>): Promise<Orchestrator> {
    return new Orchestrator(await start(), start);
  }

  /** The process that runs now. */
  get service(): ServiceProcess {
    return this.#service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await this.#service.end('SIGTERM');
  }

  async #watch(start: () => Promise<ServiceProcess>): Promise<never> {
    for (;;) {
      const { pid, ended } = this.#service;
      const end = await ended;
      // Ctrl-C reaches it as well as us.
      const isWanted = this.#isEnding || end === 'SIGINT' || end === 'SIGTERM';
      if (isWanted) return await new Promise<never>(() => undefined);
      if (end !== 'SIGKILL') throw new Error(`the service, process ${pid}, ended with ${end}`);
      this.#service = await start();
      say(
        `${'-'.repeat(8)}  process ${pid} was killed; process ${this.#service.pid} goes on at ${this.#service.url}`,
      );
    }
  }
}
