// Owns one process of the application as the run sees it: started, signalled, and what it said last. It judges nothing.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ServiceOptions, ServiceReport } from './service.ts';

const SCRIPT = join(import.meta.dirname, 'service.ts');
const SABOTAGE_HOOK = join(import.meta.dirname, 'sabotage/hook.ts');
const COMPILE_CACHE = join(import.meta.dirname, '../../.cache/chaos-compile');

export interface ServiceSetting {
  readonly options: ServiceOptions;
  /** Lines of stderr are appended here. */
  readonly logFile: string;
  /** A guarantee that is switched off in the process; `null`: none. */
  readonly sabotage: string | null;
}

export class ServiceProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** The end of the process: its exit code, or the signal that it died from. */
  readonly ended: Promise<number | string>;
  report: ServiceReport = { state: 'CREATED', error: null, running: [], opening: [], restored: 0 };
  /** Whether the run ended it, by whatever signal. */
  asked = false;
  #over: number | string | null = null;
  #waiting: (() => void)[] = [];

  constructor(setting: ServiceSetting) {
    this.name = setting.options.instanceId;
    mkdirSync(COMPILE_CACHE, { recursive: true });
    const log = openSync(setting.logFile, 'a');
    const { sabotage } = setting;
    this.child = spawn(
      process.execPath,
      [
        '--conditions=millrace-source',
        '--disable-warning=ExperimentalWarning',
        ...(sabotage === null ? [] : ['--import', SABOTAGE_HOOK]),
        SCRIPT,
        JSON.stringify(setting.options),
      ],
      {
        // Its end tells the process that the run is gone, however that went.
        stdio: ['pipe', 'pipe', log],
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          // A sabotaged source must not be met in the cache of the whole ones.
          ...(sabotage === null
            ? { NODE_COMPILE_CACHE: COMPILE_CACHE }
            : { MILLRACE_CHAOS_SABOTAGE: sabotage }),
        },
      },
    );
    closeSync(log);
    this.child.stdin!.on('error', () => undefined);
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.report = JSON.parse(line) as ServiceReport;
      this.#tell();
    });
    this.ended = once(this.child, 'exit').then(([code, signal]) => {
      this.#over = (code as number | null) ?? (signal as string);
      this.#tell();
      return this.#over;
    });
  }

  /** `null` while it runs. */
  get over(): number | string | null {
    return this.#over;
  }

  /** Resolves to whether the condition came true, within the time and while the process lived. */
  async until(condition: (report: ServiceReport) => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (condition(this.report)) return true;
      const leftMs = deadline - Date.now();
      if (this.#over !== null || leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#over === null) this.child.kill(signal);
  }

  /** SIGKILL, also of a process that is stopped by SIGSTOP. */
  async kill(): Promise<void> {
    this.asked = true;
    this.signal('SIGKILL');
    await this.ended;
  }

  /** SIGTERM. Resolves to how it ended; `null`: not within the time. */
  async stop(timeoutMs: number): Promise<number | string | null> {
    this.asked = true;
    this.signal('SIGTERM');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs);
    });
    const end = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    return end;
  }

  #tell(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
