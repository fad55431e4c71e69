// Owns `millrace reset`: the plan of a reset as a table, and with --execute the reset itself, step by step.
import { Command } from 'commander';
import { FatalError } from '#libs/core';
import { parseDatetime, parseDuration, planReset, resetApplication } from '#libs/millrace';
import type { ResetOptions, ResetPlan, ResetReport, ResetStep, ResetTarget } from '#libs/millrace';
import { loggerOf, printJson, progressOf } from '../command-context.ts';
import type { CommandContext, CommonOptions } from '../command-context.ts';
import { addConnectionOptions, addStateDirOption, readConnection } from '../connection/options.ts';
import type { ConnectionOptions } from '../connection/options.ts';
import { bytes, count } from '../output/figures.ts';
import { table } from '../output/table.ts';
import { choice, list, wholeNumber } from '../values/arguments.ts';

interface Options extends CommonOptions, ConnectionOptions {
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toDatetime?: string;
  readonly byDuration?: string;
  readonly toOffset?: number;
  readonly shiftBy?: number;
  readonly inputTopics?: readonly string[];
  readonly internalTopics?: readonly string[];
  readonly deadLetters?: 'done' | 'keep';
  readonly deadLetterTopics?: readonly string[];
  readonly execute?: boolean;
  readonly force?: boolean;
}

const ANY_NUMBER = -Number.MAX_SAFE_INTEGER;

export function resetCommand(context: CommandContext): Command {
  const command = new Command('reset')
    .description(
      'Sets where an application reads from, and deletes its internal topics and its state on this machine, together. Shows what it would do, unless --execute is given.',
    )
    .argument('<application>', 'its application.id')
    .option('--execute', 'do it; without it nothing is changed')
    .optionsGroup('Where to read from (default: --to-earliest):')
    .option('--to-earliest', 'the first records there are')
    .option('--to-latest', 'the end')
    .option(
      '--to-datetime <time>',
      'the first records of a time: 2026-01-31T08:00:00, in UTC unless it names a zone',
    )
    .option('--by-duration <duration>', 'the first records since then: PT1H30M, P2D, or 90 min')
    .option('--to-offset <offset>', 'an offset, within what each partition holds', wholeNumber(0))
    .option('--shift-by <count>', 'so many records on, or back if negative', wholeNumber(ANY_NUMBER))
    .optionsGroup('Options:')
    .option('--input-topics <name,…>', 'inputs of which the group has no offsets yet', list)
    .option('--internal-topics <name,…>', 'delete these, instead of those that are found', list)
    .addOption(
      choice(
        '--dead-letters <what>',
        'those there are count as done, or stay (default: done with --to-earliest)',
        ['done', 'keep'],
      ),
    )
    .option('--dead-letter-topics <name,…>', 'of which nothing was put back yet', list)
    .option('--force', 'put members out of the group first');
  return addConnectionOptions(addStateDirOption(command))
    .addHelpText(
      'after',
      `
Stop all instances first: a reset is refused while the group has members, unless --force puts them out, as it does in Kafka's own
tool. It can be interrupted and run again at any point; until it has come to its end the application does not start
(MILLRACE_RESET_UNFINISHED). Local state on other machines is found to belong to topics that are gone, and set aside.

Examples:
  $ millrace reset orders -b kafka:9092
  $ millrace reset orders -b kafka:9092 --to-datetime 2026-01-31T08:00:00+01:00 --state-dir /var/lib/orders
  $ millrace reset orders -b kafka:9092 --by-duration P1D --execute`,
    )
    .action((application: string, options: Options) => reset(context, application, options));
}

async function reset(context: CommandContext, applicationId: string, options: Options): Promise<void> {
  const { io, signal } = context;
  const request: ResetOptions = {
    ...readConnection(io, options, applicationId),
    ...{ applicationId, target: targetOf(options, io.clock.now()), force: options.force },
    ...{ inputTopics: options.inputTopics, internalTopics: options.internalTopics },
    ...{ deadLetters: options.deadLetters, deadLetterTopics: options.deadLetterTopics },
    ...{ logger: loggerOf(options), clock: io.clock, signal },
  };
  const plan = await planReset(request);
  const isJson = options.json === true;
  if (!isJson) io.stdout.write(planText(plan));
  if (options.execute !== true) {
    if (isJson) printJson(io.stdout, { executed: false, plan });
    else io.stdout.write('\nNothing was changed. Give --execute to do this.\n');
    return;
  }
  signal.throwIfAborted();
  context.outcome.undertakes = true;
  const progress = progressOf(context, options);
  const report = await resetApplication({
    ...request,
    plan,
    onStep: (step, now) => progress.step(stepText(step, now)),
  });
  if (isJson) printJson(io.stdout, { executed: true, ...report });
  else io.stdout.write(`\n${reportText(report)}`);
}

