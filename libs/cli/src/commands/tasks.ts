// Owns `millrace tasks`: who runs which tasks, by the group's coordinator, or in detail by running instances.
import { Command } from 'commander';
import { groupTasks } from '#libs/millrace';
import type { GroupTasks, TaskFigures } from '#libs/millrace';
import { loggerOf, printJson } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { ControlClient, addControlOptions, applicationPath } from '../connection/control-client.ts';
import type { ControlOptions } from '../connection/control-client.ts';
import { addConnectionOptions, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { bytes, count, time } from '../output/figures.ts';
import { table } from '../output/table.ts';

interface Options extends CommonOptions, ConnectionOptions, ControlOptions {}

export function tasksCommand(context: CommandContext): Command {
  const command = new Command('tasks')
    .description('Shows which member of an application runs which tasks and keeps which copies.')
    .argument('<application>', 'its application.id');
  addControlOptions(command, 'ask running instances in detail; repeat it for each');
  return addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Without --control the group's coordinator is asked, which knows who was assigned what. Instances know more: phase, records, lag, stores.

Examples:
  $ millrace tasks orders -b kafka:9092
  $ millrace tasks orders --control http://127.0.0.1:8075 --json`,
    )
    .action((application: string, options: Options) =>
      options.control === undefined
        ? byKafka(context, application, options)
        : byInstances(context, application, options),
    );
}

async function byKafka({ io }: CommandContext, applicationId: string, options: Options): Promise<void> {
  const { kafka } = readConnection(io, options, applicationId);
  const found = await groupTasks({ kafka, applicationId, logger: loggerOf(options), clock: io.clock });
  if (options.json === true) printJson(io.stdout, found);
  else io.stdout.write(tasksText(found));
}

function tasksText({ applicationId, type, state, members }: GroupTasks): string {
  const head = `${applicationId}: ${state} (${type} group), ${count(members.length, 'member')}\n`;
  if (members.length === 0) return head;
  const rows = members.map(({ memberId, groupInstanceId, clientHost, active, standby, warmup }) => [
    ...[groupInstanceId ?? memberId, clientHost, active.join(' '), standby.join(' '), warmup.join(' ')],
  ]);
  return `${head}\n${table(['MEMBER', 'HOST', 'ACTIVE', 'STANDBY', 'WARMUP'], rows)}`;
}

async function byInstances(
  { io, signal }: CommandContext,
  applicationId: string,
  options: Options,
): Promise<void> {
  const client = new ControlClient(io, options, signal);
  const path = applicationPath(applicationId, '/tasks');
  const instances = await Promise.all(
    (options.control ?? []).map(async (url) => ({
      url,
      ...(await client.get<{ readonly tasks: readonly TaskFigures[] }>(url, path)),
    })),
  );
  if (options.json === true) {
    printJson(io.stdout, { applicationId, instances });
    return;
  }
  const rows = instances.flatMap(({ url, tasks }) =>
    tasks.map((task) => [
      ...[url, task.taskId, task.phase, task.records, lagOf(task), time(task.streamTime)],
      ...[task.stores.map(({ name }) => name).join(' '), bytes(task.diskBytes)],
    ]),
  );
  io.stdout.write(
    table(['INSTANCE', 'TASK', 'PHASE', 'RECORDS', 'LAG', 'STREAM TIME', 'STORES', 'DISK'], rows),
  );
}

/** Of its inputs; of a copy, what is still to be brought in. */
function lagOf({ partitions, restoreLag }: TaskFigures): number | null {
  if (partitions.length === 0) return restoreLag;
  return partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0);
}
