// Owns running a command as the process does, with streams that are read afterwards.
import { runCli } from '../src/index.ts';
import type { CliIo } from '../src/index.ts';
import { systemClock } from '#libs/core';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(
  args: readonly string[],
  parts: Partial<Pick<CliIo, 'environment' | 'kafka' | 'onInterrupt'>> & { readonly isTTY?: boolean } = {},
): Promise<CommandResult> {
  const written = { stdout: '', stderr: '' };
  const { isTTY = false, environment = {}, onInterrupt = () => () => undefined, kafka } = parts;
  const exitCode = await runCli(args, {
    stdout: { write: (part: string) => (written.stdout += part) },
    stderr: { write: (part: string) => (written.stderr += part), isTTY },
    clock: systemClock,
    ...{ environment, onInterrupt },
    ...(kafka === undefined ? {} : { kafka }),
  });
  return { exitCode, ...written };
}
