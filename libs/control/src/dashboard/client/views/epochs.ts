// Owns the view of epochs: on a line of time, each open, flushed and committed, and as a list.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { layEpochs, lengthFor } from '../epoch-lanes.ts';
import type { LaidEpoch, Stretch } from '../epoch-lanes.ts';
import { bytes, clockTime, count, duration, grouped, rate } from '../format.ts';
import type { EpochFigures } from '../wire.ts';
import { Choices } from './choices.ts';
import type { ViewContext } from './context.ts';
import { Empty, Section, Table, Tile } from './parts.ts';

const LENGTHS = [
  { value: 0, label: 'Auto' },
  { value: 1_000, label: '1 s' },
  { value: 4_000, label: '4 s' },
  { value: 15_000, label: '15 s' },
  { value: 60_000, label: '1 min' },
  { value: 600_000, label: '10 min' },
] as const;
const LENGTHS_MS = LENGTHS.map(({ value }) => value).filter((value) => value > 0);
const LIST_MAX = 30;
/** Of the drawing's own units, as wide as the frame. */
const WIDTH = 1_000;
const LANE = { top: 6, height: 30, gap: 8 } as const;
const HEIGHT = 2 * LANE.height + LANE.gap + 2 * LANE.top;

export function EpochsView({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, picture } = context;
  const { epochs, history } = picture;
  const { commits } = snapshot;
  const last = history.at(-1);
  const failed = epochs.filter(({ outcome }) => outcome === 'aborted');
  return h(
    'div',
    { class: 'stack' },
    h(
      'dl',
      { class: 'tiles', 'aria-label': 'Epochs at a glance' },
      h(Tile, {
        id: 'committed',
        title: 'Committed',
        value: grouped(commits.committed),
        note: last === undefined ? 'since the start' : rate(last.committedEpochs / 2),
      }),
      h(Tile, {
        id: 'aborted',
        title: 'Aborted',
        value: grouped(commits.aborted),
        note: failed.length === 0 ? 'none lately' : `last ${clockTime(failed.at(-1)!.endedAt)}`,
        tone: failed.length > 0 ? 'bad' : undefined,
      }),
      h(Tile, {
        id: 'average',
        title: 'Commit, average',
        value: duration(commits.committed === 0 ? null : commits.totalMs / commits.committed),
        note: 'from seal to end',
      }),
      h(Tile, {
        id: 'longest',
        title: 'Commit, longest',
        value: duration(commits.committed === 0 ? null : commits.longestMs),
        note: 'since the start',
      }),
    ),
    h(Timeline, { epochs, nowMs: snapshot.at }),
    h(
      Section,
      { title: 'Last epochs', id: 'epoch-list' },
      h(Table<EpochFigures>, {
        label: 'Last epochs',
        rows: epochs.slice(-LIST_MAX).reverse(),
        keyOf: ({ number }) => String(number),
        empty: 'No epoch has been sealed yet: there was nothing to commit.',
        toneOf: ({ outcome }) => (outcome === 'aborted' ? 'tone-bad' : undefined),
        columns: [
          { title: 'Epoch', isNumber: true, cell: ({ number }) => h('b', null, String(number)) },
          {
            title: 'Outcome',
            cell: ({ outcome, reason }) =>
              `${outcome === 'aborted' ? '✕' : outcome === 'committed' ? '✓' : '◐'} ${outcome}${reason === null ? '' : `: ${reason}`}`,
          },
          { title: 'Sealed', cell: ({ sealedAt }) => clockTime(sealedAt) },
          { title: 'Tasks', isNumber: true, cell: ({ tasks }) => String(tasks) },
          { title: 'In', isNumber: true, cell: ({ recordsIn }) => count(recordsIn) },
          { title: 'Out', isNumber: true, cell: ({ recordsOut }) => count(recordsOut) },
          { title: 'Changelog', isNumber: true, cell: ({ changelogRecords }) => count(changelogRecords) },
          { title: 'Bytes', isNumber: true, cell: ({ bytesOut }) => bytes(bytesOut) },
          { title: 'Open', isNumber: true, cell: ({ openMs }) => duration(openMs) },
          { title: 'Flush', isNumber: true, cell: ({ produceMs }) => duration(produceMs) },
          { title: 'Commit', isNumber: true, cell: ({ commitMs }) => duration(commitMs) },
        ],
      }),
    ),
  );
}

