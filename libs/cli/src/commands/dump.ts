// Owns `millrace dump`: the rows of a store, one line of JSON each, from its changelog or from running instances.
import { Command } from 'commander';
import { FatalError } from '#libs/core';
import { dumpChangelog } from '#libs/millrace';
import { binaryFromUtf8 } from '#libs/serde';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { loggerOf, progressOf } from '../command-context.ts';
import { ControlClient, addControlOptions, applicationPath } from '../connection/control-client.ts';
import type { ControlOptions } from '../connection/control-client.ts';
import { addConnectionOptions, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { loadTopology } from '../modules/load-topology.ts';
import { lineSink } from '../output/lines.ts';
import type { LineSink } from '../output/lines.ts';
import { choice, numbers, wholeNumber } from '../values/arguments.ts';
import { FORMATS, formatOf } from '../values/formats.ts';
import type { Format } from '../values/formats.ts';
import { RowReader, shapeOfLayout, shapeOfTopology } from '../values/row-reader.ts';

interface Options extends CommonOptions, ConnectionOptions, ControlOptions {
  readonly query?: string;
  readonly output?: string;
  readonly limit?: number;
  readonly prefix?: string;
  readonly partition?: readonly number[];
  readonly topic?: string;
  readonly module?: string;
  readonly export?: string;
  readonly layout?: string;
  readonly keyFormat?: Format;
  readonly valueFormat?: Format;
  readonly keySchema?: string;
  readonly valueSchema?: string;
  readonly registry?: string;
}

interface Page {
  readonly entries: readonly unknown[];
  readonly cursor: string | null;
}

const PAGE_ROWS = 1_000;

export function dumpCommand(context: CommandContext): Command {
  const command = new Command('dump')
    .description('Writes the committed rows of a store, one line of JSON each (NDJSON).')
    .argument('<application>', 'its application.id')
    .argument('<store>', 'name of the store')
    .option('-o, --output <file>', 'a file instead of stdout; it appears when it is complete')
    .option('--limit <rows>', 'so many at most', wholeNumber(1))
    .option('--prefix <text>', 'rows whose encoded key begins so')
    .option('--partition <number,…>', 'only these', numbers)
    .optionsGroup('From the changelog:')
    .option('--topic <name>', 'the changelog, where it is a source topic')
    .option('--module <file>', 'module with the topology: its serdes and windows are used')
    .option('--export <name>', 'which export of the module')
    .option(
      '--layout <layout>',
      'without a module: plain, keys in order, window(size=60000), session, versions (default: plain)',
    )
    .addOption(
      choice('--key-format <format>', 'without a module: how keys are read (default: auto)', FORMATS),
    )
    .addOption(
      choice('--value-format <format>', 'without a module: how values are read (default: auto)', FORMATS),
    )
    .option('--key-schema <avsc>', 'for avro without a registry')
    .option('--value-schema <avsc>', 'for avro without a registry')
    .option('--registry <url>', 'schema registry, for avro')
    .optionsGroup('From running instances:')
    .option('--query <url>', 'a query server, instead of a control server');
  addControlOptions(command, 'a control server; it gathers from all instances');
  return addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Without --control and --query the changelog is read, twice: the application need not run, and keys are held in memory. Both give what is
committed. auto: keys are text, or base64 in an object; values JSON, text, or base64 in an object.

Examples:
  $ millrace dump orders totals -b kafka:9092 --module ./src/topology.ts > totals.ndjson
  $ millrace dump orders totals -b kafka:9092 --value-format avro --registry http://registry:8081 --limit 10
  $ millrace dump orders per-minute -b kafka:9092 --layout 'window(size=60000)' --key-format utf8
  $ millrace dump orders totals --control http://127.0.0.1:8075 --prefix a -o totals.ndjson`,
    )
    .action((application: string, store: string, options: Options) =>
      dump(context, application, store, options),
    );
}

