// Owns the list of commands, and what they have in common.
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { describeCommand } from './commands/describe.ts';
import { dlqCommand } from './commands/dlq.ts';
import { dumpCommand } from './commands/dump.ts';
import { lagCommand } from './commands/lag.ts';
import { resetCommand } from './commands/reset.ts';
import { tasksCommand } from './commands/tasks.ts';
import { typesCommand } from './commands/types.ts';
import { verifyCommand } from './commands/verify.ts';
import type { CommandContext, Outcome } from './command-context.ts';
import type { CliIo } from './io.ts';

/** Of this package. */
const { version: VERSION } = createRequire(import.meta.url)('millrace/package.json') as {
  readonly version: string;
};

const AFTER = `
Brokers and how to reach them are given by flags, by the variables MILLRACE_KAFKA_… that applications read, or by a file
(--config). Passwords are never flags: MILLRACE_KAFKA_SASL_PASSWORD, or --sasl-password-file.

Exit codes: 0 done; 1 refused, failed, or differences found; 2 wrong arguments or configuration; 130 interrupted.

Examples:
  $ millrace describe ./src/topology.ts --format mermaid
  $ millrace lag orders -b kafka:9092
  $ millrace reset orders --to-datetime 2026-01-31T08:00:00 -b kafka:9092            # a dry run
  $ millrace reset orders --to-datetime 2026-01-31T08:00:00 -b kafka:9092 --execute`;

export function createProgram(io: CliIo, signal: AbortSignal, outcome: Outcome): Command {
  const context: CommandContext = { io, signal, outcome };
  const program = new Command('millrace')
    .description('Looks at Millrace applications and operates them, from outside.')
    .version(VERSION)
    .addHelpText('after', AFTER);
  program.addCommand(describeCommand(context));
  program.addCommand(tasksCommand(context));
  program.addCommand(lagCommand(context));
  program.addCommand(resetCommand(context));
  program.addCommand(dlqCommand(context));
  program.addCommand(dumpCommand(context));
  program.addCommand(verifyCommand(context));
  program.addCommand(typesCommand(context));
  for (const command of withChildren(program)) {
    command
      .exitOverride()
      .showHelpAfterError('(--help shows what there is)')
      .configureOutput({
        writeOut: (text) => void io.stdout.write(text),
        writeErr: (text) => void io.stderr.write(text),
      });
    // Groups of commands print nothing themselves.
    if (command.commands.length > 0) continue;
    command
      .option('--json', 'results as JSON on stdout, errors as JSON on stderr')
      .option('--no-progress', 'no progress on stderr')
      .option('--verbose', 'log lines of the client, and stacks of errors, on stderr');
  }
  return program;
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}
