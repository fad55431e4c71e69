// Owns the view of state: stores with their changelogs, what it takes of disk and memory, restores that run and that have ended, copies.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { bytes, clockTime, count, duration, grouped, plural, rate } from '../format.ts';
import { phaseBadge } from '../health.ts';
import type { CopyFigures, DescribedSubTopology, RestoreProgress, Snapshot, TaskFigures } from '../wire.ts';
import type { ViewContext } from './context.ts';
import { BadgeView, Bar, Empty, Section, Table } from './parts.ts';

export function StateView({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, topology } = context;
  const restores = snapshot.figures?.restores ?? [];
  const copies = snapshot.figures?.copies ?? [];
  return h(
    'div',
    { class: 'stack' },
    h(Restores, { restores, snapshot }),
    h(
      Section,
      { title: 'Stores', id: 'stores' },
      h(StoreTable, { subTopologies: topology?.subTopologies ?? [], snapshot }),
    ),
    h(Section, { title: 'State by task', id: 'state-by-task' }, h(TaskStateTable, { tasks: snapshot.tasks })),
    h(Copies, { copies }),
  );
}

function Restores({
  restores,
  snapshot,
}: {
  readonly restores: readonly RestoreProgress[];
  readonly snapshot: Snapshot;
}): VNode {
  const { restored } = snapshot;
  return h(
    Section,
    {
      title: 'Restores',
      id: 'restores',
      aside: `${count(snapshot.figures?.restoredRecords ?? 0)} records restored since the start`,
    },
    restores.length === 0
      ? h(Empty, null, 'Nothing is being restored.')
      : h(
          'ul',
          { class: 'restores' },
          restores.map((progress) =>
            h(RestoreRow, { key: `${progress.taskId} ${progress.store}`, progress }),
          ),
        ),
    restored.length === 0
      ? null
      : h(
          'details',
          null,
          h('summary', null, `${plural(restored.length, 'restore')} ended`),
          h(
            'ul',
            { class: 'rows' },
            restored
              .slice(-20)
              .reverse()
              .map(({ endedAt, outcome, progress }) =>
                h(
                  'li',
                  {
                    key: `${endedAt} ${progress.taskId} ${progress.store}`,
                    'data-restored': `${progress.taskId} ${progress.store}`,
                  },
                  `${outcome === 'end' ? '✓' : '◐ given up'} ${clockTime(endedAt)} · ${progress.taskId} ${progress.store}: ${plural(progress.records, 'record')} as ${progress.role}, up to offset ${grouped(progress.position)}`,
                ),
              ),
          ),
        ),
  );
}

function RestoreRow({ progress }: { readonly progress: RestoreProgress }): VNode {
  const { taskId, store, role, startOffset, position, endOffset, records, recordsPerSecond } = progress;
  const whole = Math.max(1, endOffset - startOffset);
  const share = Math.min(1, Math.max(0, (position - startOffset) / whole));
  const left = Math.max(0, endOffset - position);
  return h(
    'li',
    { 'data-restore': `${taskId} ${store}` },
    h(
      'div',
      { class: 'restore-head' },
      h('b', null, `${taskId} ${store}`),
      h('span', { class: 'muted' }, role),
      h('span', { class: 'push' }, `${Math.round(share * 100)} %`),
    ),
    h(Bar, { share, label: `Restore of ${store} of task ${taskId}`, tone: 'warn' }),
    h(
      'small',
      { class: 'muted' },
      `${grouped(records)} records at ${rate(recordsPerSecond)} · ${grouped(left)} offsets left${recordsPerSecond > 0 ? `, about ${duration((left / recordsPerSecond) * 1_000)}` : ''}`,
    ),
  );
}

interface StoreRow {
  readonly subTopology: number;
  readonly name: string;
  readonly kind: string;
  readonly persistence: string;
  readonly changelog: string;
  readonly recordsPerSecond: number | null;
  readonly records: number | null;
  readonly bytes: number | null;
  readonly tasks: number;
  readonly resident: number;
}