function Timeline({
  epochs,
  nowMs,
}: {
  readonly epochs: readonly EpochFigures[];
  readonly nowMs: number;
}): VNode {
  const [chosen, setChosen] = useState<number>(0);
  const [pointed, setPointed] = useState<number | null>(null);
  const length = chosen === 0 ? lengthFor(epochs, LENGTHS_MS, nowMs) : chosen;
  const window = { fromMs: nowMs - length, toMs: nowMs };
  const laid = layEpochs(epochs, window);
  const shown = laid.find(({ epoch }) => epoch.number === pointed)?.epoch ?? laid.at(-1)?.epoch;
  return h(
    Section,
    {
      title: 'Timeline',
      id: 'timeline',
      aside: h(Choices<number>, {
        label: 'Span of time',
        options: LENGTHS,
        value: chosen,
        onChoose: setChosen,
      }),
    },
    h(
      'ul',
      { class: 'key' },
      h(
        'li',
        null,
        h('span', { class: 'swatch epoch-open', 'aria-hidden': 'true' }),
        'open: records are processed',
      ),
      h(
        'li',
        null,
        h('span', { class: 'swatch epoch-flush', 'aria-hidden': 'true' }),
        'flush: outputs are acknowledged',
      ),
      h(
        'li',
        null,
        h('span', { class: 'swatch epoch-commit', 'aria-hidden': 'true' }),
        'commit: offsets, end of transaction',
      ),
      h('li', null, h('span', { class: 'swatch epoch-aborted', 'aria-hidden': 'true' }), '✕ aborted'),
    ),
    laid.length === 0
      ? h(Empty, null, `No epoch in the last ${duration(length)}: there was nothing to commit.`)
      : h(
          'div',
          { class: 'timeline' },
          h(
            'svg',
            {
              viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
              preserveAspectRatio: 'none',
              role: 'img',
              'aria-label': `${laid.length} epochs in the last ${duration(length)}, ${laid.filter(({ epoch }) => epoch.outcome === 'aborted').length} aborted`,
              onPointerLeave: () => setPointed(null),
            },
            laid.map((one) =>
              h(EpochMark, {
                key: one.epoch.number,
                laid: one,
                isPointed: one.epoch.number === pointed,
                onPoint: setPointed,
              }),
            ),
          ),
          h(
            'div',
            { class: 'timeline-axis', 'aria-hidden': 'true' },
            [1, 0.75, 0.5, 0.25, 0].map((share) =>
              h('span', { key: share }, share === 0 ? 'now' : `${duration(share * length)} ago`),
            ),
          ),
        ),
    shown === undefined
      ? null
      : h(
          'p',
          { class: `timeline-note${shown.outcome === 'aborted' ? ' bad' : ''}` },
          h('b', null, `Epoch ${shown.number}`),
          ` ${shown.outcome} · open ${duration(shown.openMs)} · flush ${duration(shown.produceMs)} · commit ${duration(shown.commitMs)} · ${count(shown.recordsIn)} in, ${count(shown.recordsOut)} out`,
          shown.reason === null ? '' : ` · ${shown.reason}`,
        ),
  );
}

function EpochMark({
  laid: { epoch, lane, open, flush, commit },
  isPointed,
  onPoint,
}: {
  readonly laid: LaidEpoch;
  readonly isPointed: boolean;
  readonly onPoint: (number: number) => void;
}): VNode {
  const y = LANE.top + lane * (LANE.height + LANE.gap);
  const isAborted = epoch.outcome === 'aborted';
  const part = (stretch: Stretch | null, kind: string): VNode | null =>
    stretch === null
      ? null
      : h('rect', {
          x: stretch.from * WIDTH,
          y,
          // What is short must still be seen.
          width: Math.max(1.2, (stretch.to - stretch.from) * WIDTH),
          height: LANE.height,
          class: `epoch-${kind}${isAborted ? ' epoch-aborted' : ''}`,
        });
  return h(
    'g',
    {
      class: `epoch epoch-is-${epoch.outcome}${isPointed ? ' pointed' : ''}`,
      'data-epoch': epoch.number,
      'data-outcome': epoch.outcome,
      onPointerEnter: () => onPoint(epoch.number),
      onPointerDown: () => onPoint(epoch.number),
    },
    part(open, 'open'),
    part(flush, 'flush'),
    part(commit, 'commit'),
    isAborted && flush !== null
      ? h('path', { class: 'epoch-cross', d: `M${flush.from * WIDTH} ${y}v${LANE.height}` })
      : null,
  );
}
