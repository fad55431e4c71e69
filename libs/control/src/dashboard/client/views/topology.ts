// Owns the drawing of the topology: where elkjs placed things, in SVG, with what flows at this moment. The frame scrolls as any part of a
// page does, by finger, wheel or keys; dragging and the buttons move and zoom it.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { bytes, count, rate } from '../format.ts';
import { estimated, fitOf, groupTitle, isFlat, layOut } from '../graph-layout.ts';
import type { Direction, Drawing, Measure, PlacedBox, PlacedEdge, PlacedGroup } from '../graph-layout.ts';
import { fonts } from '../theme.ts';
import { dropsOf, edgeFigures, modelOf, outputOf } from '../graph-model.ts';
import type { Box, EdgeFigures, TopologyModel } from '../graph-model.ts';
import { LEVEL_SIGNS, LEVEL_WORDS, roleOf, worst } from '../health.ts';
import type { Level } from '../health.ts';
import type { DescribedTopology, Snapshot } from '../wire.ts';
import { elk } from '../elk.ts';
import { BOX_WORDS, ButtonIcon, boxIconPath } from './icons.ts';
import { Empty, Section } from './parts.ts';

export interface TopologyProps {
  readonly topology: DescribedTopology;
  readonly snapshot: Snapshot;
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

const ZOOM_STEP = 1.25;
const ZOOM_MIN = 0.2;
const ZOOM_MAX = 2.5;
/** Smaller than this nobody reads it: then the frame scrolls, downwards alone where its width nearly suffices. */
const READABLE = 0.76;
const READABLE_MIN = 0.62;
const FIT_MAX = 1.15;
const FRAME_HEIGHT_MAX = 700;
const MARGIN = 4;

export function Topology({ topology, snapshot, selected, onSelect }: TopologyProps): VNode {
  const model = useMemo(() => modelOf(topology), [topology]);
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [direction, setDirection] = useState<Direction | null>(null);
  const { drawing, fault } = useDrawing(model, direction, width);
  const [zoom, setZoom] = useState<number | null>(null);
  const space = { width: width - MARGIN, height: FRAME_HEIGHT_MAX - MARGIN };
  const whole = drawing === null ? 1 : Math.min(FIT_MAX, fitOf(drawing, space));
  const initial = drawing === null ? 1 : Math.max(whole, readable(space.width / drawing.width));
  const scale = zoom ?? initial;
  const bounded = (wanted: number): number => Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, wanted));
  useDragging(frame);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      // As browsers tell of a pinch; a plain wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      setZoom((before) => bounded((before ?? initial) * Math.exp(-event.deltaY / 300)));
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [initial]);
  useEffect(() => {
    // What does not fit begins where records come in.
    const element = frame.current;
    if (element === null || drawing === null) return;
    const first = firstBox(drawing);
    element.scrollLeft = first === null ? 0 : (first.x + first.width / 2) * initial - element.clientWidth / 2;
    element.scrollTop = first === null ? 0 : first.y * initial - element.clientHeight / 3;
  }, [drawing]);

  const tool = (
    label: string,
    name: 'plus' | 'minus' | 'fit' | 'turn',
    onClick: () => void,
    hint = label,
  ): VNode =>
    h(
      'button',
      { type: 'button', class: 'square quiet', 'aria-label': label, title: hint, onClick },
      h(ButtonIcon, { name }),
    );
  return h(
    Section,
    {
      title: 'Topology',
      id: 'topology',
      aside: h(
        'div',
        { class: 'zoom', role: 'group', 'aria-label': 'Drawing' },
        tool(
          'Turn',
          'turn',
          () => {
            setDirection(drawing?.direction === 'DOWN' ? 'RIGHT' : 'DOWN');
            setZoom(null);
          },
          'Draw it the other way round',
        ),
        tool('Zoom out', 'minus', () => setZoom(bounded(scale / ZOOM_STEP))),
        tool(
          'Zoom in',
          'plus',
          () => setZoom(bounded(scale * ZOOM_STEP)),
          'Zoom in; also by Ctrl and the wheel',
        ),
        tool('Show all', 'fit', () => setZoom(bounded(whole))),
      ),
    },
    h(
      'div',
      { class: 'topology-frame', ref: frame, tabIndex: 0, role: 'region', 'aria-label': 'Topology; scrolls' },
      fault !== null
        ? h(Empty, null, `The topology cannot be drawn: ${fault}`)
        : drawing === null
          ? h(Empty, null, 'Drawing …')
          : drawing.boxes.length === 0
            ? h(Empty, null, 'The topology has no nodes.')
            : h(Picture, { drawing, model, snapshot, scale, selected, onSelect }),
    ),
    h(Key, null),
  );
}

