// Owns which charts there are, over which span of time.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { count, duration, rate } from '../format.ts';
import { columnsOf, windowOf } from '../series.ts';
import type { Field } from '../series.ts';
import type { HistorySample } from '../wire.ts';
import { Chart } from './chart.ts';
import type { Line } from './chart.ts';
import { Choices } from './choices.ts';

interface ChartPlan {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly Line[];
  readonly fields: readonly Field[];
  readonly format: (value: number | null) => string;
  readonly empty: string;
  /** The scale reaches so far at least: noise of a quiet application is no mountain. */
  readonly least: number;
}

const PLANS: readonly ChartPlan[] = [
  {
    id: 'chart-throughput',
    title: 'Throughput',
    lines: [
      { name: 'in', colour: 'series-1', isFilled: true },
      { name: 'out', colour: 'series-2', dash: [6, 4] },
    ],
    fields: [
      ({ recordsInPerSecond }) => recordsInPerSecond,
      ({ recordsOutPerSecond }) => recordsOutPerSecond,
    ],
    format: rate,
    least: 10,
    empty: 'Nothing measured yet: the server looks every 2 s.',
  },
  {
    id: 'chart-lag',
    title: 'Lag',
    lines: [{ name: 'records behind', colour: 'series-3', isFilled: true }],
    fields: [({ lag }) => lag],
    format: count,
    least: 10,
    empty: 'The ends of the inputs are not known yet.',
  },
  {
    id: 'chart-latency',
    title: 'End-to-end latency',
    lines: [
      { name: 'p50', colour: 'series-1' },
      { name: 'p99', colour: 'series-4', dash: [6, 4] },
    ],
    fields: [({ latencyP50Ms }) => latencyP50Ms, ({ latencyP99Ms }) => latencyP99Ms],
    format: duration,
    least: 10,
    empty: 'No records were committed in this time.',
  },
  {
    id: 'chart-commit',
    title: 'Epoch commit',
    lines: [{ name: 'seal to end', colour: 'series-2', isFilled: true }],
    fields: [({ commitMs }) => commitMs],
    format: duration,
    least: 10,
    empty: 'No epochs were committed in this time.',
  },
];

const SPANS = [
  { value: 60_000, label: '1 min' },
  { value: 300_000, label: '5 min' },
  { value: 900_000, label: '15 min' },
] as const;
const STEP_MS = 2_000;

export function Charts({
  history,
  nowMs,
}: {
  readonly history: readonly HistorySample[];
  readonly nowMs: number;
}): VNode {
  const [span, setSpan] = useState<number>(SPANS[1].value);
  const window = useMemo(() => windowOf(history, span, nowMs), [history, span]);
  return h(
    'div',
    { class: 'charts' },
    h(
      'div',
      { class: 'charts-head' },
      h('h2', { class: 'plain' }, 'Over time'),
      h(Choices<number>, { label: 'Span of time', options: SPANS, value: span, onChoose: setSpan }),
    ),
    PLANS.map((plan) => h(PlannedChart, { key: plan.id, plan, history, window })),
  );
}

function PlannedChart({
  plan: { fields, ...chart },
  history,
  window,
}: {
  readonly plan: ChartPlan;
  readonly history: readonly HistorySample[];
  readonly window: ReturnType<typeof windowOf>;
}): VNode {
  const columns = useMemo(() => columnsOf(history, fields, window, STEP_MS), [history, window]);
  return h(Chart, { ...chart, columns, window });
}
