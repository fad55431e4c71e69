// Owns the first view: the figures that say whether all is well, the topology with what flows through it, and the charts.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { bytes, bytesPerSecond, count, duration, percent, rate } from '../format.ts';
import { latest } from '../series.ts';
import type { ViewContext } from './context.ts';
import { Charts } from './charts.ts';
import { Details } from './details.ts';
import { Empty, Section, Tile } from './parts.ts';
import { Topology } from './topology.ts';

/** A latency of long ago says nothing of now. */
const LATENCY_WITHIN_MS = 20_000;

export function Overview({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, topology, picture } = context;
  const [selected, setSelected] = useState<string | null>(null);
  return h(
    'div',
    { class: 'overview' },
    h(Tiles, { context }),
    h(
      'div',
      { class: 'split' },
      topology === null
        ? h(Section, { title: 'Topology', id: 'topology' }, h(Empty, null, 'No topology is known.'))
        : h(Topology, { topology, snapshot, selected, onSelect: setSelected }),
      h(Details, { context, selected, onSelect: setSelected }),
    ),
    h(Charts, { history: picture.history, nowMs: snapshot.at }),
  );
}

function Tiles({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, picture } = context;
  const { history } = picture;
  const { tasks, inputs, outputs, commits, drops } = snapshot;
  const last = history.at(-1);
  const partitions = tasks.flatMap((task) => task.partitions);
  const lag = partitions.reduce((sum, partition) => sum + (partition.lag ?? 0), 0);
  const isLagKnown = partitions.some((partition) => partition.lag !== null);
  const lagMs = partitions.reduce((longest, partition) => Math.max(longest, partition.lagMs ?? 0), 0);
  const sum = (rows: readonly { readonly recordsPerSecond: number | null }[]): number | null =>
    rows.some(({ recordsPerSecond }) => recordsPerSecond !== null)
      ? rows.reduce((total, row) => total + (row.recordsPerSecond ?? 0), 0)
      : null;
  const sumBytes = (rows: readonly { readonly bytesPerSecond: number | null }[]): number =>
    rows.reduce((total, row) => total + (row.bytesPerSecond ?? 0), 0);
  // What goes round by repartition and retry topics came in, or goes out, elsewhere.
  const read = inputs.filter(({ kind }) => kind === 'stream' || kind === 'table');
  const written = outputs.filter(({ kind }) => kind === 'topic');
  const disk = tasks.reduce((total, { diskBytes }) => total + (diskBytes ?? 0), 0);
  const cached = tasks.reduce((total, { cachedBytes }) => total + (cachedBytes ?? 0), 0);
  const restoring = tasks.filter(({ phase }) => phase === 'restoring' || phase === 'opening').length;
  const running = tasks.filter(({ phase }) => phase === 'running' || phase === 'waiting').length;
  const dropped = drops
    .filter(({ kind }) => kind === 'dropped')
    .reduce((total, { records }) => total + records, 0);
  const dead = drops
    .filter(({ kind }) => kind === 'deadLetter')
    .reduce((total, { records }) => total + records, 0);
  const p50 = latest(history, ({ latencyP50Ms }) => latencyP50Ms, LATENCY_WITHIN_MS);
  const p99 = latest(history, ({ latencyP99Ms }) => latencyP99Ms, LATENCY_WITHIN_MS);
  return h(
    'dl',
    { class: 'tiles', 'aria-label': 'At a glance' },
    h(Tile, {
      id: 'in',
      title: 'Records in',
      value: rate(sum(read)),
      note: bytesPerSecond(sumBytes(read)),
    }),
    h(Tile, {
      id: 'out',
      title: 'Records out',
      value: rate(sum(written)),
      note: bytesPerSecond(sumBytes(written)),
    }),
    h(Tile, {
      id: 'lag',
      title: 'Lag',
      value: isLagKnown ? count(lag) : '–',
      note: snapshot.paused
        ? 'as of the pause'
        : lagMs > 0
          ? `oldest waits ${duration(lagMs)}`
          : isLagKnown
            ? 'caught up'
            : 'not known yet',
      tone: lagMs > 10_000 ? 'warn' : undefined,
    }),
    h(Tile, {
      id: 'latency',
      title: 'Latency p50',
      value: duration(p50),
      note: p99 === null ? 'no records lately' : `p99 ${duration(p99)}`,
    }),
    h(Tile, {
      id: 'epochs',
      title: 'Epochs',
      value: count(commits.committed),
      note:
        commits.aborted === 0
          ? `commit ${duration(latest(history, ({ commitMs }) => commitMs, LATENCY_WITHIN_MS))}`
          : `✕ ${count(commits.aborted)} aborted`,
      tone: (last?.abortedEpochs ?? 0) > 0 ? 'bad' : undefined,
    }),
    h(Tile, {
      id: 'tasks',
      title: 'Tasks',
      value: `${running} / ${tasks.filter(({ phase }) => phase !== 'standby' && phase !== 'warmup').length}`,
      note: restoring > 0 ? `↻ ${restoring} restoring` : `busy ${percent(last?.busy)}`,
      tone: restoring > 0 ? 'warn' : undefined,
    }),
    h(Tile, {
      id: 'state',
      title: 'State',
      value: disk > 0 ? bytes(disk) : bytes(cached),
      note: disk > 0 ? 'on disk' : 'cached, none on disk',
    }),
    h(Tile, {
      id: 'problems',
      title: 'Left out',
      value: count(dropped + dead),
      note: dropped + dead === 0 ? 'no record' : `${count(dead)} dead letters`,
      tone: dropped + dead > 0 ? 'warn' : undefined,
    }),
  );
}
