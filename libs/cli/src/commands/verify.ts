// Owns `millrace verify`: whether local state is what its changelogs say, with what differs.
import { InvalidArgumentError } from 'commander';
import { Command } from 'commander';
import { verifyState } from '#libs/millrace';
import type { Difference, StoreVerification, StoredSide, VerifyReport } from '#libs/millrace';
import { loggerOf, printJson, progressOf } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { addConnectionOptions, addStateDirOption, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { count, time } from '../output/figures.ts';
import { printable, table } from '../output/table.ts';
import { list, wholeNumber } from '../values/arguments.ts';
import { hex, readableText } from '../values/formats.ts';

interface Options extends CommonOptions, ConnectionOptions {
  readonly task?: readonly string[];
  readonly store?: readonly string[];
  readonly changelog?: ReadonlyMap<string, string>;
  readonly maxDifferences: number;
}

const SHOWN_CHARACTERS = 80;

export function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description(
      'Compares every row of the local state with its changelog, up to where the state says it has come.',
    )
    .argument('<application>', 'its application.id')
    .option('--task <id,…>', 'only these, such as 0_3', list)
    .option('--store <name,…>', 'only these', list)
    .option('--changelog <store=topic>', 'of a table that is made of a source topic: that topic', changelogs)
    .option(
      '--max-differences <count>',
      'so many are shown for each store; all are counted',
      wholeNumber(0),
      20,
    );
  return addConnectionOptions(addStateDirOption(command))
    .addHelpText(
      'after',
      `
The application must not run on the state: MILLRACE_STATE_LOCKED if it does. Nothing is changed. Exit code 1 where something differs.

Examples:
  $ millrace verify orders --state-dir /var/lib/orders -b kafka:9092
  $ millrace verify orders --state-dir /var/lib/orders --task 1_0 --store totals --json -b kafka:9092`,
    )
    .action((application: string, options: Options) => verify(context, application, options));
}

function changelogs(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const [, store, topic] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (store === undefined || topic === undefined) throw new InvalidArgumentError('Write it as store=topic.');
  return new Map([...before, [store, topic]]);
}

async function verify(context: CommandContext, applicationId: string, options: Options): Promise<void> {
  const { io, signal, outcome } = context;
  const progress = progressOf(context, options);
  const connection = readConnection(io, options, applicationId);
  let report: VerifyReport;
  try {
    report = await verifyState({
      ...{ ...connection, applicationId, signal, clock: io.clock, logger: loggerOf(options) },
      ...{ tasks: options.task, stores: options.store, changelogs: options.changelog },
      differencesMax: options.maxDifferences,
      onProgress: ({ taskId, store, stage, done, total }) =>
        progress.update(`${taskId} ${store}: ${stage}`, done, total),
    });
  } finally {
    progress.stop();
  }
  if (options.json === true) printJson(io.stdout, jsonOf(report));
  else io.stdout.write(reportText(report));
  if (report.differences > 0) outcome.exitCode = 1;
}

function reportText({ tasks, differences, compared, skipped }: VerifyReport): string {
  const rows = tasks.flatMap(({ taskId, stores }) =>
    stores.map((one) => [
      ...[taskId, one.store, one.reached, one.rows, one.same, one.expired, one.changedSince],
      one.skipped === null ? countsText(one) : 'not compared',
    ]),
  );
  const parts = [
    table(['TASK', 'STORE', 'REACHED', 'ROWS', 'SAME', 'EXPIRED', 'CHANGED SINCE', 'DIFFERENT'], rows),
  ];
  for (const { taskId, directory, stores } of tasks) {
    for (const { store, skipped: why, changelog, differences: list, different } of stores) {
      if (why !== null) parts.push(`\n${taskId} ${store}: not compared: ${why}\n`);
      if (list.length === 0) continue;
      parts.push(`\n${taskId} ${store}: ${changelog} and ${directory} differ\n`, ...list.map(differenceText));
      const left = Object.values(different).reduce((sum, one) => sum + one, 0) - list.length;
      if (left > 0) parts.push(`  and ${left} more\n`);
    }
  }
  const outcome = differences === 0 ? 'No differences' : count(differences, 'difference');
  const left = skipped === 0 ? '' : `; ${count(skipped, 'store')} not compared`;
  parts.push(`\n${outcome} in ${count(compared, 'store')}${left}.\n`);
  return parts.join('');
}

function countsText({ different }: StoreVerification): string {
  const parts = Object.entries(different).filter(([, number]) => number > 0);
  return parts.length === 0 ? 'none' : parts.map(([kind, number]) => `${number} ${kind}`).join(', ');
}

function differenceText({ kind, key, database, changelog }: Difference): string {
  const text = readableText(key);
  const name = text === null ? `0x${hex(key)}` : `${JSON.stringify(text)} (0x${hex(key)})`;
  return [
    `  ${kind.padEnd(9)}  ${name}`,
    `    database:  ${sideText(database)}`,
    `    changelog: ${sideText(changelog)}`,
  ]
    .map((line) => `${printable(line)}\n`)
    .join('');
}

function sideText(side: StoredSide | null): string {
  if (side === null) return 'no such key';
  const { value, bytes, timestamp } = side;
  const text = readableText(value) ?? `0x${hex(value)}`;
  const shownText = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return `${shownText} (${count(bytes, 'byte')}, ${time(timestamp) ?? timestamp})`;
}

/** Bytes as JSON has words for them: text where it is some, and always hex. */
function jsonOf(report: VerifyReport): unknown {
  const side = (of: StoredSide | null) =>
    of === null
      ? null
      : { text: readableText(of.value), hex: hex(of.value), bytes: of.bytes, timestamp: of.timestamp };
  return {
    ...report,
    tasks: report.tasks.map((task) => ({
      ...task,
      stores: task.stores.map((store) => ({
        ...store,
        differences: store.differences.map(({ kind, key, database, changelog }) => ({
          ...{ kind, key: { text: readableText(key), hex: hex(key) } },
          ...{ database: side(database), changelog: side(changelog) },
        })),
      })),
    })),
  };
}
