// Owns the view of tasks: which instance has which, and what each is at.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { bytes, count, dateTime, duration, grouped, plural, rate } from '../format.ts';
import { LEVEL_SIGNS, LEVEL_WORDS, levelOf, phaseBadge, roleOf } from '../health.ts';
import { taskRates } from '../rates.ts';
import type { PartitionFigures, RebalanceFigures, TaskFigures } from '../wire.ts';
import { Choices } from './choices.ts';
import type { ViewContext } from './context.ts';
import { BadgeView, Bar, Empty, Section, Table } from './parts.ts';
import type { Column } from './parts.ts';

type Wanted = 'all' | 'active' | 'copies' | 'behind';

const WANTED: readonly { readonly value: Wanted; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'active', label: 'Active' },
  { value: 'copies', label: 'Copies' },
  { value: 'behind', label: 'Behind' },
];

export function TasksView({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot } = context;
  const [wanted, setWanted] = useState<Wanted>('all');
  const { tasks } = snapshot;
  const shown = tasks.filter((task) => isWanted(task, wanted));
  return h(
    'div',
    { class: 'stack' },
    h(Instances, { context }),
    h(
      Section,
      {
        title: `Tasks of this instance`,
        id: 'tasks',
        aside: h(Choices<Wanted>, {
          label: 'Which tasks',
          options: WANTED,
          value: wanted,
          onChoose: setWanted,
        }),
      },
      h(TaskTable, { context, tasks: shown, isFiltered: shown.length < tasks.length }),
    ),
    h(Section, { title: 'Partitions', id: 'partitions' }, h(PartitionTable, { tasks: shown })),
    h(Rebalances, { rebalances: snapshot.rebalances }),
  );
}

function isWanted(task: TaskFigures, wanted: Wanted): boolean {
  const isCopy = roleOf(task.phase) !== 'active';
  if (wanted === 'active') return !isCopy;
  if (wanted === 'copies') return isCopy;
  return wanted === 'all' || lagOf(task) > 0;
}

export function lagOf({ partitions, restoreLag }: TaskFigures): number {
  return partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0) + (restoreLag ?? 0);
}

function Instances({ context: { snapshot } }: { readonly context: ViewContext }): VNode {
  const { instances } = snapshot;
  const others = instances.filter(({ isLocal }) => !isLocal);
  const own = instances.find(({ isLocal }) => isLocal);
  return h(
    Section,
    {
      title: 'Instances',
      id: 'instances',
      aside:
        others.length === 0
          ? h('span', { class: 'muted small' }, 'Others are known here if they have an applicationServer.')
          : plural(instances.length, 'instance'),
    },
    h(
      'ul',
      { class: 'instances' },
      h(InstanceCard, {
        name: snapshot.instanceId ?? 'this instance',
        where: own?.applicationServer ?? 'this one',
        active: snapshot.tasks.filter(({ phase }) => roleOf(phase) === 'active').map(({ taskId }) => taskId),
        copies: snapshot.tasks.filter(({ phase }) => roleOf(phase) !== 'active').map(({ taskId }) => taskId),
        isLocal: true,
      }),
      others.map(({ applicationServer, active, standby }) =>
        h(InstanceCard, {
          key: applicationServer ?? '',
          name: applicationServer ?? 'unnamed',
          where: 'another instance',
          active,
          copies: standby,
          isLocal: false,
        }),
      ),
    ),
  );
}

function InstanceCard({
  name,
  where,
  active,
  copies,
  isLocal,
}: {
  readonly name: string;
  readonly where: string;
  readonly active: readonly string[];
  readonly copies: readonly string[];
  readonly isLocal: boolean;
}): VNode {
  const chips = (tasks: readonly string[], role: string): VNode[] =>
    tasks.map((task) =>
      h(
        'span',
        { class: `chip chip-${role}`, key: `${role} ${task}`, title: `${role} ${task}` },
        role === 'active' ? task : `${task} ◎`,
      ),
    );
  return h(
    'li',
    { class: isLocal ? 'instance local' : 'instance' },
    h('strong', null, name),
    h(
      'small',
      { class: 'muted' },
      `${where} · ${active.length} active, ${copies.length} ${copies.length === 1 ? 'copy' : 'copies'}`,
    ),
    active.length + copies.length === 0
      ? h('span', { class: 'muted' }, 'no tasks')
      : h('div', { class: 'chips' }, chips(active, 'active'), chips(copies, 'copy')),
  );
}

