// A Nest application in a process of its own, so that specs can kill it: an exactly-once handler that counts the records of each key. Its
// one argument is JSON: NestProcessOptions. It prints a line for each state of its application.
import 'reflect-metadata';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Injectable, Module } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Produced, Serdes, State, StreamsApplication, silentLogger } from '#libs/millrace';
import { ExactlyOnceHandler, MillraceModule } from '#libs/nestjs';
import type { HandlerContext, HandlerOutput } from '#libs/nestjs';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

export interface NestProcessOptions {
  readonly applicationId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly stateDir: string;
  readonly sessionTimeoutMs?: number;
  readonly groupInstanceId?: string;
  /** As `app.enableShutdownHooks()`. Default false. */
  readonly shutdownHooks?: boolean;
  /** Default true. */
  readonly drainOnSignals?: boolean;
  /** How long the handler is busy with each record, milliseconds. Default 0. */
  readonly busyMs?: number;
  /** Default: none, an application context. */
  readonly server?: boolean;
}

export function startNestProcess(options: NestProcessOptions): RunningProcess {
  return startNode([
    '--conditions=millrace-source',
    '--disable-warning=ExperimentalWarning',
    '--import',
    join(import.meta.dirname, '../support/decorators.mjs'),
    fileURLToPath(import.meta.url),
    JSON.stringify(options),
  ]);
}

async function main(options: NestProcessOptions): Promise<void> {
  const { applicationId, brokers, input, output, stateDir, shutdownHooks, server } = options;
  const { sessionTimeoutMs, groupInstanceId, drainOnSignals, busyMs = 0 } = options;
  const count = { count: State.value(Serdes.safeInteger()) };

  @Injectable()
  class Counts {
    @ExactlyOnceHandler(input, {
      name: 'counts',
      state: count,
      outputs: { [output]: Produced.with(Serdes.string(), Serdes.json<number>()) },
    })
    onRecord(_value: unknown, { state }: HandlerContext<typeof count>): HandlerOutput {
      const until = performance.now() + busyMs;
      while (performance.now() < until);
      const next = (state.count.get() ?? 0) + 1;
      state.count.set(next);
      return { value: next };
    }
  }

  @Module({
    imports: [
      MillraceModule.forRoot({
        applicationId,
        kafka: { brokers },
        stateDir,
        commitIntervalMs: 20,
        logger: silentLogger,
        ...(sessionTimeoutMs === undefined
          ? {}
          : { sessionTimeoutMs, heartbeatIntervalMs: Math.min(500, sessionTimeoutMs / 3) }),
        ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
        ...(drainOnSignals === undefined ? {} : { drainOnSignals }),
        autoStart: false,
      }),
    ],
    providers: [Counts],
  })
  class AppModule {}

  const quiet = { logger: false, abortOnError: false } as const;
  const application =
    server === true
      ? await NestFactory.create(AppModule, quiet)
      : await NestFactory.createApplicationContext(AppModule, quiet);
  if (shutdownHooks === true) application.enableShutdownHooks();
  if (server === true) await (application as INestApplication).listen(0, '127.0.0.1');
  const streams = application.get(StreamsApplication);
  streams.onStateChange((state) => process.stdout.write(`${state}\n`));
  await streams.start();
}

const [, file, argument] = process.argv;
if (file === fileURLToPath(import.meta.url)) await main(JSON.parse(argument!) as NestProcessOptions);
