// Owns the gauge as a child process: it feeds a system at a steady rate and watches its committed output (peer/…/Gauge.java).
// Both are one process, so that the moment a payment was to be sent and the moment its result was read are on one clock.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { BenchCluster } from './cluster.ts';

export interface GaugeWindow {
  /** Payments stamped in the window. */
  readonly records: number;
  /** From the moment a payment was to be sent to that at which its committed result was read. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** By output partition: the longest time in which nothing of it was committed, milliseconds. */
  readonly gapsMs: readonly number[];
  /** By output partition: when that began, milliseconds after the window did. */
  readonly gapsFromMs: readonly number[];
}

export class Gauge {
  readonly #child: ChildProcess;
  readonly #events: Record<string, unknown>[] = [];
  #onEvent: () => void = () => undefined;
  #exitCode: number | undefined;
  #stderr = '';

  constructor(
    java: string,
    classpath: string,
    cluster: BenchCluster,
    { input, output, rate, keys }: { input: string; output: string; rate: number; keys: number },
  ) {
    this.#child = spawn(
      java,
      [
        '-Xmx256m',
        '-XX:+UseSerialGC',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
        '-cp',
        classpath,
        'bench.Gauge',
        cluster.bootstrapServers,
        input,
        output,
        String(rate),
        String(keys),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000);
    });
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        this.#events.push(JSON.parse(line) as Record<string, unknown>);
        this.#onEvent();
      });
    }
    this.#child.on('close', (code) => {
      this.#exitCode = code ?? -1;
      this.#onEvent();
    });
  }

  ready(): Promise<unknown> {
    return this.#event('ready');
  }

  /** From now on payments and gaps count. */
  begin(): void {
    this.#child.stdin?.write('begin\n');
  }

  /** What is stamped later counts no more. */
  end(): void {
    this.#child.stdin?.write('end\n');
  }

  /** Sends no more and waits for all that is to come. @throws Error when results stay away. */
  async drain(): Promise<GaugeWindow> {
    this.#child.stdin?.write('stop\n');
    const window = await this.#event('window');
    await this.#event('done');
    const micros = (name: string): number => Number(window[name]) / 1_000;
    const list = (name: string): number[] => String(window[name]).split(',').map(Number);
    return {
      records: Number(window['records']),
      latencyMs: { p50: micros('p50'), p99: micros('p99'), max: micros('max') },
      gapsMs: list('gaps'),
      gapsFromMs: list('gapsFrom'),
    };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #event(name: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.#events.find(({ event }) => event === name);
      if (found !== undefined) return found;
      if (this.#exitCode !== undefined) {
        const last = JSON.stringify(this.#events.at(-1) ?? null);
        throw new Error(`the gauge ended with ${this.#exitCode}: ${last}\n${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
    }
  }
}
