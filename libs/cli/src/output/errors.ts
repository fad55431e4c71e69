// Owns how an error is told: its code, what is wrong, where, what to do. A stack only where it was asked for.
import { CommanderError } from 'commander';
import { MillraceError } from '#libs/core';
import type { OutputStream } from '../io.ts';
import { printableLines } from './table.ts';

export interface ErrorStyle {
  readonly json: boolean;
  readonly verbose: boolean;
}

const FAILED = 1;
const USAGE = 2;
/** Facts of an error that say where; others are for programs. */
const PLACES = [
  'applicationId',
  'groupId',
  'topic',
  'topics',
  'partition',
  'offset',
  'taskId',
  'store',
  'directory',
  'path',
  'url',
  'where',
  'step',
];
const PLACE_CHARACTERS_MAX = 300;

/** Wrong input of the user's, not of the cluster's. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  return error instanceof MillraceError && error.code === 'MILLRACE_INVALID_CONFIG' ? USAGE : FAILED;
}

export interface ToldError {
  readonly code: string | null;
  readonly message: string;
  readonly where: string | null;
  readonly remedy: string | null;
  readonly causes: readonly string[];
}

export function tellError(error: unknown): ToldError {
  const causes: string[] = [];
  for (let cause = causeOf(error); cause !== undefined && causes.length < 5; cause = causeOf(cause))
    causes.push(
      cause instanceof MillraceError ? `${cause.code}: ${bareMessage(cause)}` : String(messageOf(cause)),
    );
  if (!(error instanceof MillraceError))
    return { code: null, message: messageOf(error), where: null, remedy: null, causes };
  const { code, remedy = null } = error;
  return { code, message: bareMessage(error), where: whereOf(error), remedy, causes };
}

export function printError(stderr: OutputStream, error: unknown, { json, verbose }: ErrorStyle): void {
  const told = tellError(error);
  if (json) {
    const stack = verbose && error instanceof Error ? { stack: error.stack } : {};
    stderr.write(`${JSON.stringify({ error: { ...told, ...stack } })}\n`);
    return;
  }
  const lines = [`${told.code ?? 'error'}: ${told.message}`];
  if (told.where !== null) lines.push(`  where:  ${told.where}`);
  for (const cause of told.causes) lines.push(`  cause:  ${cause}`);
  if (told.remedy !== null) lines.push(`  remedy: ${told.remedy}`);
  if (told.code !== null) lines.push(`  more:   docs/errors/${told.code}.md`);
  if (verbose && error instanceof Error) lines.push('', error.stack ?? '');
  stderr.write(`${printableLines(lines.join('\n'))}\n`);
}

/** The message of an error without its code and remedy. */
function bareMessage({ message, code, remedy }: MillraceError): string {
  const bare = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  const suffix = ` Remedy: ${remedy ?? ''}`;
  return (remedy !== undefined && bare.endsWith(suffix) ? bare.slice(0, -suffix.length) : bare).trimEnd();
}

function whereOf({ context }: MillraceError): string | null {
  const parts: string[] = [];
  for (const name of PLACES) {
    const value = context[name];
    if (typeof value !== 'string' && typeof value !== 'number' && !Array.isArray(value)) continue;
    parts.push(`${name} ${Array.isArray(value) ? value.join(', ') : value}`);
  }
  return parts.length === 0 ? null : parts.join('; ').slice(0, PLACE_CHARACTERS_MAX);
}

function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown } | null | undefined)?.cause;
}

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' && message !== '' ? message : String(error);
}
