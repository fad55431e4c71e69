// Owns what stands beside the topology: inputs and outputs at a glance, or all that is known of the box that was chosen.
import { h } from './h.ts';
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { bytes, bytesPerSecond, count, dateTime, duration, grouped, rate } from '../format.ts';
import { dropsOf, modelOf, outputOf, readBeside, topicId, writtenBeside } from '../graph-model.ts';
import type { Box, TopologyModel } from '../graph-model.ts';
import { LEVEL_SIGNS, LEVEL_WORDS, levelOf, phaseBadge } from '../health.ts';
import type { RatedInput, RatedOutput, TaskFigures } from '../wire.ts';
import type { ViewContext } from './context.ts';
import { BOX_WORDS, BoxIcon, ButtonIcon } from './icons.ts';
import { BadgeView, CodeButton, Empty, Facts } from './parts.ts';
import { groupKey } from './topology.ts';

export interface DetailsProps {
  readonly context: ViewContext;
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

export function Details({ context, selected, onSelect }: DetailsProps): VNode {
  const { topology } = context;
  const model = useMemo(() => (topology === null ? null : modelOf(topology)), [topology]);
  const box = model?.boxes.find(({ id }) => id === selected);
  const group = model?.groups.find((id) => groupKey(id) === selected);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a narrow screen the panel lies below the drawing.
    if (selected !== null) panel.current?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }, [selected]);
  const isChosen = box !== undefined || group !== undefined;
  return h(
    'aside',
    {
      class: 'card details',
      'aria-label': 'Details',
      ref: panel,
      'data-details': box?.name ?? (group === undefined ? '' : groupKey(group)),
    },
    h(
      'div',
      { class: 'card-head' },
      h(
        'h2',
        null,
        box !== undefined
          ? [h(BoxIcon, { kind: box.kind }), box.name]
          : group !== undefined
            ? `Sub-topology ${group}`
            : 'Flows',
      ),
      isChosen
        ? h(
            'button',
            {
              type: 'button',
              class: 'quiet square',
              'aria-label': 'Close details',
              onClick: () => onSelect(null),
            },
            h(ButtonIcon, { name: 'close' }),
          )
        : null,
    ),
    box !== undefined
      ? h(BoxDetails, { box, context })
      : group !== undefined
        ? h(GroupDetails, { group, context })
        : h(Flows, { context, model, onSelect }),
  );
}

function Flows({
  context: { snapshot },
  model,
  onSelect,
}: {
  readonly context: ViewContext;
  readonly model: TopologyModel | null;
  readonly onSelect: (id: string) => void;
}): VNode {
  const { inputs, outputs } = snapshot;
  const written = outputs.filter(({ kind }) => kind !== 'changelog');
  const beside = new Set(
    model === null
      ? []
      : [...writtenBeside(model, outputs), ...readBeside(model, inputs)].map(({ topic }) => topic),
  );
  const line = (flow: RatedInput | RatedOutput, note: ComponentChildren): VNode =>
    h(
      'li',
      { key: flow.topic },
      h(
        'button',
        {
          type: 'button',
          class: 'row',
          onClick: () => onSelect(topicId(flow.topic)),
          disabled: beside.has(flow.topic),
        },
        h('span', { class: 'row-name' }, flow.topic),
        h('b', null, rate(flow.recordsPerSecond)),
        h('span', { class: 'row-note' }, note),
      ),
    );
  return h(
    'div',
    { class: 'flows' },
    h('h3', null, 'Read'),
    inputs.length === 0
      ? h(Empty, null, 'No task reads anything here.')
      : h(
          'ul',
          { class: 'rows' },
          inputs.map((input) => {
            const lag = lagOf(snapshot.tasks, input);
            const level = levelOf({ recordsPerSecond: input.recordsPerSecond, lag, lagMs: null });
            return line(
              input,
              h(
                'span',
                { class: `level-${level}` },
                h('span', { class: 'sign', 'aria-hidden': 'true' }, LEVEL_SIGNS[level]),
                lag === null || lag === 0 ? LEVEL_WORDS[level] : `${LEVEL_WORDS[level]}, lag ${count(lag)}`,
                input.kind === 'stream' || input.kind === 'table' ? '' : ` · ${input.kind}`,
              ),
            );
          }),
        ),
    h('h3', null, 'Written'),
    written.length === 0
      ? h(Empty, null, 'Nothing was committed yet.')
      : h(
          'ul',
          { class: 'rows' },
          written.map((output) =>
            line(
              output,
              `${grouped(output.records)} records, ${bytes(output.bytes)}${beside.has(output.topic) ? ' · beside the topology' : ''}`,
            ),
          ),
        ),
  );
}

