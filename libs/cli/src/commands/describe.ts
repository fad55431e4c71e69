// Owns `millrace describe`: a topology as text, Mermaid or JSON, from a module or from a running application.
import { Command } from 'commander';
import { FatalError } from '#libs/core';
import type { DescribedTopology } from '#libs/millrace';
import { printJson } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { ControlClient, addControlOptions, applicationPath } from '../connection/control-client.ts';
import type { ControlOptions } from '../connection/control-client.ts';
import { loadDescribable } from '../modules/load-topology.ts';
import { printableLines } from '../output/table.ts';
import { choice } from '../values/arguments.ts';

interface Options extends CommonOptions, ControlOptions {
  readonly format: 'text' | 'mermaid' | 'json';
  readonly export?: string;
  readonly application?: string;
}

interface Described {
  readonly text: string;
  readonly mermaid: string;
  readonly graph: DescribedTopology;
}

export function describeCommand(context: CommandContext): Command {
  const command = new Command('describe')
    .description('Shows a topology: sub-topologies, sources, processors with their stores, sinks.')
    .argument(
      '[module]',
      'a module that exports a builder, a topology, an application, or a function that gives one',
    )
    .addOption(choice('-f, --format <format>', 'how', ['text', 'mermaid', 'json'], 'text'))
    .option('--export <name>', 'which export of the module')
    .option('--application <id>', 'of a running application: its id');
  return addControlOptions(command, 'ask a running application, by its control server')
    .addHelpText(
      'after',
      `
The module is imported, with all that it does when it is imported. Without --export it is looked for under default, topology,
builder, application, then under any name.

Examples:
  $ millrace describe ./src/topology.ts
  $ millrace describe ./dist/topology.js --export orders --format mermaid > topology.mmd
  $ millrace describe --control http://127.0.0.1:8075 --application orders --format json`,
    )
    .action((module: string | undefined, options: Options) => describe(context, module, options));
}

async function describe(
  context: CommandContext,
  module: string | undefined,
  options: Options,
): Promise<void> {
  const { stdout } = context.io;
  const described = await describedBy(context, module, options);
  const format = options.json === true ? 'json' : options.format;
  if (format === 'json') printJson(stdout, described.graph);
  else {
    const text = format === 'mermaid' ? described.mermaid : described.text;
    stdout.write(printableLines(text.endsWith('\n') ? text : `${text}\n`));
  }
}

async function describedBy(
  { io, signal }: CommandContext,
  module: string | undefined,
  options: Options,
): Promise<Described> {
  const { control = [], application } = options;
  if ((module === undefined) === (control.length === 0)) {
    throw usage(
      module === undefined
        ? 'Neither a module nor --control is given.'
        : 'A module and --control are both given.',
      'Name a module, or a control server with --application.',
    );
  }
  if (module !== undefined) {
    const found = await loadDescribable(module, options.export);
    return { text: found.describe(), mermaid: found.describeAsMermaid(), graph: found.describeAsGraph() };
  }
  if (application === undefined) throw usage('--application is missing.', 'Name the id of the application.');
  const client = new ControlClient(io, options, signal);
  return client.get<Described>(control[0]!, applicationPath(application, '/topology'));
}

function usage(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