/** `fit`: the scale at which its width is that of the frame. */
function readable(fit: number): number {
  return fit >= READABLE_MIN && fit < READABLE ? fit : READABLE;
}

/** The one furthest up the stream. */
function firstBox({ boxes, direction }: Drawing): PlacedBox | null {
  const along = ({ x, y }: PlacedBox): number => (direction === 'DOWN' ? y : x);
  let first: PlacedBox | null = null;
  for (const placed of boxes) if (first === null || along(placed) < along(first)) first = placed;
  return first;
}

function Key(): VNode {
  const levels: readonly Level[] = ['ok', 'busy', 'behind', 'stalled', 'idle'];
  return h(
    'ul',
    { class: 'key', 'aria-label': 'What the signs mean' },
    levels.map((level) =>
      h(
        'li',
        { key: level, class: `level-${level}` },
        h('span', { class: 'sign', 'aria-hidden': 'true' }, LEVEL_SIGNS[level]),
        LEVEL_WORDS[level],
      ),
    ),
  );
}

interface PictureProps {
  readonly drawing: Drawing;
  readonly model: TopologyModel;
  readonly snapshot: Snapshot;
  readonly scale: number;
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

function Picture({ drawing, model, snapshot, scale, selected, onSelect }: PictureProps): VNode {
  const figures = new Map<string, EdgeFigures | null>(
    model.edges.map((edge) => [edge.id, edgeFigures(edge, model.edges, snapshot)]),
  );
  const levelsOf = (id: number): Level[] =>
    model.edges
      .filter(({ kind, group }) => kind === 'read' && group === id)
      .map((edge) => figures.get(edge.id)?.level ?? 'idle');
  return h(
    'svg',
    {
      class: 'graph',
      width: Math.round(drawing.width * scale),
      height: Math.round(drawing.height * scale),
      viewBox: `0 0 ${drawing.width} ${drawing.height}`,
      role: 'group',
      'aria-label': 'Topology',
      onClick: (event: Event) => {
        if (event.target === event.currentTarget) onSelect(null);
      },
    },
    h(
      'defs',
      null,
      (['idle', 'ok', 'busy', 'behind', 'stalled', 'plain'] as const).map((level) =>
        h(
          'marker',
          {
            id: `arrow-${level}`,
            key: level,
            viewBox: '0 0 8 8',
            refX: 7,
            refY: 4,
            markerWidth: 7,
            markerHeight: 7,
            orient: 'auto-start-reverse',
            markerUnits: 'userSpaceOnUse',
          },
          h('path', { d: 'M0 0.500 7.500 4 0 7.500z', class: `arrow level-${level}` }),
        ),
      ),
    ),
    drawing.groups.map((group) =>
      h(GroupFrame, {
        key: groupKey(group.id),
        group,
        level: worst(levelsOf(group.id)),
        isSelected: selected === groupKey(group.id),
      }),
    ),
    drawing.edges.map((placed) =>
      h(EdgeLine, { key: placed.edge.id, placed, figures: figures.get(placed.edge.id) ?? null }),
    ),
    drawing.boxes.map((placed) =>
      h(BoxCard, {
        key: placed.box.id,
        placed,
        snapshot,
        isSelected: selected === placed.box.id,
        onSelect,
      }),
    ),
    // Above lines and boxes, so that nothing hides a figure or a title.
    drawing.groups.map((group) =>
      h(GroupTitle, {
        key: `title ${group.id}`,
        group,
        snapshot,
        level: worst(levelsOf(group.id)),
        onSelect,
      }),
    ),
    drawing.edges.map((placed) =>
      h(EdgeLabel, { key: `label ${placed.edge.id}`, placed, figures: figures.get(placed.edge.id) ?? null }),
    ),
  );
}

export function groupKey(id: number): string {
  return `group ${id}`;
}

function GroupFrame({
  group: { id, x, y, width, height },
  level,
  isSelected,
}: {
  readonly group: PlacedGroup;
  readonly level: Level;
  readonly isSelected: boolean;
}): VNode {
  return h(
    'g',
    { class: `group level-${level}${isSelected ? ' selected' : ''}`, 'data-group': id },
    h('rect', { x, y, width, height, rx: 12, class: 'group-frame' }),
  );
}

function GroupTitle({
  group: { id, x, y, width },
  snapshot,
  level,
  onSelect,
}: {
  readonly group: PlacedGroup;
  readonly snapshot: Snapshot;
  readonly level: Level;
  readonly onSelect: (id: string) => void;
}): VNode {
  const tasks = snapshot.tasks.filter(
    ({ subTopology, phase }) => subTopology === id && roleOf(phase) === 'active',
  );
  const title = groupTitle(id, tasks.length);
  return h(
    'g',
    {
      ...buttonProps(`${title}, ${LEVEL_WORDS[level]}`, () => onSelect(groupKey(id))),
      class: `group-title level-${level}`,
    },
    h('rect', {
      x: x + 8,
      y: y + 6,
      width: Math.max(0, Math.min(width - 16, 214)),
      height: 26,
      rx: 7,
      class: 'hit',
    }),
    h('text', { x: x + 16, y: y + 23.5 }, h('tspan', { class: 'sign' }, LEVEL_SIGNS[level]), ` ${title}`),
  );
}

function BoxCard({
  placed: { box, label, x, y, width, height },
  snapshot,
  isSelected,
  onSelect,
}: {
  readonly placed: PlacedBox;
  readonly snapshot: Snapshot;
  readonly isSelected: boolean;
  readonly onSelect: (id: string) => void;
}): VNode {
  const word = BOX_WORDS[box.kind];
  const isRound = box.kind === 'topic' || box.kind === 'repartition';
  const line = isFlat(box) ? null : secondLine(box, snapshot);
  const lost = leftOut(box, snapshot);
  const notes = [line, lost === 0 ? null : `${count(lost)} records left out`].filter((note) => note !== null);
  return h(
    'g',
    {
      ...buttonProps([`${word} ${box.name}`, ...notes].join(', '), () => onSelect(box.id)),
      class: `box box-${box.kind}${isSelected ? ' selected' : ''}`,
      'data-box': box.name,
      'data-kind': box.kind,
      'aria-pressed': isSelected ? 'true' : 'false',
      transform: `translate(${x} ${y})`,
    },
    h('title', null, `${word} ${box.name}`),
    h('rect', { width, height, rx: isRound ? height / 2 : 8, class: 'box-card' }),
    h('path', {
      d: boxIconPath(box.kind),
      class: 'box-icon',
      transform: `translate(12 ${height / 2 - 8})`,
    }),
    h('text', { x: 35, y: height / 2 + (line === null ? 4.5 : -3), class: 'box-name' }, label),
    line === null ? null : h('text', { x: 35, y: height / 2 + 13, class: 'box-line' }, line),
    lost === 0 ? null : h(LeftOut, { text: `✕ ${count(lost)}`, x: width }),
  );
}

/** On the corner of its box. */
function LeftOut({ text, x }: { readonly text: string; readonly x: number }): VNode {
  const width = 14 + text.length * 6.5;
  return h(
    'g',
    { class: 'left-out', transform: `translate(${x - width + 8} -9)` },
    h('rect', { width, height: 17, rx: 8.5 }),
    h('text', { x: width / 2, y: 12.5 }, text),
  );
}

function EdgeLine({
  placed: { edge, path },
  figures,
}: {
  readonly placed: PlacedEdge;
  readonly figures: EdgeFigures | null;
}): VNode {
  const level = figures?.level ?? 'plain';
  const perSecond = figures?.recordsPerSecond ?? 0;
  // Ten times the records, one step thicker.
  const thickness = figures === null ? 1.3 : 1.5 + Math.min(3, Math.log10(1 + perSecond) * 0.55);
  const isState = edge.kind === 'state';
  return h(
    'g',
    { class: `edge edge-${edge.kind} level-${level}`, 'data-edge': edge.id },
    h('path', {
      d: path,
      class: 'edge-line',
      'stroke-width': thickness,
      'marker-end': isState ? undefined : `url(#arrow-${level})`,
    }),
    perSecond > 0 ? h('path', { d: path, class: 'edge-current', 'stroke-width': thickness }) : null,
  );
}

function EdgeLabel({
  placed: { edge, label },
  figures,
}: {
  readonly placed: PlacedEdge;
  readonly figures: EdgeFigures | null;
}): VNode | null {
  if (label === null) return null;
  const { x, y, width, height } = label;
  if (edge.side !== null) {
    return h(
      'g',
      { class: 'edge-label' },
      h('rect', { x, y, width, height, rx: 4 }),
      h('text', { x: x + width / 2, y: y + height / 2 + 4, class: 'side' }, edge.side),
    );
  }
  if (figures === null) return null;
  const { level, lag } = figures;
  const isLate = level === 'busy' || level === 'behind' || level === 'stalled';
  const isTall = height > 24;
  const middle = x + width / 2;
  const late = `${LEVEL_SIGNS[level]} ${count(lag)}`;
  const own = isLate && isTall ? { y, height } : { y: y + height / 2 - 9, height: 18 };
  const ownWidth = isLate && !isTall ? width : 68;
  return h(
    'g',
    { class: `edge-label level-${level}`, 'data-edge-label': edge.id, 'data-level': level },
    h('rect', { x: middle - ownWidth / 2, width: ownWidth, rx: 6, ...own }),
    isTall || !isLate
      ? h(
          'text',
          { x: middle, y: y + height / 2 + (isLate ? -3 : 4), class: 'rate' },
          rate(figures.recordsPerSecond),
        )
      : h('text', { x: middle - 30, y: y + height / 2 + 4, class: 'rate' }, rate(figures.recordsPerSecond)),
    isLate
      ? h(
          'text',
          { x: isTall ? middle : middle + 31, y: y + height / 2 + (isTall ? 12 : 4), class: 'late' },
          late,
        )
      : null,
  );
}

/** What there is to say of a box in a few words. */
function secondLine({ name, kind }: Box, snapshot: Snapshot): string {
  if (kind === 'store') {
    const restores = snapshot.figures?.restores.filter(({ store }) => store === name) ?? [];
    if (restores.length > 0) {
      const left = restores.reduce(
        (sum, { endOffset, position }) => sum + Math.max(0, endOffset - position),
        0,
      );
      return `↻ ${count(left)} to restore`;
    }
    const changelog = snapshot.outputs.find(({ store }) => store === name);
    return changelog === undefined ? 'state store' : `${rate(changelog.recordsPerSecond)} updates`;
  }
  if (kind === 'topic' || kind === 'repartition') {
    const output = outputOf(snapshot.outputs, name);
    if (output !== null) return `${count(output.records)} written`;
    const inputs = snapshot.inputs.filter(({ topic }) => topic === name);
    if (inputs.length > 0) return `${bytes(inputs.reduce((sum, input) => sum + input.bytes, 0))} read`;
  }
  return BOX_WORDS[kind];
}

/** Records that it left out. */
function leftOut({ group, name }: Box, snapshot: Snapshot): number {
  if (group === null) return 0;
  return dropsOf(snapshot.drops, group, name).reduce((sum, { records }) => sum + records, 0);
}

function buttonProps(label: string, onPress: () => void): Record<string, unknown> {
  return {
    role: 'button',
    // As SVG writes it.
    tabindex: 0,
    'aria-label': label,
    onClick: onPress,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      onPress();
    },
  };
}

