// Owns running copies of a service on a Kafka cluster simulated in this process, the first of which is killed: what a lesson shows where no
// broker can be had. Nothing is installed, nothing is written to disk.
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { StreamsApplication } from '#libs/millrace';
import type { SimulatedHost, SimulatedKafka } from '#libs/millrace';
import type { MillraceModuleOptions } from '#libs/nestjs';

/** A copy that was killed is missed by its group after this long. */
export const SIMULATED_SESSION_MS = 1_500;
const POLL_MS = 100;

/** What a simulated copy's module is made with. */
export type SimulatedOptions = Pick<
  MillraceModuleOptions,
  'kafka' | 'clock' | 'instanceId' | 'state' | 'until' | 'sessionTimeoutMs' | 'heartbeatIntervalMs'
>;

interface Copy {
  readonly name: string;
  readonly host: SimulatedHost;
  readonly context: INestApplicationContext;
}

export class SimulatedCopies {
  readonly #copies: readonly [Copy, Copy];
  #isKilled = false;

  private constructor(copies: readonly [Copy, Copy]) {
    this.#copies = copies;
  }

  /** Two copies, each with its share of the tasks. */
  static async start(
    kafka: SimulatedKafka,
    moduleOf: (options: SimulatedOptions) => DynamicModule,
    signal: AbortSignal,
  ): Promise<SimulatedCopies> {
    const copies = [
      await startCopy(kafka, 'copy-1', moduleOf),
      await startCopy(kafka, 'copy-2', moduleOf),
    ] as const;
    // The second one gets its share by and by: a task changes hands once it is committed and closed.
    while (!signal.aborted && copies.some((copy) => tasksOf(copy) === 0)) await delay(POLL_MS);
    return new SimulatedCopies(copies);
  }

  get isKilled(): boolean {
    return this.#isKilled;
  }

  /** kill −9 of the first copy. Returns what to say of it. */
  kill(): string {
    const [killed, survivor] = this.#copies;
    killed.host.kill();
    this.#isKilled = true;
    return `${killed.name} was killed, with whatever it was doing: ${survivor.name} takes over in ${SIMULATED_SESSION_MS / 1_000} s`;
  }

  /** What each is at. */
  describe(): string {
    return this.#copies
      .map((copy, index) =>
        this.#isKilled && index === 0 ? `${copy.name} is dead` : `${copy.name} runs ${tasksOf(copy)} tasks`,
      )
      .join(', ');
  }

  /** The killed one can do nothing any more, not even stop. */
  async close(): Promise<void> {
    for (const { context } of this.#isKilled ? this.#copies.slice(1) : this.#copies) await context.close();
  }
}

async function startCopy(
  kafka: SimulatedKafka,
  name: string,
  moduleOf: (options: SimulatedOptions) => DynamicModule,
): Promise<Copy> {
  const host = kafka.host(name);
  const module = moduleOf({
    ...{ kafka: host.kafka, clock: host.clock, instanceId: name, state: 'memory', until: 'stopped' },
    sessionTimeoutMs: SIMULATED_SESSION_MS,
    heartbeatIntervalMs: SIMULATED_SESSION_MS / 3,
  });
  const context = await NestFactory.createApplicationContext(module, {
    // The lesson has the terminal; warnings and errors go to stderr.
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  });
  await context.get(StreamsApplication).whenRunning();
  return { name, host, context };
}

function tasksOf({ context }: Copy): number {
  return context.get(StreamsApplication).figures?.runningTasks.length ?? 0;
}