function lagOf(tasks: readonly TaskFigures[], { subTopology, source, topic }: RatedInput): number | null {
  let lag: number | null = null;
  for (const task of tasks) {
    if (task.subTopology !== subTopology) continue;
    for (const partition of task.partitions) {
      if (partition.source === source && partition.topic === topic && partition.lag !== null)
        lag = (lag ?? 0) + partition.lag;
    }
  }
  return lag;
}

function BoxDetails({ box, context }: { readonly box: Box; readonly context: ViewContext }): VNode {
  switch (box.kind) {
    case 'topic':
    case 'repartition':
      return h(TopicDetails, { topic: box.name, context, kind: BOX_WORDS[box.kind] });
    case 'store':
      return h(StoreDetails, { box, context });
    case 'globalStore':
      return h(GlobalDetails, { box, context });
    case 'source':
    case 'processor':
    case 'sink':
      return h(NodeDetails, { box, context });
  }
}

function TopicDetails({
  topic,
  kind,
  context: { snapshot },
}: {
  readonly topic: string;
  readonly kind: string;
  readonly context: ViewContext;
}): VNode {
  const output = outputOf(snapshot.outputs, topic);
  const inputs = snapshot.inputs.filter((input) => input.topic === topic);
  const read = (field: 'records' | 'bytes'): number => inputs.reduce((sum, input) => sum + input[field], 0);
  const readRate = inputs.reduce<number | null>(
    (sum, { recordsPerSecond }) => (recordsPerSecond === null ? sum : (sum ?? 0) + recordsPerSecond),
    null,
  );
  return h(
    'div',
    null,
    h(Facts, {
      rows: [
        ['kind', kind],
        ...(inputs.length === 0
          ? []
          : ([
              ['read', `${rate(readRate)} · ${grouped(read('records'))} records · ${bytes(read('bytes'))}`],
              ['by', inputs.map(({ source }) => source).join(', ')],
            ] as const)),
        ...(output === null
          ? []
          : ([
              [
                'written',
                `${rate(output.recordsPerSecond)} · ${grouped(output.records)} records · ${bytes(output.bytes)}`,
              ],
            ] as const)),
      ],
    }),
    h(PartitionList, { tasks: snapshot.tasks, isWanted: (partition) => partition.topic === topic }),
  );
}

function PartitionList({
  tasks,
  isWanted,
}: {
  readonly tasks: readonly TaskFigures[];
  readonly isWanted: (partition: TaskFigures['partitions'][number]) => boolean;
}): VNode | null {
  const rows = tasks.flatMap((task) =>
    task.partitions.filter(isWanted).map((partition) => ({ task, partition })),
  );
  if (rows.length === 0) return null;
  return h(
    'div',
    { class: 'mini' },
    h('h3', null, 'Partitions here'),
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'partition'),
          h('th', { scope: 'col', class: 'number' }, 'position'),
          h('th', { scope: 'col', class: 'number' }, 'lag'),
          h('th', { scope: 'col', class: 'number' }, 'oldest'),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map(({ task, partition }) =>
          h(
            'tr',
            { key: `${task.taskId} ${partition.topic}` },
            h('td', null, `${partition.partition} `, h('small', { class: 'muted' }, `task ${task.taskId}`)),
            h('td', { class: 'number' }, grouped(partition.position)),
            h('td', { class: 'number' }, count(partition.lag)),
            h(
              'td',
              { class: 'number' },
              partition.lagMs === null ? '–' : partition.lagMs === 0 ? 'none' : duration(partition.lagMs),
            ),
          ),
        ),
      ),
    ),
  );
}