interface DrawingState {
  readonly drawing: Drawing | null;
  readonly fault: string | null;
}

function useDrawing(model: TopologyModel, direction: Direction | null, width: number): DrawingState {
  const [state, setState] = useState<DrawingState>({ drawing: null, fault: null });
  // A few pixels more or less make no other drawing.
  const rough = Math.round(width / 80) * 80;
  useEffect(() => {
    if (rough === 0) return undefined;
    let isOld = false;
    layOut(model, elk(), direction, { width: rough, height: FRAME_HEIGHT_MAX }, measureNames()).then(
      (drawing) => {
        if (!isOld) setState({ drawing, fault: null });
      },
      (error: unknown) => {
        if (!isOld)
          setState({ drawing: null, fault: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => {
      isOld = true;
    };
  }, [model, direction, rough]);
  return state;
}

/** In the font that names have in style.css. */
function measureNames(): Measure {
  const canvas = document.createElement('canvas').getContext('2d');
  if (canvas === null) return estimated;
  canvas.font = `600 12.5px ${fonts()}`;
  return (text) => canvas.measureText(text).width;
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    setWidth(current.clientWidth);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** With a mouse; fingers scroll by themselves. */
function useDragging(element: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    let from: { x: number; y: number; left: number; top: number } | null = null;
    const onDown = (event: PointerEvent): void => {
      if (event.pointerType !== 'mouse' || event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY, left: current.scrollLeft, top: current.scrollTop };
    };
    const onMove = (event: PointerEvent): void => {
      if (from === null) return;
      current.scrollLeft = from.left - (event.clientX - from.x);
      current.scrollTop = from.top - (event.clientY - from.y);
    };
    const onUp = (): void => {
      from = null;
    };
    current.addEventListener('pointerdown', onDown);
    addEventListener('pointermove', onMove);
    addEventListener('pointerup', onUp);
    return () => {
      current.removeEventListener('pointerdown', onDown);
      removeEventListener('pointermove', onMove);
      removeEventListener('pointerup', onUp);
    };
  }, []);
}
