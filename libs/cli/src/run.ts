// Owns a run of the command line: from its arguments to its exit code. Errors end here, whatever threw them.
import { CommanderError } from 'commander';
import type { Outcome } from './command-context.ts';
import type { CliIo, OutputStream } from './io.ts';
import { exitCodeOf, printError } from './output/errors.ts';
import { createProgram } from './program.ts';

/** Interrupted by SIGINT, as shells count it. */
const INTERRUPTED = 130;
const USAGE = 2;

/** Of silence, after which it is said that brokers are waited for. */
const PATIENCE_MS = 5_000;

/** 0: done. 1: refused, failed, or what was looked for was found. 2: wrong arguments or configuration. 130: interrupted. Never rejects. */
export async function runCli(args: readonly string[], given: CliIo): Promise<number> {
  const { io, isSilent } = listened(given);
  const abort = new AbortController();
  const outcome = { exitCode: 0, undertakes: false };
  let endNow = (): void => undefined;
  const atOnce = new Promise<number>((resolve) => (endNow = () => resolve(INTERRUPTED)));
  const restore = io.onInterrupt(() => {
    restore();
    abort.abort(new Interrupted());
    if (outcome.undertakes)
      io.stderr.write('\nInterrupted: ending what is under way. Once more ends at once.\n');
    else endNow();
  });
  const hint = io.clock.schedule(
    PATIENCE_MS,
    () => {
      if (isSilent()) io.stderr.write('Waiting for an answer; --verbose shows of what.\n');
    },
    true,
  );
  try {
    return await Promise.race([atOnce, runToEnd(args, io, abort.signal, outcome)]);
  } finally {
    hint.cancel();
    restore();
  }
}

async function runToEnd(
  args: readonly string[],
  io: CliIo,
  signal: AbortSignal,
  outcome: Outcome,
): Promise<number> {
  const style = {
    json: args.includes('--json'),
    verbose: args.includes('--verbose'),
  };
  try {
    await createProgram(io, signal, outcome).parseAsync([...args], { from: 'user' });
    return signal.aborted ? INTERRUPTED : outcome.exitCode;
  } catch (error) {
    // Help and version are no errors to us; what is wrong with arguments is printed already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    if (!signal.aborted || (outcome.undertakes && !isInterruption(error)))
      printError(io.stderr, error, style);
    return signal.aborted ? INTERRUPTED : exitCodeOf(error);
  }
}

/** Knows whether anything was written yet. */
function listened(io: CliIo): { readonly io: CliIo; readonly isSilent: () => boolean } {
  let silent = true;
  const heard = (stream: OutputStream): OutputStream =>
    new Proxy(stream, {
      get(target, name) {
        if (name === 'write') silent = false;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  return { io: { ...io, stdout: heard(io.stdout), stderr: heard(io.stderr) }, isSilent: () => silent };
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
