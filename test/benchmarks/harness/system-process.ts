// Owns a system under measurement as a child process: how it is started, heard and ended. It knows nothing of what
// the system is.
//
// The protocol, the same for both sides. One argument: a SystemTask as JSON. On stdout, a JSON line per event:
//   {"event":"started"}               the program runs; it is about to join its group
//   {"event":"restoring"}             the first store's restore begins (only where there is something to restore)
//   {"event":"restored","records":N}  right before running, after a restore: N changelog records were applied in all
//   {"event":"running"}               all assigned tasks process
//   {"event":"stopped"}               it has committed and closed, and exits with 0
// The end of its stdin asks it to stop. Whatever else it says goes to stderr.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

import type { Workload } from './options.ts';
import { processUsage } from './process-usage.ts';
import type { ProcessUsage } from './process-usage.ts';

/** What a system is told: its single argument. */
export interface SystemTask {
  readonly workload: Workload;
  readonly bootstrapServers: string;
  /** Group id and prefix of internal topics; new for each run. */
  readonly applicationId: string;
  readonly input: string;
  /** The other input of a join. */
  readonly second?: string;
  readonly output: string;
  readonly stateDir: string;
  /** Workers or stream threads. */
  readonly threads: number;
  /** Group session, milliseconds; the system's default when not given. */
  readonly sessionTimeoutMs?: number;
  readonly protocol?: 'classic' | 'streams';
  /** Standby copies of each task's state. */
  readonly standbys?: number;
  readonly overrides?: Readonly<Record<string, string>>;
}

/** How a system is started; the task is appended as the last argument. */
export interface System {
  readonly name: string;
  /** One line on what runs and with which settings, for the report. */
  readonly config: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly overrides?: Readonly<Record<string, string>>;
}

export interface SystemEvent {
  readonly event: string;
  readonly records?: number;
  /** When the harness read it, on its monotonic clock, milliseconds. */
  readonly at: number;
}

const STOP_TIMEOUT_MS = 60_000;

export class SystemProcess {
  /** When it was spawned, on the monotonic clock, milliseconds. */
  readonly spawnedAt: number;
  readonly #system: System;
  readonly #child: ChildProcess;
  readonly #events: SystemEvent[] = [];
  readonly #exited: Promise<number>;
  #onEvent: () => void = () => undefined;
  #exitCode: number | undefined;
  #stderr = '';

  constructor(system: System, task: SystemTask) {
    this.#system = system;
    this.spawnedAt = performance.now();
    this.#child = spawn(
      system.command,
      [...system.args, JSON.stringify({ ...task, overrides: system.overrides ?? {} })],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000);
    });
    this.#child.stdin?.on('error', () => undefined);
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        if (!line.startsWith('{"event"')) return;
        this.#events.push({ ...(JSON.parse(line) as { event: string }), at: performance.now() });
        this.#onEvent();
      });
    }
    this.#exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => {
        this.#exitCode = code ?? -1;
        this.#onEvent();
        resolve(this.#exitCode);
      });
    });
    // Whoever waits for an event hears of it; nobody need wait for the exit.
    this.#exited.catch(() => undefined);
  }

  /** @throws Error when the process has ended, with the end of what it wrote to stderr. */
  assertAlive(): void {
    if (this.#exitCode !== undefined) {
      throw new Error(`${this.#system.name} ended with ${this.#exitCode} in mid-run:\n${this.#stderr}`);
    }
  }

  /** The first event of that name, which may have come already. */
  async event(name: string): Promise<SystemEvent> {
    for (;;) {
      const found = this.#events.find(({ event }) => event === name);
      if (found !== undefined) return found;
      this.assertAlive();
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
    }
  }

  usage(): Promise<ProcessUsage> {
    return processUsage(this.#child.pid ?? 0);
  }

  /** Asks it to stop and waits. @throws Error when it does not end cleanly. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const code = await this.#exited;
    clearTimeout(timer);
    if (code !== 0)
      throw new Error(`${this.#system.name} ended with ${code} when asked to stop:\n${this.#stderr}`);
  }

  /** Ends it at once, however far it is. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