function TaskTable({
  context,
  tasks,
  isFiltered,
}: {
  readonly context: ViewContext;
  readonly tasks: readonly TaskFigures[];
  readonly isFiltered: boolean;
}): VNode {
  const { snapshot, picture } = context;
  const rates = taskRates(picture.past);
  const restores = snapshot.figures?.restores ?? [];
  const canAct = picture.actionsAllowed && picture.phase === 'open';
  const columns: Column<TaskFigures>[] = [
    { title: 'Task', cell: ({ taskId }) => h('b', null, taskId) },
    { title: 'Role', cell: ({ phase }) => roleOf(phase) },
    {
      title: 'State',
      cell: ({ phase, taskId }) => {
        const restore = restores.find((progress) => progress.taskId === taskId);
        const badge = h(BadgeView, { badge: phaseBadge(phase) });
        if (restore === undefined || phase !== 'restoring') return badge;
        const share =
          (restore.position - restore.startOffset) / Math.max(1, restore.endOffset - restore.startOffset);
        return h(
          'span',
          { class: 'with-bar' },
          badge,
          h(Bar, { share, label: `Restore of ${taskId}`, tone: 'warn' }),
        );
      },
    },
    {
      title: 'Lag',
      isNumber: true,
      cell: (task) => {
        const lag = lagOf(task);
        const level =
          roleOf(task.phase) === 'active'
            ? levelOf({ recordsPerSecond: rates.get(task.taskId) ?? null, lag, lagMs: null })
            : 'idle';
        return h(
          'span',
          { class: `level-${level}`, title: LEVEL_WORDS[level] },
          lag === 0 ? '' : h('span', { class: 'sign' }, `${LEVEL_SIGNS[level]} `),
          count(lag),
        );
      },
    },
    {
      title: 'Oldest waits',
      isNumber: true,
      cell: ({ partitions }) => {
        const oldest = partitions.reduce((longest, { lagMs }) => Math.max(longest, lagMs ?? 0), 0);
        return oldest === 0 ? '–' : duration(oldest);
      },
    },
    { title: 'Rate', isNumber: true, cell: ({ taskId }) => rate(rates.get(taskId)) },
    { title: 'Records', isNumber: true, cell: ({ records }) => grouped(records) },
    { title: 'Uncommitted', isNumber: true, cell: ({ partitions }) => uncommitted(partitions) },
    { title: 'Event time', cell: ({ eventTime, streamTime }) => dateTime(eventTime ?? streamTime) },
    {
      title: 'State on disk',
      isNumber: true,
      cell: ({ diskBytes, cachedBytes }) =>
        diskBytes === null ? (cachedBytes === null ? '–' : `${bytes(cachedBytes)} cached`) : bytes(diskBytes),
    },
    {
      title: 'Action',
      cell: ({ taskId, phase }) =>
        roleOf(phase) !== 'active'
          ? ''
          : h(
              'button',
              {
                type: 'button',
                class: 'small',
                'aria-label': `Restart task ${taskId}`,
                'aria-disabled': canAct ? undefined : 'true',
                title: canAct
                  ? undefined
                  : picture.actionsAllowed
                    ? 'There is no connection to the server.'
                    : 'This server only shows: it was created without allowActions.',
                onClick: canAct ? () => askRestart(context, taskId) : undefined,
              },
              'Restart',
            ),
    },
  ];
  return h(Table<TaskFigures>, {
    label: 'Tasks',
    columns,
    rows: tasks,
    keyOf: ({ taskId }) => taskId,
    empty: isFiltered ? 'No task is like that.' : 'This instance has no tasks now.',
  });
}

/** Positions go beyond what is committed by what is processed and in no committed epoch yet. */
function uncommitted(partitions: readonly PartitionFigures[]): string {
  const known = partitions.filter(({ committed }) => committed !== null);
  if (known.length === 0) return '–';
  return count(known.reduce((sum, { position, committed }) => sum + Math.max(0, position - committed!), 0));
}

