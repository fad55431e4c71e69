// Owns a run of the command line: from its arguments to its exit code. Errors end here, whatever threw them.
import { CommanderError } from 'commander';
import type { CliIo } from './io.ts';
import { exitCodeOf, printError } from './output/errors.ts';
import { createProgram } from './program.ts';

/** Interrupted by SIGINT, as shells count it. */
const INTERRUPTED = 130;
const USAGE = 2;

/** 0: done. 1: refused, failed, or what was looked for was found. 2: wrong arguments or configuration. 130: interrupted. Never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const abort = new AbortController();
  const restore = io.onInterrupt(() => {
    restore();
    io.stderr.write('\nInterrupted: ending what is under way. Once more ends at once.\n');
    abort.abort(new Interrupted());
  });
  const style = {
    json: args.includes('--json'),
    verbose: args.includes('--verbose'),
  };
  const outcome = { exitCode: 0 };
  try {
    await createProgram(io, abort.signal, outcome).parseAsync([...args], { from: 'user' });
    return abort.signal.aborted ? INTERRUPTED : outcome.exitCode;
  } catch (error) {
    // Help and version are no errors to us; what is wrong with arguments is printed already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    if (abort.signal.aborted) {
      if (!isInterruption(error)) printError(io.stderr, error, style);
      return INTERRUPTED;
    }
    printError(io.stderr, error, style);
    return exitCodeOf(error);
  } finally {
    restore();
  }
}

class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'AbortError';
  }
}

function isInterruption(error: unknown): boolean {
  return error instanceof Interrupted || (error as { name?: unknown } | null)?.name === 'AbortError';
}