async function dump(context: CommandContext, id: string, store: string, options: Options): Promise<void> {
  const { control, query } = options;
  if (control !== undefined && query !== undefined)
    throw invalid('--control and --query are both given.', 'Ask one of them.');
  const write =
    control === undefined && query === undefined
      ? await fromChangelog(context, id, store, options)
      : fromQueries(context, id, store, options);
  context.signal.throwIfAborted();
  // A file that is not complete is taken away.
  context.outcome.undertakes = options.output !== undefined;
  const sink = await lineSink(options.output, context.io.stdout);
  const progress = progressOf(context, options);
  try {
    const rows = await write(sink, (done, total) => progress.update(`Dumping ${store}`, done, total));
    await sink.finish();
    progress.stop();
    if (options.output !== undefined) context.io.stderr.write(`${rows} rows in ${options.output}\n`);
  } catch (error) {
    await sink.discard();
    throw error;
  } finally {
    progress.stop();
  }
}

type Write = (sink: LineSink, tell: (done: number, total: number | null) => void) => Promise<number>;

/** What is wrong with the arguments is found before a file is made. */
async function fromChangelog(
  { io, signal }: CommandContext,
  applicationId: string,
  store: string,
  options: Options,
): Promise<Write> {
  const { kafka } = readConnection(io, options, applicationId);
  const reader = await readerOf(io.environment, store, options);
  const { prefix, topic, limit, partition: partitions } = options;
  const start = prefix === undefined ? undefined : binaryFromUtf8(prefix);
  return (sink, tell) =>
    dumpChangelog(
      {
        ...{ kafka, applicationId, store, topic, limit, partitions, signal },
        expiry: reader.expiry,
        ...{ clock: io.clock, logger: loggerOf(options) },
        where: start === undefined ? undefined : (row) => reader.keyOf(row).startsWith(start),
        onProgress: ({ done, total }) => tell(done, total),
      },
      async (row) => sink.write(JSON.stringify(await reader.read(row))),
    );
}

async function readerOf(
  environment: Readonly<Record<string, string | undefined>>,
  store: string,
  options: Options,
): Promise<RowReader> {
  const { module, layout, keyFormat, valueFormat, keySchema, valueSchema, registry } = options;
  if (module !== undefined && layout !== undefined)
    throw invalid('--module and --layout are both given.', 'The module knows the layout.');
  const schemaOf = (schema: string | undefined) => ({
    ...(registry === undefined ? {} : { registry }),
    ...(schema === undefined ? {} : { schema }),
  });
  const show = (format: Format | undefined, part: 'key' | 'value') =>
    format === undefined && module !== undefined
      ? null
      : formatOf(format ?? 'auto', part, schemaOf(part === 'key' ? keySchema : valueSchema), environment);
  const shape =
    module === undefined
      ? shapeOfLayout(store, layout ?? 'plain')
      : shapeOfTopology(await loadTopology(module, options.export), store);
  return new RowReader(shape, show(keyFormat, 'key'), show(valueFormat, 'value'));
}

function fromQueries({ io, signal }: CommandContext, id: string, store: string, options: Options): Write {
  const client = new ControlClient(io, options, signal);
  const path = `/stores/${encodeURIComponent(store)}/entries`;
  const base = options.query ?? options.control![0]!;
  const { limit = Infinity, prefix, partition } = options;
  return async (sink, tell) => {
    let rows = 0;
    let cursor: string | null = null;
    do {
      signal.throwIfAborted();
      const page: Page = await client.get(
        base,
        options.query === undefined ? applicationPath(id, path) : path,
        {
          ...{ limit: String(Math.min(PAGE_ROWS, limit - rows)), requireComplete: 'true' },
          ...(prefix === undefined ? {} : { prefix }),
          ...(partition === undefined ? {} : { only: partition.join(',') }),
          ...(cursor === null ? {} : { cursor }),
        },
      );
      for (const entry of page.entries) await sink.write(JSON.stringify(entry));
      rows += page.entries.length;
      tell(rows, null);
      ({ cursor } = page);
    } while (cursor !== null && rows < limit);
    return rows;
  };
}

function invalid(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
