// Owns `millrace lag`: how far an application is behind, by Kafka's own account, or by that of running instances.
import { Command } from 'commander';
import { groupLag } from '#libs/millrace';
import type { GroupLag, PartitionFigures } from '#libs/millrace';
import { loggerOf, printJson } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { ControlClient, addControlOptions, applicationPath } from '../connection/control-client.ts';
import type { ControlOptions } from '../connection/control-client.ts';
import { addConnectionOptions, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { count, time } from '../output/figures.ts';
import { table } from '../output/table.ts';
import { list, wholeNumber } from '../values/arguments.ts';

interface Options extends CommonOptions, ConnectionOptions, ControlOptions {
  readonly topic?: readonly string[];
  readonly failAbove?: number;
}

interface InstanceLag {
  readonly records: number;
  readonly ms: number;
  readonly unknown: number;
  readonly partitions: readonly (PartitionFigures & { readonly taskId: string })[];
}

export function lagCommand(context: CommandContext): Command {
  const command = new Command('lag')
    .description('Shows how far an application is behind its input, repartition and retry topics.')
    .argument('<application>', 'its application.id')
    .option('--topic <name,…>', 'also topics of which nothing is committed', list)
    .option('--fail-above <records>', 'exit with 1 when the sum is above', wholeNumber(0));
  addControlOptions(command, 'ask running instances what they have processed; repeat it for each');
  return addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Without --control: committed offsets of the group, against the end of what is committed in each partition; the application need not
run. LAG counts offsets, of which transactions take one each for their end, so the last of an idle topic may never be 0 with other tools.

Examples:
  $ millrace lag orders -b kafka:9092
  $ millrace lag orders -b kafka:9092 --json --fail-above 10000
  $ millrace lag orders --control http://10.0.0.1:8075 --control http://10.0.0.2:8075`,
    )
    .action((application: string, options: Options) => lag(context, application, options));
}

async function lag(context: CommandContext, applicationId: string, options: Options): Promise<void> {
  const { io, outcome } = context;
  const total =
    options.control === undefined
      ? await byKafka(context, applicationId, options)
      : await byInstances(context, applicationId, options);
  if (options.failAbove === undefined || total <= options.failAbove) return;
  io.stderr.write(`The lag is ${total}, above ${options.failAbove}.\n`);
  outcome.exitCode = 1;
}

async function byKafka({ io }: CommandContext, applicationId: string, options: Options): Promise<number> {
  const { kafka } = readConnection(io, options, applicationId);
  const found = await groupLag({
    ...{ kafka, applicationId, topics: options.topic, logger: loggerOf(options), clock: io.clock },
  });
  if (options.json === true) printJson(io.stdout, found);
  else io.stdout.write(lagText(found));
  return found.total;
}

function lagText({
  applicationId,
  state,
  members,
  partitions,
  total,
  unknown,
  missingTopics,
}: GroupLag): string {
  const lines = [`${applicationId}: ${state}, ${count(members, 'member')}\n`];
  if (partitions.length === 0) return `${lines[0]!}The group has committed no offsets.\n`;
  lines.push(
    '\n',
    table(
      ['TOPIC', 'PARTITION', 'KIND', 'COMMITTED', 'END', 'LAG', 'STREAM TIME'],
      partitions.map((one) => [
        ...[one.topic, one.partition, one.kind, one.committed, one.end, one.lag],
        time(one.streamTime),
      ]),
    ),
    `\nIn all: ${total}`,
    unknown === 0 ? '\n' : `, and ${count(unknown, 'partition')} of which nothing is committed\n`,
  );
  if (partitions.some(({ resetting }) => resetting))
    lines.push('A reset was begun and has not ended: run it again (MILLRACE_RESET_UNFINISHED).\n');
  if (missingTopics.length > 0) lines.push(`Topics that are gone: ${missingTopics.join(', ')}\n`);
  return lines.join('');
}

async function byInstances(
  { io, signal }: CommandContext,
  applicationId: string,
  options: Options,
): Promise<number> {
  const client = new ControlClient(io, options, signal);
  const path = applicationPath(applicationId, '/lag');
  const instances = await Promise.all(
    (options.control ?? []).map(async (url) => ({ url, ...(await client.get<InstanceLag>(url, path)) })),
  );
  const total = instances.reduce((sum, { records }) => sum + records, 0);
  if (options.json === true) {
    printJson(io.stdout, { applicationId, total, instances });
    return total;
  }
  const rows = instances.flatMap(({ url, partitions }) =>
    partitions.map((one) => [
      ...[url, one.taskId, one.topic, one.partition, one.position, one.endOffset, one.lag, one.lagMs],
    ]),
  );
  io.stdout.write(
    table(['INSTANCE', 'TASK', 'TOPIC', 'PARTITION', 'POSITION', 'END', 'LAG', 'LAG MS'], rows),
  );
  io.stdout.write(`\nIn all: ${total}\n`);
  return total;
}