function askRestart({ ask, act }: ViewContext, taskId: string): void {
  ask({
    title: `Restart task ${taskId}?`,
    text: 'It is closed and opened again from what is committed, without a rebalance. Nothing is lost or doubled.',
    action: 'Restart',
    isGrave: false,
    choice: {
      label: 'Drop what is not committed',
      note: 'Of all tasks of this instance: they share its transaction. For when the commit itself hangs or fails.',
    },
    onYes: (dirty) =>
      act(`tasks/${encodeURIComponent(taskId)}/restart`, `Task ${taskId} restarts.`, { dirty }),
  });
}

interface PartitionRow extends PartitionFigures {
  readonly taskId: string;
}

function PartitionTable({ tasks }: { readonly tasks: readonly TaskFigures[] }): VNode {
  const rows = tasks.flatMap(({ taskId, partitions }) =>
    partitions.map((partition): PartitionRow => ({ taskId, ...partition })),
  );
  const lagMax = Math.max(1, ...rows.map(({ lag }) => lag ?? 0));
  return h(Table<PartitionRow>, {
    label: 'Partitions',
    rows,
    keyOf: ({ topic, partition, taskId }) => `${taskId} ${topic} ${partition}`,
    empty: 'No partition is read here.',
    columns: [
      { title: 'Topic', cell: ({ topic }) => h('span', { class: 'name' }, topic) },
      { title: 'Partition', isNumber: true, cell: ({ partition }) => String(partition) },
      { title: 'Task', cell: ({ taskId }) => taskId },
      { title: 'Position', isNumber: true, cell: ({ position }) => grouped(position) },
      { title: 'Committed', isNumber: true, cell: ({ committed }) => grouped(committed) },
      { title: 'End', isNumber: true, cell: ({ endOffset }) => grouped(endOffset) },
      {
        title: 'Lag',
        isNumber: true,
        cell: ({ lag, topic, partition }) =>
          lag === null
            ? '–'
            : h(
                'span',
                { class: 'with-bar' },
                h(Bar, { share: lag / lagMax, label: `Lag of ${topic} ${partition}, share of the largest` }),
                count(lag),
              ),
      },
      {
        title: 'Oldest waits',
        isNumber: true,
        cell: ({ lagMs }) => (lagMs === null || lagMs === 0 ? '–' : duration(lagMs)),
      },
      { title: 'Buffered', isNumber: true, cell: ({ bufferedBytes }) => bytes(bufferedBytes) },
    ],
  });
}

function Rebalances({
  rebalances: { total, lost, last },
}: {
  readonly rebalances: {
    readonly total: number;
    readonly lost: number;
    readonly last: readonly RebalanceFigures[];
  };
}): VNode {
  const list = (tasks: readonly string[]): string =>
    tasks.length === 0 ? '–' : tasks.length > 12 ? plural(tasks.length, 'task') : tasks.join(' ');
  return h(
    Section,
    { title: 'Rebalances', id: 'rebalances', aside: `${plural(total, 'assignment')}, ${lost} lost` },
    last.length === 0
      ? h(Empty, null, 'The group has assigned nothing yet.')
      : h(Table<RebalanceFigures>, {
          label: 'Rebalances',
          rows: last.slice(-20).reverse(),
          keyOf: ({ at, source }) => `${at} ${source}`,
          empty: '',
          toneOf: ({ kind }) => (kind === 'lost' ? 'tone-bad' : undefined),
          columns: [
            { title: 'At', cell: ({ at }) => dateTime(at) },
            {
              title: 'What',
              cell: ({ kind, source }) => `${kind === 'lost' ? '✕ lost' : '✓ assigned'}, ${source}`,
            },
            { title: 'Active', cell: ({ active }) => list(active) },
            { title: 'Added', cell: ({ added }) => list(added) },
            { title: 'Revoked', cell: ({ revoked }) => list(revoked) },
            { title: 'Standby', cell: ({ standby }) => list(standby) },
            { title: 'Warm-up', cell: ({ warmup }) => list(warmup) },
          ],
        }),
  );
}
