// Owns one chart: uPlot in a frame that follows the width it has and the theme, with the values under the pointer in its head.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { clockTime } from '../format.ts';
import type { Columns, Window } from '../series.ts';
import { colour, fonts } from '../theme.ts';

export interface Line {
  readonly name: string;
  /** Name of a colour of style.css. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly isFilled?: boolean;
  readonly isBars?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly id: string;
  readonly lines: readonly Line[];
  readonly columns: Columns;
  readonly window: Window;
  readonly format: (value: number | null) => string;
  readonly empty: string;
  readonly least: number;
}

const HEIGHT = 168;
const AXIS_WIDTH = 62;
/** Charts with it show the same moment. */
const SYNC = 'millrace';

export function Chart({ title, id, lines, columns, window, format, empty, least }: ChartProps): VNode {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latestWindow = useRef(window);
  const [pointed, setPointed] = useState<number | null>(null);
  const [look, setLook] = useState(0);
  latestWindow.current = window;

  useEffect(() => onThemeChange(() => setLook((before) => before + 1)), []);
  useEffect(() => {
    const element = frame.current!;
    const options = optionsOf(
      { lines, format, least },
      element.clientWidth,
      () => latestWindow.current,
      setPointed,
    );
    const made = new uPlot(options, columns, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // Lines and formats are written down in the views and never change.
  }, [look]);
  useEffect(() => plot.current?.setData(columns), [columns, look]);

  const [xs, ...series] = columns;
  const index = pointed !== null && pointed < xs.length ? pointed : xs.length - 1;
  const hasAny = series.some((values) => values.some((value) => value !== null));
  const valueAt = (line: number): number | null => series[line]?.[index] ?? null;
  return h(
    'section',
    { class: 'card chart', 'aria-labelledby': id, 'data-chart': id },
    h(
      'div',
      { class: 'card-head' },
      h('h2', { id }, title),
      h(
        'ul',
        { class: 'legend' },
        lines.map(({ name, colour: key, dash }, line) =>
          h(
            'li',
            { key: name },
            h('span', {
              class: `swatch swatch-${key}${dash === undefined ? '' : ' dashed'}`,
              'aria-hidden': 'true',
            }),
            `${name} `,
            h('b', null, format(valueAt(line))),
          ),
        ),
        h('li', { class: 'when' }, xs[index] === undefined ? '' : clockTime(xs[index] * 1_000)),
      ),
    ),
    h(
      'div',
      { class: 'plot-frame' },
      h('div', {
        class: 'plot',
        ref: frame,
        role: 'img',
        'aria-label': `${title}: ${lines.map(({ name }, line) => `${name} ${format(valueAt(line))}`).join(', ')}`,
      }),
      hasAny ? null : h('p', { class: 'empty over' }, empty),
    ),
  );
}

function optionsOf(
  { lines, format, least }: Pick<ChartProps, 'lines' | 'format' | 'least'>,
  width: number,
  windowNow: () => Window,
  onPointed: (index: number | null) => void,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour('muted'),
    font: `11px ${fonts()}`,
    grid: { stroke: colour('grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(width, 50),
    height: HEIGHT,
    padding: [10, 30, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: SYNC }, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [windowNow().fromMs / 1_000, windowNow().toMs / 1_000] },
      y: { range: (_plot, _min, max) => [0, Math.max(least, Number.isFinite(max) ? max * 1.12 : 0)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 6,
        space: 72,
        values: (_plot, ticks) => ticks.map((tick) => shortTime(tick, ticks)),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        gap: 6,
        space: 34,
        values: (_plot, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour: key, dash, isFilled, isBars }) => ({
        label: name,
        stroke: colour(key),
        width: 1.75,
        points: { show: false },
        ...(dash === undefined ? {} : { dash: [...dash] }),
        ...(isFilled === true ? { fill: colour(`${key}-fill`) } : {}),
        ...(isBars === true && uPlot.paths.bars !== undefined
          ? { paths: uPlot.paths.bars({ size: [0.7, 12], align: 0 }), fill: colour(`${key}-fill`) }
          : {}),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPointed(cursor.idx ?? null)] },
  };
}

/** Seconds only where ticks are that close. */
function shortTime(tick: number, ticks: readonly number[]): string {
  const text = clockTime(tick * 1_000);
  return ticks.length > 1 && ticks[1]! - ticks[0]! < 60 ? text : text.slice(0, 5);
}

function onThemeChange(action: () => void): () => void {
  const media = matchMedia('(prefers-color-scheme: dark)');
  media.addEventListener('change', action);
  const observer = new MutationObserver(action);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  return () => {
    media.removeEventListener('change', action);
    observer.disconnect();
  };
}
