// Owns `millrace types`: TypeScript modules of Avro schemas, flight.avsc.ts beside flight.avsc.
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { FatalError, MillraceError, asError } from '#libs/core';
import { avroTypeScript } from '#libs/millrace';
import type { AvroSchema } from '#libs/millrace';
import { printJson } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';

interface Options extends CommonOptions {
  readonly check?: boolean;
  readonly logicalTypes?: boolean;
}

interface TypesFile {
  readonly schema: string;
  readonly module: string;
  readonly state: 'unchanged' | 'written' | 'outdated';
}

export function typesCommand(context: CommandContext): Command {
  return new Command('types')
    .description('Writes a TypeScript module beside each Avro schema: its types, and the schema itself.')
    .argument('<files...>', '.avsc files')
    .option('--check', 'write nothing; exit with 1 where a module is not what would be written')
    .option('--logical-types', 'types as avroLogicalTypes() reads them: dates, exact decimals')
    .addHelpText(
      'after',
      `
Examples:
  $ millrace types schemas/*.avsc
  $ millrace types --check --logical-types schemas/flight.avsc`,
    )
    .action((files: string[], options: Options) => types(context, files, options));
}

async function types(
  { io, outcome, signal }: CommandContext,
  files: string[],
  options: Options,
): Promise<void> {
  outcome.undertakes = true;
  const done: TypesFile[] = [];
  for (const schema of files) {
    signal.throwIfAborted();
    const module = `${schema}.ts`;
    const text = await moduleOf(schema, options.logicalTypes === true);
    const there = await readFile(module, 'utf8').catch(() => null);
    if (there === text) done.push({ schema, module, state: 'unchanged' });
    else if (options.check === true) done.push({ schema, module, state: 'outdated' });
    else {
      await replace(module, text);
      done.push({ schema, module, state: 'written' });
    }
  }
  if (options.json === true) printJson(io.stdout, done);
  else for (const { module, state } of done) io.stdout.write(`${state.padEnd(9)}  ${module}\n`);
  if (done.some(({ state }) => state === 'outdated')) outcome.exitCode = 1;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
async function moduleOf(file: string, logicalTypes: boolean): Promise<string> {
  try {
    const schema = JSON.parse(await readFile(file, 'utf8')) as AvroSchema;
    return avroTypeScript(schema, { logicalTypes });
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `${file} is no Avro schema that can be read: ${asError(error).message}.`,
      remedy: 'Name .avsc files: JSON, one schema each.',
      cause: error,
      context: { path: file },
    });
  }
}

/** As a whole, or not at all. */
async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}
