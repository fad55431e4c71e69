// Owns what every command is given, and the options that all of them have.
import { createConsoleLogger } from '#libs/millrace';
import { silentLogger } from '#libs/core';
import type { Logger } from '#libs/core';
import type { CliIo, OutputStream } from './io.ts';
import { Progress } from './output/progress.ts';

export interface CommandContext {
  readonly io: CliIo;
  /** Aborted when the user wants an end. */
  readonly signal: AbortSignal;
  readonly outcome: Outcome;
}

export interface Outcome {
  /** What the process ends with where nothing is thrown. */
  exitCode: number;
  /** Something is being changed, which an interruption has to let come to an end. */
  undertakes: boolean;
}

export interface CommonOptions {
  readonly json?: boolean;
  readonly progress?: boolean;
  readonly verbose?: boolean;
}

export function loggerOf({ verbose }: CommonOptions): Logger {
  return verbose === true ? createConsoleLogger('debug') : silentLogger;
}

export function progressOf({ io }: CommandContext, { progress }: CommonOptions): Progress {
  return new Progress(io.stderr, io.clock, progress !== false);
}

export function printJson(stdout: OutputStream, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