function StoreDetails({
  box,
  context: { snapshot, topology },
}: {
  readonly box: Box;
  readonly context: ViewContext;
}): VNode {
  const described = topology?.subTopologies
    .find(({ id }) => id === box.group)
    ?.stores.find(({ name }) => name === box.name);
  const changelog = snapshot.outputs.find(({ store }) => store === box.name);
  const tasks = snapshot.tasks.filter(({ subTopology }) => subTopology === box.group);
  const restores = snapshot.figures?.restores.filter(({ store }) => store === box.name) ?? [];
  return h(
    'div',
    null,
    h(Facts, {
      rows: [
        ['kind', described?.kind === 'ordered' ? 'ordered (ranges)' : 'key-value'],
        ['persistence', described?.persistence === 'memory' ? 'memory' : "the application's"],
        ['changelog', changelog?.topic ?? (described?.logged === false ? 'not logged' : 'its source topic')],
        ...(changelog === undefined
          ? []
          : ([
              [
                'updates',
                `${rate(changelog.recordsPerSecond)} · ${grouped(changelog.records)} records · ${bytes(changelog.bytes)}`,
              ],
            ] as const)),
        ...(restores.length === 0
          ? []
          : ([
              [
                'restoring',
                restores
                  .map(
                    ({ taskId, position, endOffset }) =>
                      `${taskId}: ${grouped(position)} of ${grouped(endOffset)}`,
                  )
                  .join(', '),
              ],
            ] as const)),
      ],
    }),
    h(
      'div',
      { class: 'mini' },
      h('h3', null, 'By task'),
      tasks.length === 0
        ? h(Empty, null, 'No task of it is here.')
        : h(
            'table',
            null,
            h(
              'thead',
              null,
              h(
                'tr',
                null,
                h('th', { scope: 'col' }, 'task'),
                h('th', { scope: 'col' }, 'state'),
                h('th', { scope: 'col', class: 'number' }, 'changelog'),
                h('th', { scope: 'col', class: 'number' }, 'task on disk'),
              ),
            ),
            h(
              'tbody',
              null,
              tasks.map(({ taskId, phase, stores, diskBytes }) => {
                const store = stores.find(({ name }) => name === box.name);
                return h(
                  'tr',
                  { key: taskId },
                  h('td', null, taskId),
                  h('td', null, h(BadgeView, { badge: phaseBadge(phase) })),
                  h('td', { class: 'number' }, grouped(store?.changelogOffset)),
                  h('td', { class: 'number' }, bytes(diskBytes)),
                );
              }),
            ),
          ),
    ),
  );
}

function GlobalDetails({
  box,
  context: { topology },
}: {
  readonly box: Box;
  readonly context: ViewContext;
}): VNode {
  const topic = topology?.globalStores.find(({ name }) => name === box.name)?.topic;
  return h(Facts, {
    rows: [
      ['kind', 'global store: all of its topic, on every instance'],
      ['topic', topic ?? '–'],
    ],
  });
}

