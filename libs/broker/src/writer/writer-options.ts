// Owns the checks of a writer's options.
import { MillraceError } from '#libs/core';
import type { TransactionalWriterOptions } from '../contracts/transactional-writer.ts';

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function validateWriterOptions(options: Partial<TransactionalWriterOptions>): void {
  if (options.transactionalId === '')
    throw invalid('transactionalId', 'is empty', 'Give the worker a stable name.');
  if (options.compression === 'snappy') {
    throw invalid(
      'compression',
      'is snappy, which is read but never written',
      'Use lz4, zstd, gzip or none.',
    );
  }
  for (const name of ['transactionTimeoutMs', 'deadlineMs'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) {
      throw invalid(name, `is ${value}`, 'Give a positive number of milliseconds.');
    }
  }
}

function invalid(option: string, problem: string, remedy: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `Writer option \`${option}\` ${problem}.`,
    remedy,
    context: { option },
  });
}
