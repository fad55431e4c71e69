// `npm start`: the flight-delays service with all it needs. Owns the process: arguments, signals, exit code, how an error looks.
import 'reflect-metadata';
import { FatalError, MillraceError } from '#libs/millrace';
import { USAGE, parseArguments } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { run } from './run.ts';
import { runSimulated } from './run-simulated.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let args: Arguments;
  try {
    args = parseArguments(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (args.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second time it is meant: at once. Nothing is lost by that but the open epoch's work.
      if (ending.signal.aborted) process.exit(130);
      ending.abort();
    });
  }
  try {
    return await (args.simulated ? runSimulated : run)(args, ending.signal);
  } catch (error) {
    process.stderr.write(`\n${describe(error)}\n`);
    return 1;
  }
}

/** A coded error tells what to do; the stack is for those we did not expect. */
function describe(given: unknown): string {
  const error = given instanceof Error && given.name.startsWith('KafkaJS') ? ofLoader(given) : given;
  if (!(error instanceof MillraceError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const withoutBroker =
    error.code === 'MILLRACE_NO_BROKER_AVAILABLE' ? '\nWithout any broker: npm start -- --simulated' : '';
  return `${error.message.replace(' Remedy: ', '\nWhat to do: ')}${withoutBroker}\nMore: docs/errors/${error.code}.md`;
}

/** The loader is an outside client with errors of its own. */
function ofLoader(cause: Error): FatalError {
  return new FatalError({
    code: 'MILLRACE_BROKER_UNREACHABLE',
    message: `The loader could not reach the broker: ${cause.message}.`,
    remedy: 'Check that a broker answers at KAFKA_BROKERS, or unset it to have one started.',
    cause,
  });
}