/** @throws FatalError MILLRACE_INVALID_CONFIG */
function targetOf(options: Options, nowMs: number): ResetTarget {
  const given = ['toEarliest', 'toLatest', 'toDatetime', 'byDuration', 'toOffset', 'shiftBy'].filter(
    (name) => options[name as keyof Options] !== undefined,
  );
  if (given.length > 1) {
    const flags = given.map(
      (name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    );
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `${flags.join(' and ')} are given together.`,
      remedy: 'Say in one way where to read from.',
    });
  }
  const { toLatest, toDatetime, byDuration, toOffset, shiftBy } = options;
  if (toLatest === true) return 'latest';
  if (toDatetime !== undefined) return { timestampMs: parseDatetime(toDatetime) };
  if (byDuration !== undefined) return { timestampMs: Math.max(0, nowMs - parseDuration(byDuration)) };
  if (toOffset !== undefined) return { offset: toOffset };
  return shiftBy === undefined ? 'earliest' : { shiftBy };
}

function planText(plan: ResetPlan): string {
  const { applicationId, group, offsets, topics, leftTopics, state, transactions, deadLetters } = plan;
  const parts: string[] = [
    `Reset of "${applicationId}" (group ${group.state}, ${count(group.members.length, 'member')})\n`,
  ];
  const part = (title: string, body: string): void => void parts.push(`\n${title}\n${body}`);
  if (plan.unfinished)
    parts.push('An earlier reset was begun and did not end; FROM is what was before it.\n');
  if (group.members.length > 0) {
    part(
      'Members, which have to go first:',
      table(
        ['MEMBER', 'CLIENT', 'HOST'],
        group.members.map((one) => [one.groupInstanceId ?? one.memberId, one.clientId, one.clientHost]),
      ),
    );
  }
  part(
    'Offsets:',
    offsets.length === 0
      ? 'none known: autoOffsetReset says where the application begins\n'
      : table(
          ['TOPIC', 'PARTITION', 'FROM', 'TO', ''],
          offsets.map((one) => [
            one.topic,
            one.partition,
            one.from,
            one.to,
            one.clamped ? 'as near as there is' : ' ',
          ]),
        ).replaceAll(/ +$/gm, ''),
  );
  part(
    'Internal topics, to be deleted:',
    topics.length === 0
      ? 'none\n'
      : table(
          ['TOPIC', 'KIND', 'KNOWN BY'],
          topics.map(({ name, kind, because }) => [name, kind, because]),
        ),
  );
  if (leftTopics.length > 0) {
    part(
      'Left alone, since another group could own them (name them by --internal-topics if they are of this application):',
      table(
        ['TOPIC', 'GROUP'],
        leftTopics.map(({ name, group: owner }) => [name, owner]),
      ),
    );
  }
  part(
    'Local state, to be deleted:',
    state.length === 0
      ? 'none on this machine in this --state-dir\n'
      : table(
          ['FOLDER', 'TASKS', 'SIZE', 'IN USE'],
          state.map((one) => [one.directory, one.tasks.length, bytes(one.bytes), one.inUse ? 'yes' : 'no']),
        ),
  );
  const open = transactions.filter(({ phase }) => phase === 'open' || phase === 'ending');
  if (open.length > 0) {
    part(
      'Transactions left open, to be ended:',
      table(
        ['TRANSACTIONAL ID', 'PHASE'],
        open.map((one) => [one.transactionalId, one.phase]),
      ),
    );
  }
  if (deadLetters.length > 0) {
    part(
      'Dead letters, which count as done up to:',
      table(
        ['TOPIC', 'PARTITION', 'FROM', 'TO'],
        deadLetters.map((one) => [one.topic, one.partition, one.from, one.to]),
      ),
    );
  }
  if (plan.missingTopics.length > 0)
    part('Topics with offsets that are gone:', `${plan.missingTopics.join(', ')}\n`);
  return parts.join('');
}

function stepText(step: ResetStep, { group, topics, state, offsets }: ResetPlan): string {
  switch (step) {
    case 'members':
      return group.members.length === 0 ? 'No member is live' : `Members: ${group.members.length}`;
    case 'transactions':
      return 'Ending transactions that were left open';
    case 'mark':
      return 'Marking the offsets: from here on the application does not start before the reset is done';
    case 'state':
      return `Deleting local state: ${count(state.length, 'folder')}`;
    case 'topics':
      return `Deleting ${count(topics.length, 'internal topic')}`;
    case 'deadLetters':
      return 'Dead letters';
    case 'offsets':
      return `Setting ${count(offsets.length, 'offset')}`;
  }
}

function reportText({
  plan,
  removedMembers,
  endedTransactions,
  deletedTopics,
  deletedTasks,
}: ResetReport): string {
  const parts = [
    count(plan.offsets.length, 'offset set', 'offsets set'),
    count(deletedTopics.length, 'topic deleted', 'topics deleted'),
    `state of ${count(deletedTasks, 'task')} deleted`,
    ...(endedTransactions.length === 0
      ? []
      : [count(endedTransactions.length, 'transaction ended', 'transactions ended')]),
    ...(removedMembers === 0 ? [] : [count(removedMembers, 'member put out', 'members put out')]),
  ];
  return `Done: ${parts.join(', ')}.\n`;
}