function StoreTable({
  subTopologies,
  snapshot,
}: {
  readonly subTopologies: readonly DescribedSubTopology[];
  readonly snapshot: Snapshot;
}): VNode {
  const rows = subTopologies.flatMap(({ id, stores }) =>
    stores.map(({ name, kind, logged, persistence }): StoreRow => {
      const here = snapshot.tasks
        .filter(({ subTopology }) => subTopology === id)
        .flatMap((task) => task.stores.filter((store) => store.name === name));
      const output = snapshot.outputs.find(({ store }) => store === name);
      return {
        subTopology: id,
        name,
        kind: kind === 'ordered' ? 'ordered' : 'key-value',
        persistence,
        changelog:
          output?.topic ??
          here.find(({ changelog }) => changelog !== null)?.changelog ??
          (logged ? 'its source topic' : 'not logged'),
        recordsPerSecond: output?.recordsPerSecond ?? null,
        records: output?.records ?? null,
        bytes: output?.bytes ?? null,
        tasks: here.length,
        resident: here.filter(({ resident }) => resident).length,
      };
    }),
  );
  return h(Table<StoreRow>, {
    label: 'Stores',
    rows,
    keyOf: ({ subTopology, name }) => `${subTopology} ${name}`,
    empty: 'The topology has no stores.',
    columns: [
      { title: 'Store', cell: ({ name }) => h('b', { class: 'name' }, name) },
      { title: 'Sub-topology', isNumber: true, cell: ({ subTopology }) => String(subTopology) },
      {
        title: 'Kind',
        cell: ({ kind, persistence }) => (persistence === 'memory' ? `${kind}, in memory` : kind),
      },
      { title: 'Changelog', cell: ({ changelog }) => h('span', { class: 'name' }, changelog) },
      { title: 'Updates', isNumber: true, cell: ({ recordsPerSecond }) => rate(recordsPerSecond) },
      {
        title: 'Written',
        isNumber: true,
        cell: ({ records, bytes: size }) => (records === null ? '–' : `${count(records)} · ${bytes(size)}`),
      },
      { title: 'Tasks here', isNumber: true, cell: ({ tasks }) => String(tasks) },
      {
        title: 'All in memory',
        isNumber: true,
        cell: ({ resident, tasks }) => (tasks === 0 ? '–' : `${resident} of ${tasks}`),
      },
    ],
  });
}

function TaskStateTable({ tasks }: { readonly tasks: readonly TaskFigures[] }): VNode {
  const stateful = tasks.filter(
    ({ stores, diskBytes, cachedBytes, restoreLag }) =>
      stores.length > 0 || diskBytes !== null || cachedBytes !== null || restoreLag !== null,
  );
  const largest = Math.max(1, ...stateful.map(({ diskBytes }) => diskBytes ?? 0));
  return h(Table<TaskFigures>, {
    label: 'State by task',
    rows: stateful,
    keyOf: ({ taskId }) => taskId,
    empty: 'No task here keeps state.',
    columns: [
      { title: 'Task', cell: ({ taskId }) => h('b', null, taskId) },
      { title: 'State', cell: ({ phase }) => h(BadgeView, { badge: phaseBadge(phase) }) },
      {
        title: 'On disk',
        isNumber: true,
        cell: ({ diskBytes, taskId }) =>
          diskBytes === null
            ? '–'
            : h(
                'span',
                { class: 'with-bar' },
                h(Bar, { share: diskBytes / largest, label: `State of ${taskId}, share of the largest` }),
                bytes(diskBytes),
              ),
      },
      { title: 'Cached', isNumber: true, cell: ({ cachedBytes }) => bytes(cachedBytes) },
      { title: 'Not yet on disk', isNumber: true, cell: ({ unwrittenBytes }) => bytes(unwrittenBytes) },
      {
        title: 'Stores, with the changelog offset they reach',
        cell: ({ stores }) =>
          stores.length === 0
            ? '–'
            : stores
                .map(
                  ({ name, changelogOffset }) =>
                    `${name} ${changelogOffset === null ? '(nothing written)' : `@${grouped(changelogOffset)}`}`,
                )
                .join(', '),
      },
    ],
  });
}

function Copies({ copies }: { readonly copies: readonly CopyFigures[] }): VNode {
  return h(
    Section,
    { title: 'Copies kept here', id: 'copies' },
    h(Table<CopyFigures>, {
      label: 'Copies',
      rows: copies,
      keyOf: ({ taskId }) => taskId,
      empty: 'No standby or warm-up copies are kept here.',
      columns: [
        { title: 'Task', cell: ({ taskId }) => h('b', null, taskId) },
        { title: 'Role', cell: ({ role }) => (role === 'warmup' ? 'warm-up' : role) },
        { title: 'At', cell: ({ phase }) => phase },
        { title: 'Position', isNumber: true, cell: ({ position }) => grouped(position) },
        { title: 'Behind', isNumber: true, cell: ({ lag }) => count(lag) },
        { title: 'Records', isNumber: true, cell: ({ records }) => grouped(records) },
      ],
    }),
  );
}
