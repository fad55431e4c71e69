// Owns running Kafka's own Java tools against a broker: the independent side of our checks.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import { MillraceError } from '#libs/core';

import { findJava } from './java-home.ts';
import { DEFAULT_KAFKA_VERSION } from './local-broker.ts';
import type { LocalBroker } from './local-broker.ts';
import { ensureMavenLibraries, kafkaLibraries } from './maven-libraries.ts';
import { progressLine } from './progress.ts';

export interface JavaToolOptions {
  /** Milliseconds after which the tool is killed and the call fails. Default 120,000. */
  readonly timeoutMs?: number;
  /** Options of the JVM, before the main class. */
  readonly jvmOptions?: readonly string[];
  /** Further jars or folders of classes. */
  readonly classpath?: readonly string[];
}

export interface JavaToolResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs `mainClass` of Kafka's jars to its end. A non-zero exit code is a result, not an error.
 * @throws MillraceError MILLRACE_LOCAL_BROKER_FAILED when it cannot start or does not end in time.
 */
export async function javaTool(
  broker: Pick<LocalBroker, 'version'>,
  mainClass: string,
  args: readonly string[],
  options: JavaToolOptions = {},
): Promise<JavaToolResult> {
  const child = await spawnJavaTool(broker, mainClass, args, options);
  const timeoutMs = options.timeoutMs ?? 120_000;
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const fail = (what: string, cause?: unknown): void =>
      reject(
        new MillraceError({
          code: 'MILLRACE_LOCAL_BROKER_FAILED',
          message: `The Java tool ${mainClass} ${what}.`,
          cause: cause ?? new Error(Buffer.concat(stderr).toString().slice(-2000)),
        }),
      );
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`did not end within ${timeoutMs} ms`);
    }, timeoutMs);
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => fail('could not start', error));
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
        exitCode: exitCode ?? -1,
      });
    });
  });
}

/** Starts `mainClass` and leaves its input, outputs and end to the caller. */
export async function spawnJavaTool(
  broker: Pick<LocalBroker, 'version'>,
  mainClass: string,
  args: readonly string[],
  options: JavaToolOptions = {},
): Promise<ChildProcess> {
  const version = /^\d/.test(broker.version) ? broker.version : DEFAULT_KAFKA_VERSION;
  const libraries = await ensureMavenLibraries(`kafka-${version}`, kafkaLibraries(version), progressLine());
  const java = (await findJava())?.java ?? 'java';
  const classpath = [join(libraries, '*'), ...(options.classpath ?? [])].join(
    process.platform === 'win32' ? ';' : ':',
  );
  return spawn(java, [
    ...['-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
    ...(options.jvmOptions ?? []),
    ...['-cp', classpath, mainClass, ...args],
  ]);
}
