// Owns `millrace dlq`: looking at dead letters, and putting them back.
import { Command } from 'commander';
import { binaryFromBytes } from '#libs/serde';
import { parseDatetime, peekDeadLetters, redriveDeadLetters, summarizeDeadLetters } from '#libs/millrace';
import type { DeadLetter, DeadLetterFilter, DeadLetterSummary, RedriveReport } from '#libs/millrace';
import { loggerOf, printJson, progressOf } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { addConnectionOptions, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { count, time } from '../output/figures.ts';
import { printable, table } from '../output/table.ts';
import { choice, list, numbers, wholeNumber } from '../values/arguments.ts';
import { FORMATS, formatOf, shown } from '../values/formats.ts';
import type { Format, Show } from '../values/formats.ts';

interface FilterOptions {
  readonly code?: readonly string[];
  readonly exception?: readonly string[];
  readonly origin?: readonly string[];
  readonly stage?: readonly string[];
  readonly node?: readonly string[];
  readonly partition?: readonly number[];
  readonly fromOffset?: number;
  readonly toOffset?: number;
  readonly since?: string;
  readonly until?: string;
  readonly key?: string;
}

interface Options extends CommonOptions, ConnectionOptions, FilterOptions {}

interface PeekOptions extends Options {
  readonly limit: number;
  readonly keyFormat: Format;
  readonly valueFormat: Format;
  readonly registry?: string;
}

interface RedriveCommandOptions extends Options {
  readonly execute?: boolean;
  readonly limit?: number;
  readonly rate?: number;
  readonly redrivesMax?: number;
  readonly discard?: boolean;
}

export function dlqCommand(context: CommandContext): Command {
  const dlq = new Command('dlq').description(
    'Looks at dead letters, and puts them back where they came from.',
  );
  dlq.addCommand(
    common('list', 'How many wait, and why.')
      .addHelpText('after', '\nExample:\n  $ millrace dlq list orders orders-dead -b kafka:9092')
      .action((application: string, topic: string, options: Options) =>
        summarize(context, application, topic, options),
      ),
  );
  dlq.addCommand(
    common('peek', 'The first that wait, with where they came from, what was thrown, key and value.')
      .option('--limit <count>', 'so many at most', wholeNumber(1), 20)
      .addOption(choice('--key-format <format>', 'how keys are shown', FORMATS, 'auto'))
      .addOption(choice('--value-format <format>', 'how values are shown', FORMATS, 'auto'))
      .option('--registry <url>', 'schema registry, for avro')
      .addHelpText(
        'after',
        '\nExample:\n  $ millrace dlq peek orders orders-dead --exception TypeError --limit 3 -b kafka:9092',
      )
      .action((application: string, topic: string, options: PeekOptions) =>
        peek(context, application, topic, options),
      ),
  );
  dlq.addCommand(
    common(
      'redrive',
      'Puts them back to the partitions they came from, each once. Only counts, unless --execute is given.',
    )
      .option('--execute', 'do it; without it nothing is written')
      .option('--limit <count>', 'so many at most', wholeNumber(1))
      .option('--rate <count>', 'so many a second at most', wholeNumber(1))
      .option('--redrives-max <count>', 'leave out what was put back so often already', wholeNumber(1))
      .option('--discard', 'do not put them back: they count as dealt with')
      .addHelpText(
        'after',
        `
It may be interrupted and run again: what was put back is not put back twice. The application may run meanwhile; a second redrive may not.

Example:
  $ millrace dlq redrive orders orders-dead --exception ServiceBusy --since 2026-01-31T08:00:00 --rate 500 -b kafka:9092 --execute`,
      )
      .action((application: string, topic: string, options: RedriveCommandOptions) =>
        redrive(context, application, topic, options),
      ),
  );
  return dlq;
}

function common(name: string, description: string): Command {
  const command = new Command(name)
    .description(description)
    .argument('<application>', 'its application.id')
    .argument('<topic>', 'its dead-letter topic')
    .optionsGroup('Which ones (all that is given must hold):')
    .option('--code <code,…>', 'such as MILLRACE_PROCESSING_FAILED', list)
    .option('--exception <name,…>', 'what was thrown, such as TypeError', list)
    .option('--origin <topic,…>', 'where the records came from', list)
    .option('--stage <stage,…>', 'deserialization, processing or production', list)
    .option('--node <name,…>', 'source, operator or sink that failed', list)
    .option('--partition <number,…>', 'of the dead-letter topic', numbers)
    .option('--from-offset <offset>', 'of the dead-letter topic', wholeNumber(0))
    .option('--to-offset <offset>', 'of the dead-letter topic, not included', wholeNumber(0))
    .option('--since <time>', 'failed then or later')
    .option('--until <time>', 'failed before')
    .option('--key <text>', 'the record’s key')
    .optionsGroup('Options:');
  return addConnectionOptions(command);
}

function filterOf(options: FilterOptions): DeadLetterFilter {
  const { code, exception, origin, stage, node, partition, fromOffset, toOffset, since, until, key } =
    options;
  const hasOffsets = fromOffset !== undefined || toOffset !== undefined;
  const hasTimes = since !== undefined || until !== undefined;
  return {
    ...{
      codes: code,
      exceptions: exception,
      origins: origin,
      stages: stage,
      nodes: node,
      partitions: partition,
      key,
    },
    offsets: hasOffsets ? { from: fromOffset, to: toOffset } : undefined,
    failed: hasTimes
      ? {
          from: since === undefined ? undefined : parseDatetime(since),
          to: until === undefined ? undefined : parseDatetime(until),
        }
      : undefined,
  };
}

function request({ io, signal }: CommandContext, applicationId: string, topic: string, options: Options) {
  const { kafka } = readConnection(io, options, applicationId);
  const filter = filterOf(options);
  return { kafka, applicationId, topic, filter, signal, clock: io.clock, logger: loggerOf(options) };
}

async function summarize(
  context: CommandContext,
  id: string,
  topic: string,
  options: Options,
): Promise<void> {
  const { stdout } = context.io;
  const summary = await summarizeDeadLetters(request(context, id, topic, options));
  context.signal.throwIfAborted();
  if (options.json === true) printJson(stdout, { applicationId: id, topic, ...summary });
  else stdout.write(summaryText(topic, summary));
}

function summaryText(topic: string, summary: DeadLetterSummary): string {
  const { pending, byCode, byException, byOrigin, byNode, oldest, newest } = summary;
  const lines = [`${topic}: ${count(pending, 'dead letter waits', 'dead letters wait')}\n`];
  if (pending === 0) return lines[0]!;
  lines.push(`failed from ${time(oldest) ?? '?'} to ${time(newest) ?? '?'}\n`);
  for (const [heading, counts] of [
    ['CODE', byCode],
    ['EXCEPTION', byException],
    ['CAME FROM', byOrigin],
    ['NODE', byNode],
  ] as const) {
    const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
    lines.push('\n', table([heading, 'LETTERS'], rows));
  }
  return lines.join('');
}

async function peek(context: CommandContext, id: string, topic: string, options: PeekOptions): Promise<void> {
  const { io } = context;
  const keys = formatOf(options.keyFormat, 'key', options, io.environment);
  const values = formatOf(options.valueFormat, 'value', options, io.environment);
  const letters = await peekDeadLetters({ ...request(context, id, topic, options), limit: options.limit });
  context.signal.throwIfAborted();
  const told = [];
  for (const letter of letters)
    told.push({
      ...letter,
      key: await tell(keys, letter.key),
      value: await tell(values, letter.value),
      headers: headersOf(letter),
    });
  if (options.json === true) printJson(io.stdout, told);
  else io.stdout.write(told.length === 0 ? 'None.\n' : told.map((letter) => letterText(letter)).join('\n'));
}

/** What cannot be read by the format is shown all the same: it is often why it is here. */
async function tell(show: Show, bytes: Uint8Array | null): Promise<unknown> {
  if (bytes === null) return null;
  try {
    return await shown(show, binaryFromBytes(bytes));
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
}

function headersOf({ headers }: DeadLetter): Record<string, string | null> {
  return Object.fromEntries(
    headers.map(({ key, value }) => [key, value === null ? null : Buffer.from(value).toString()]),
  );
}

function letterText(
  letter: Omit<DeadLetter, 'key' | 'value' | 'headers'> & {
    readonly key: unknown;
    readonly value: unknown;
    readonly headers: Readonly<Record<string, string | null>>;
  },
): string {
  const { partition, offset, origin, code, exception, message, stage, node, attempts, redrives } = letter;
  const came =
    origin === null
      ? 'it does not say from where'
      : `from ${origin.topic}-${origin.partition}${origin.offset < 0 ? '' : ` at ${origin.offset}`}`;
  const where = [stage, node === null ? null : `in ${node}`].filter((part) => part !== null).join(' ');
  const lines = [
    `${partition}:${offset}  ${came}, failed ${time(letter.failedAt ?? letter.timestamp) ?? '?'}`,
    `  ${exception ?? code ?? 'unknown'}: ${message ?? ''}`,
    `  ${[where, attempts === null ? '' : count(attempts, 'attempt'), redrives === 0 ? '' : `put back ${redrives} times`].filter((part) => part !== '').join(', ')}`,
    `  key:   ${JSON.stringify(letter.key)}`,
    `  value: ${JSON.stringify(letter.value)}`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

async function redrive(
  context: CommandContext,
  id: string,
  topic: string,
  options: RedriveCommandOptions,
): Promise<void> {
  const { io } = context;
  const { limit, rate, redrivesMax, discard } = options;
  const isDry = options.execute !== true;
  const progress = progressOf(context, options);
  const asked = request(context, id, topic, options);
  let total: number | null = null;
  if (!isDry) {
    const { pending } = await summarizeDeadLetters(asked);
    total = Math.min(pending, limit ?? Infinity);
    context.signal.throwIfAborted();
    context.outcome.undertakes = true;
  }
  try {
    const report = await redriveDeadLetters({
      ...{ ...asked, limit, rate, redrivesMax, discard, dryRun: isDry },
      onProgress: ({ redriven }) =>
        progress.update(discard === true ? 'Discarding' : 'Putting back', redriven, total),
    });
    progress.stop();
    if (options.json === true) printJson(io.stdout, { executed: !isDry, ...report });
    else io.stdout.write(reportText(report, isDry, discard === true));
  } finally {
    progress.stop();
  }
}

function reportText(report: RedriveReport, isDry: boolean, isDiscarded: boolean): string {
  const { redriven, filtered, before, refused, byTopic, complete } = report;
  const did = isDiscarded ? 'discarded' : 'put back';
  const lines = [`${isDry ? `Would be ${did}` : `${did[0]!.toUpperCase()}${did.slice(1)}`}: ${redriven}\n`];
  const topics = Object.entries(byTopic);
  if (topics.length > 0 && !isDiscarded) lines.push('\n', table(['TO TOPIC', 'LETTERS'], topics), '\n');
  lines.push(`Left out by the filter: ${filtered}\nDone by earlier runs: ${before}\n`);
  for (const [reason, letters] of Object.entries(refused))
    if (letters > 0) lines.push(`Refused (${REFUSALS[reason] ?? reason}): ${letters}\n`);
  if (!complete) lines.push('Ended before the end of the topic.\n');
  if (isDry) lines.push('\nNothing was written. Give --execute to do this.\n');
  return lines.join('');
}

const REFUSALS: Readonly<Record<string, string>> = {
  noOrigin: 'they do not say where they came from',
  topicGone: 'their topic is gone',
  partitionGone: 'their partition is gone',
  forbiddenTopic: 'they came from a topic of Kafka’s own, or from the dead-letter topic',
  tooOften: 'put back too often',
};
