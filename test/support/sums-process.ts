// Owns a process of its own for the sums application, so that specs can kill it. Its one argument is JSON: SumsProcessOptions.
// It prints a line per lifecycle state, and ends on SIGTERM after draining.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '#libs/core';
import type { RuntimeOptions } from '#libs/runtime';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { startSums, sumsTopology } from './sums-application.ts';

export interface SumsProcessOptions extends Partial<RuntimeOptions> {
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly stateDir: string;
  readonly requestTimeoutMs?: number;
}

export interface SumsProcess {
  readonly child: ChildProcess;
  /** Resolves when the application has reported the state. */
  reached(state: string): Promise<void>;
  /** SIGKILL, and the end of the process. */
  kill(): Promise<void>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

export function spawnSums(options: SumsProcessOptions): SumsProcess {
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ['--conditions=millrace-source', file, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const states = new Set<string>();
  const waiting: { state: string; resolve: () => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (state) => {
    states.add(state);
    for (const waiter of waiting) if (waiter.state === state) waiter.resolve();
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    child,
    reached(state) {
      if (states.has(state)) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiting.push({ state, resolve });
        ended.then(
          (code) => reject(new Error(`the process ended (${String(code)}) before it was ${state}`)),
          () => undefined,
        );
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function main(argument: string): Promise<void> {
  const { input, output, stateDir, ...options } = JSON.parse(argument) as SumsProcessOptions;
  const backend = createRocksStateBackend({ stateDir, clock: systemClock, logger: silentLogger });
  const application = await startSums(sumsTopology(input, output), { ...options, backend });
  application.runtime.lifecycle.onChange((state) => console.log(state));
  console.log(application.runtime.lifecycle.state);
  process.once('SIGTERM', () => {
    application.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  await application.runtime.whenEnded().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]!);
