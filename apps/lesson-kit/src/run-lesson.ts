// Owns the process of a lesson: arguments, signals, exit code, how an error looks. What is run is the lesson's own.
//
// Exit codes: 0 done, 1 failed (or the result is not the expected one), 2 wrong arguments, 130 ended by a second Ctrl-C.
import { FatalError, MillraceError } from '#libs/millrace';

export interface Lesson<Arguments> {
  /** What `--help` prints, and what follows a wrong argument. */
  readonly usage: string;
  /** @throws Error for what is not an option, or not its value. */
  parse(args: readonly string[]): Arguments;
  /** Resolves to the exit code. `signal`: the user wants it to end. */
  run(args: Arguments, signal: AbortSignal): Promise<number>;
  /** How to run it where no broker can be had, if it can. */
  readonly withoutBroker?: string;
}

/** Runs a lesson by the command line. Resolves to the exit code, whatever happens. */
export async function runLesson<Arguments>(
  lesson: Lesson<Arguments>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(lesson.usage);
    return 0;
  }
  let args: Arguments;
  try {
    args = lesson.parse(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${lesson.usage}`);
    return 2;
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
    return await lesson.run(args, ending.signal);
  } catch (error) {
    process.stderr.write(`\n${describe(error, lesson.withoutBroker)}\n`);
    return 1;
  }
}

/** A coded error tells what to do; the stack is for those we did not expect. */
export function describe(given: unknown, withoutBroker?: string): string {
  const error = given instanceof Error && given.name.startsWith('KafkaJS') ? ofOutsideClient(given) : given;
  if (!(error instanceof MillraceError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const hint =
    error.code === 'MILLRACE_NO_BROKER_AVAILABLE' && withoutBroker !== undefined
      ? `\nWithout any broker: ${withoutBroker}`
      : '';
  return `${error.message.replace(' Remedy: ', '\nWhat to do: ')}${hint}\nMore: docs/errors/${error.code}.md`;
}

/** What publishes the input is an outside client with errors of its own. */
function ofOutsideClient(cause: Error): FatalError {
  return new FatalError({
    code: 'MILLRACE_BROKER_UNREACHABLE',
    message: `The client that publishes the input could not reach the broker: ${cause.message}.`,
    remedy: 'Check that a broker answers at KAFKA_BROKERS, or unset it to have one started.',
    cause,
  });
}
