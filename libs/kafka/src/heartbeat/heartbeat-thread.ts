// Owns the heartbeat thread of a client, seen from the event loop: when it runs, what it is told, what becomes of it when it fails.
// What the thread does is in thread.ts. Nothing here ever waits for it, and nothing depends on it while the loop turns.
//
//   no watch ──first watch──► RUNNING ──fails──► restarted, later each time ──fails too often──► OFF: the loop alone sends
//                                │                                                                   (said once)
//                                └──close──► ended
import { Worker } from 'node:worker_threads';
import { lookIntervalMs } from '#libs/broker';
import type { HeartbeatGuard, HeartbeatWatch, HeartbeatWatchOptions } from '#libs/broker';
import { asError } from '#libs/core';
import type { Logger, Timer } from '#libs/core';
import type { KafkaConfig } from '../config.ts';
import type { KafkaDeps } from '../kafka-rpc.ts';
import { sharedTimeOffset } from './messages.ts';
import type { FromThread, Question, ThreadConfig, ThreadData, ToThread } from './messages.ts';

const FROM_SOURCE = import.meta.url.endsWith('.ts');
/** The compiler leaves this path as it is: beside a source stands a source, beside what was built from it what was built. */
const ENTRY = new URL(FROM_SOURCE ? './thread.ts' : './thread.js', import.meta.url);
/** The thread loads Millrace and nothing of the application: what the process preloads is not its business. */
const EXEC_ARGV = FROM_SOURCE
  ? ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']
  : [];
const RESTARTS_MAX = 3;
const RESTART_PAUSE_MS = 1_000;
/** A thread that lived so long starts with a clean record. */
const PROVEN_MS = 60_000;

interface ActiveWatch {
  readonly options: HeartbeatWatchOptions;
  readonly contact: SharedArrayBuffer;
}

export class HeartbeatThread implements HeartbeatGuard {
  readonly #config: KafkaConfig;
  readonly #deps: KafkaDeps;
  readonly #entry: URL;
  readonly #turns = new Int32Array(new SharedArrayBuffer(4));
  readonly #watches = new Map<number, ActiveWatch>();
  readonly #timeOffset: number;
  #nextId = 0;
  #turnTimer: Timer | null = null;
  #restartTimer: Timer | null = null;
  #thread: Worker | null = null;
  #startedAt = 0;
  #failures = 0;
  #off = false;

  /** `entry` is for tests. */
  constructor(config: KafkaConfig, deps: KafkaDeps, entry: URL = ENTRY) {
    this.#config = config;
    this.#deps = deps;
    this.#entry = entry;
    this.#timeOffset = sharedTimeOffset(deps.clock);
  }