function NodeDetails({ box, context }: { readonly box: Box; readonly context: ViewContext }): VNode {
  const { snapshot, topology, showCode } = context;
  const group = box.group!;
  const node = topology?.subTopologies
    .find(({ id }) => id === group)
    ?.nodes.find(({ name }) => name === box.name);
  const inputs = snapshot.inputs.filter(
    ({ subTopology, source }) => subTopology === group && source === box.name,
  );
  const output = outputOf(snapshot.outputs, node?.topic ?? null);
  const drops = dropsOf(snapshot.drops, group, box.name);
  const stores = [...(node?.stores ?? []), ...(node?.globalStores ?? [])];
  const issues = snapshot.issues
    .filter(({ where }) => where.split(' ').slice(1).join(' ') === box.name)
    .slice(-3);
  return h(
    'div',
    null,
    h(Facts, {
      rows: [
        ['kind', BOX_WORDS[box.kind]],
        ['sub-topology', String(group)],
        ...inputs.map(
          ({ topic, recordsPerSecond, bytesPerSecond: perSecond, records }) =>
            [
              `reads ${topic}`,
              `${rate(recordsPerSecond)} · ${bytesPerSecond(perSecond)} · ${grouped(records)} records`,
            ] as const,
        ),
        ...(box.kind === 'sink' ? ([['writes', node?.topic ?? 'topics chosen by record']] as const) : []),
        ...(output === null
          ? []
          : ([
              ['written', `${rate(output.recordsPerSecond)} · ${grouped(output.records)} records`],
            ] as const)),
        ...(stores.length === 0 ? [] : ([['stores', stores.join(', ')]] as const)),
        ...(node === undefined || node.children.length === 0
          ? []
          : ([
              [
                'then',
                node.children
                  .map(({ name, side }) => (side === null ? name : `${name} (${side})`))
                  .join(', '),
              ],
            ] as const)),
      ],
    }),
    box.kind === 'processor'
      ? h(
          'p',
          { class: 'hint' },
          'Operators are compiled into one function per task and are not counted one by one: figures are those of sources, topics and stores.',
        )
      : null,
    drops.length === 0
      ? null
      : h(
          'div',
          { class: 'mini' },
          h('h3', null, 'Records left out'),
          h(
            'ul',
            { class: 'rows' },
            drops.map(({ code, kind, where, records }) =>
              h(
                'li',
                { key: `${kind} ${code} ${where}` },
                h(CodeButton, { code, onShow: showCode }),
                ' ',
                h('b', null, grouped(records)),
                ` ${kind === 'deadLetter' ? 'dead letters' : 'dropped'}, task ${where.split(' ')[0] ?? ''}`,
              ),
            ),
          ),
        ),
    issues.length === 0
      ? null
      : h(
          'div',
          { class: 'mini' },
          h('h3', null, 'Last problems'),
          h(
            'ul',
            { class: 'rows' },
            issues.map((issue) =>
              h(
                'li',
                { key: `${issue.at} ${issue.code}` },
                h('small', { class: 'muted' }, `${dateTime(issue.at)} `),
                h('p', { class: 'message' }, issue.message),
              ),
            ),
          ),
        ),
    box.kind === 'source'
      ? h(PartitionList, {
          tasks: snapshot.tasks.filter(({ subTopology }) => subTopology === group),
          isWanted: ({ source }) => source === box.name,
        })
      : null,
  );
}

function GroupDetails({
  group,
  context: { snapshot },
}: {
  readonly group: number;
  readonly context: ViewContext;
}): VNode {
  const tasks = snapshot.tasks.filter(({ subTopology }) => subTopology === group);
  if (tasks.length === 0) return h(Empty, null, 'No task of it is on this instance.');
  return h(
    'div',
    { class: 'mini' },
    h('h3', null, 'Tasks here'),
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'task'),
          h('th', { scope: 'col' }, 'state'),
          h('th', { scope: 'col', class: 'number' }, 'records'),
          h('th', { scope: 'col', class: 'number' }, 'lag'),
        ),
      ),
      h(
        'tbody',
        null,
        tasks.map(({ taskId, phase, records, partitions }) =>
          h(
            'tr',
            { key: taskId },
            h('td', null, taskId),
            h('td', null, h(BadgeView, { badge: phaseBadge(phase) })),
            h('td', { class: 'number' }, count(records)),
            h('td', { class: 'number' }, count(partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0))),
          ),
        ),
      ),
    ),
  );
}