  watch(options: HeartbeatWatchOptions): HeartbeatWatch {
    const id = this.#nextId++;
    const contact = new SharedArrayBuffer(8);
    const contactedAt = new BigInt64Array(contact);
    const timeOffset = this.#timeOffset;
    this.#watches.set(id, { options, contact });
    if (this.#turnTimer === null) this.#turn();
    if (this.#thread !== null) this.#tell({ kind: 'watch', id, options, contact });
    else if (this.#restartTimer === null) this.#start();
    return {
      get lastContact() {
        const microseconds = Atomics.load(contactedAt, 0);
        return microseconds === 0n ? -Infinity : Number(microseconds) / 1_000 - timeOffset;
      },
      end: () => {
        if (this.#watches.delete(id)) this.#tell({ kind: 'end', id });
      },
    };
  }

  async close(): Promise<void> {
    this.#off = true;
    this.#watches.clear();
    this.#turnTimer?.cancel();
    this.#restartTimer?.cancel();
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  /** Counts turns of the loop, a few for each look of the thread at them, for as long as something is watched. */
  #turn(): void {
    Atomics.add(this.#turns, 0, 1);
    let everyMs = Infinity;
    for (const { options } of this.#watches.values()) {
      everyMs = Math.min(everyMs, lookIntervalMs(options));
    }
    this.#turnTimer =
      everyMs === Infinity ? null : this.#deps.clock.schedule(everyMs, () => this.#turn(), true);
  }

  #start(): void {
    if (this.#off) return;
    const { clock, logger } = this.#deps;
    const data: ThreadData = { config: configForThread(this.#config), turns: this.#turns.buffer };
    let thread: Worker;
    try {
      thread = new Worker(this.#entry, {
        workerData: data,
        execArgv: EXEC_ARGV,
        name: 'millrace-heartbeats',
        resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
      });
    } catch (error) {
      // TLS options may hold what cannot be handed to a thread, and will not be otherwise the next time.
      this.#giveUp(asError(error).message);
      return;
    }
    this.#thread = thread;
    this.#startedAt = clock.monotonic();
    // It serves the process, which may end with it.
    thread.unref();
    let problem: string | null = null;
    thread.on('message', (message: FromThread) => this.#onMessage(message));
    thread.on('messageerror', (error) =>
      logger.warn('A message of the heartbeat thread is unreadable', { error }),
    );
    thread.on('error', (error) => {
      problem = asError(error).message;
    });
    thread.on('exit', (code) => this.#onExit(thread, problem ?? `it ended with code ${code}`));
    for (const [id, { options, contact }] of this.#watches)
      this.#tell({ kind: 'watch', id, options, contact });
  }

  #onExit(thread: Worker, problem: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const { clock, logger } = this.#deps;
    if (clock.monotonic() - this.#startedAt >= PROVEN_MS) this.#failures = 0;
    if (this.#failures >= RESTARTS_MAX) {
      this.#giveUp(problem);
      return;
    }
    const pauseMs = RESTART_PAUSE_MS * 2 ** this.#failures++;
    logger.warn('The heartbeat thread failed and is started again', { problem, pauseMs });
    this.#restartTimer = clock.schedule(
      pauseMs,
      () => {
        this.#restartTimer = null;
        if (this.#thread === null) this.#start();
      },
      true,
    );
  }

  #giveUp(problem: string): void {
    this.#off = true;
    this.#deps.logger.warn(
      'There is no heartbeat thread: heartbeats leave from the event loop alone, and a record that blocks it for the session timeout loses its partitions',
      { problem },
    );
  }

  #tell(message: ToThread): void {
    this.#thread?.postMessage(message);
  }

  #onMessage(message: FromThread): void {
    const { logger } = this.#deps;
    switch (message.kind) {
      case 'log':
        log(logger, message);
        return;
      case 'ask':
        this.#answer(message.question).catch((error: unknown) => {
          logger.warn('The heartbeat thread was not answered', { error: asError(error).message });
        });
        return;
      case 'resumed': {
        const blockedMs = Math.round(message.blockedMs);
        logger.warn(
          'The event loop was blocked for longer than the session timeout; heartbeats were sent for it',
          {
            groupId: message.groupId,
            blockedMs,
            heartbeats: message.heartbeats,
          },
        );
        return;
      }
      case 'given-up':
        logger.error('The event loop was blocked for longer than `maxBlockedMs`; its heartbeats had ended', {
          groupId: message.groupId,
          blockedMs: Math.round(message.blockedMs),
        });
    }
  }

  async #answer(question: Question): Promise<void> {
    const { brokers, sasl } = this.#config;
    let value: unknown = null;
    let error: string | null = null;
    try {
      if (question === 'brokers') value = typeof brokers === 'function' ? await brokers() : brokers;
      else if (sasl?.mechanism === 'oauthbearer') value = await sasl.oauthBearerProvider();
      this.#tell({ kind: 'answer', question, value, error });
    } catch (cause) {
      error = asError(cause).message;
      this.#tell({ kind: 'answer', question, value: null, error });
    }
  }
}

function configForThread(config: KafkaConfig): ThreadConfig {
  const { brokers, sasl, ...kafka } = config;
  return {
    kafka,
    brokers: typeof brokers === 'function' ? null : brokers,
    sasl: sasl === undefined ? null : 'oauthBearerProvider' in sasl ? 'ask' : sasl,
  };
}

function log(logger: Logger, line: Extract<FromThread, { kind: 'log' }>): void {
  logger[line.level](line.message, line.fields);
}
