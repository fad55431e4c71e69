// Owns the drawing of the topology: where elkjs placed things, in SVG, with what flows at this moment. The frame scrolls as any part of a
// page does, by finger, wheel or keys; dragging and the buttons move and zoom it.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { bytes, count, duration, rate } from '../format.ts';
import { groupTitle, layOut } from '../graph-layout.ts';
import type { Direction, Drawing, PlacedBox, PlacedEdge, PlacedGroup } from '../graph-layout.ts';
import { dropsOf, edgeFigures, modelOf, outputOf } from '../graph-model.ts';
import type { Box, EdgeFigures, TopologyModel } from '../graph-model.ts';
import { LEVEL_SIGNS, LEVEL_WORDS, worst } from '../health.ts';
import type { Level } from '../health.ts';
import type { DescribedTopology, Snapshot } from '../wire.ts';
import { elk } from '../elk.ts';
import { BOX_WORDS, ButtonIcon, boxIconPath } from './icons.ts';
import { Empty } from './parts.ts';

export interface TopologyProps {
  readonly topology: DescribedTopology;
  readonly snapshot: Snapshot;
  readonly selected: string | null;
  onSelect(id: string | null): void;
}

const ZOOM_STEP = 1.25;
const ZOOM_MIN = 0.25;
const ZOOM_MAX = 2.5;
/** Smaller than this nobody reads it: then the frame scrolls. */
const FIT_MIN = 0.62;
const FIT_MAX = 1.1;
/** Below this width of the frame it flows downwards. */
const NARROW = 640;

export function Topology({ topology, snapshot, selected, onSelect }: TopologyProps): VNode {
  const model = useMemo(() => modelOf(topology), [topology]);
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const direction: Direction | null = width === 0 ? null : width < NARROW ? 'DOWN' : 'RIGHT';
  const { drawing, fault } = useDrawing(model, direction);
  const [zoom, setZoom] = useState<number | null>(null);
  const fit =
    drawing === null || width === 0 ? 1 : Math.min(FIT_MAX, Math.max(FIT_MIN, width / drawing.width));
  const scale = zoom ?? fit;
  const zoomBy = (factor: number): void => setZoom(Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, scale * factor)));
  useDragging(frame);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      // As browsers tell of a pinch; a plain wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      setZoom((before) =>
        Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, (before ?? fit) * Math.exp(-event.deltaY / 300))),
      );
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [fit]);

  return h(
    'div',
    { class: 'topology' },
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
    h(
      'div',
      { class: 'zoom', role: 'group', 'aria-label': 'Zoom' },
      h(
        'button',
        {
          type: 'button',
          class: 'square',
          'aria-label': 'Zoom in',
          title: 'Zoom in (Ctrl and wheel)',
          onClick: () => zoomBy(ZOOM_STEP),
        },
        h(ButtonIcon, { name: 'plus' }),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'square',
          'aria-label': 'Zoom out',
          title: 'Zoom out',
          onClick: () => zoomBy(1 / ZOOM_STEP),
        },
        h(ButtonIcon, { name: 'minus' }),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'square',
          'aria-label': 'Fit',
          title: 'Fit all',
          onClick: () =>
            setZoom(
              zoom === null && drawing !== null
                ? Math.max(ZOOM_MIN, Math.min(fit, width / drawing.width))
                : null,
            ),
        },
        h(ButtonIcon, { name: 'fit' }),
      ),
    ),
    h(Key, null),
  );
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
  onSelect(id: string | null): void;
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
        key: `group ${group.id}`,
        group,
        snapshot,
        level: worst(levelsOf(group.id)),
        onSelect,
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
        line: secondLine(placed.box, snapshot),
        isSelected: selected === placed.box.id,
        onSelect,
      }),
    ),
    // Above the boxes, so that nothing hides a figure.
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
  snapshot,
  level,
  isSelected,
  onSelect,
}: {
  readonly group: PlacedGroup;
  readonly snapshot: Snapshot;
  readonly level: Level;
  readonly isSelected: boolean;
  readonly onSelect: (id: string) => void;
}): VNode {
  const tasks = snapshot.tasks.filter(
    ({ subTopology, phase }) => subTopology === id && phase !== 'standby' && phase !== 'warmup',
  );
  const title = groupTitle(id, tasks.length);
  return h(
    'g',
    { class: `group level-${level}${isSelected ? ' selected' : ''}`, 'data-group': id },
    h('rect', { x, y, width, height, rx: 12, class: 'group-frame' }),
    h(
      'g',
      {
        ...buttonProps(`${title}, ${LEVEL_WORDS[level]}`, () => onSelect(groupKey(id))),
        class: 'group-title',
      },
      h('rect', {
        x: x + 8,
        y: y + 6,
        width: Math.max(0, Math.min(width - 16, 300)),
        height: 28,
        rx: 7,
        class: 'hit',
      }),
      h('text', { x: x + 16, y: y + 25 }, h('tspan', { class: 'sign' }, LEVEL_SIGNS[level]), ` ${title}`),
    ),
  );
}

function BoxCard({
  placed: { box, label, x, y, width, height },
  line,
  isSelected,
  onSelect,
}: {
  readonly placed: PlacedBox;
  readonly line: { readonly text: string; readonly isBad: boolean };
  readonly isSelected: boolean;
  readonly onSelect: (id: string) => void;
}): VNode {
  const word = BOX_WORDS[box.kind];
  const isRound = box.kind === 'topic' || box.kind === 'repartition';
  return h(
    'g',
    {
      ...buttonProps(`${word} ${box.name}, ${line.text}`, () => onSelect(box.id)),
      class: `box box-${box.kind}${isSelected ? ' selected' : ''}`,
      'data-box': box.name,
      'data-kind': box.kind,
      'aria-pressed': isSelected ? 'true' : 'false',
      transform: `translate(${x} ${y})`,
    },
    h('title', null, `${word} ${box.name}`),
    h('rect', { width, height, rx: isRound ? height / 2 : 8, class: 'box-card' }),
    h('path', { d: boxIconPath(box.kind), class: 'box-icon', transform: `translate(12 ${height / 2 - 8})` }),
    h('text', { x: 35, y: height / 2 - 4, class: 'box-name' }, label),
    h('text', { x: 35, y: height / 2 + 12, class: `box-line${line.isBad ? ' bad' : ''}` }, line.text),
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
    perSecond > 0 ? h('path', { d: path, class: 'edge-flow', 'stroke-width': thickness }) : null,
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
  return h(
    'g',
    { class: `edge-label level-${level}`, 'data-edge-label': edge.id, 'data-level': level },
    h('rect', {
      x: x + 1,
      y: isLate ? y : y + 8,
      width: width - 2,
      height: isLate ? height : height - 16,
      rx: 5,
    }),
    h(
      'text',
      { x: x + width / 2, y: y + height / 2 + (isLate ? -3 : 4), class: 'rate' },
      rate(figures.recordsPerSecond),
    ),
    isLate
      ? h(
          'text',
          { x: x + width / 2, y: y + height / 2 + 12, class: 'late' },
          `${LEVEL_SIGNS[level]} ${count(lag)}`,
        )
      : null,
  );
}

/** What there is to say of a box in a few words. */
function secondLine(box: Box, snapshot: Snapshot): { readonly text: string; readonly isBad: boolean } {
  const { name, group, kind } = box;
  const plain = (text: string): { text: string; isBad: boolean } => ({ text, isBad: false });
  if (kind === 'store') {
    const changelog = snapshot.outputs.find(({ store }) => store === name);
    const restore = snapshot.figures?.restores.find(({ store }) => store === name);
    if (restore !== undefined) {
      const share =
        (restore.position - restore.startOffset) / Math.max(1, restore.endOffset - restore.startOffset);
      return plain(`restoring ${Math.round(Math.min(1, share) * 100)} %`);
    }
    return plain(changelog === undefined ? 'state store' : `${rate(changelog.recordsPerSecond)} updates`);
  }
  if (kind === 'topic' || kind === 'repartition') {
    const output = outputOf(snapshot.outputs, name);
    const inputs = snapshot.inputs.filter(({ topic }) => topic === name);
    if (output !== null) return plain(`${count(output.records)} written`);
    if (inputs.length > 0) return plain(`${bytes(inputs.reduce((sum, input) => sum + input.bytes, 0))} read`);
    return plain(BOX_WORDS[kind]);
  }
  if (group !== null) {
    const lost = dropsOf(snapshot.drops, group, name).reduce((sum, { records }) => sum + records, 0);
    if (lost > 0) return { text: `✕ ${count(lost)} left out`, isBad: true };
  }
  if (kind === 'source' && group !== null) {
    const ages = snapshot.tasks
      .filter(({ subTopology }) => subTopology === group)
      .flatMap(({ partitions }) =>
        partitions.filter(({ source }) => source === name).map(({ lagMs }) => lagMs ?? 0),
      );
    const oldest = Math.max(0, ...ages);
    return plain(oldest > 1_000 ? `oldest waits ${duration(oldest)}` : BOX_WORDS[kind]);
  }
  return plain(BOX_WORDS[kind]);
}

function buttonProps(label: string, onPress: () => void): Record<string, unknown> {
  return {
    role: 'button',
    tabIndex: 0,
    'aria-label': label,
    onClick: onPress,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      onPress();
    },
  };
}

function useDrawing(
  model: TopologyModel,
  direction: Direction | null,
): { readonly drawing: Drawing | null; readonly fault: string | null } {
  const [state, setState] = useState<{ drawing: Drawing | null; fault: string | null }>({
    drawing: null,
    fault: null,
  });
  useEffect(() => {
    if (direction === null) return undefined;
    let isOld = false;
    layOut(model, elk(), direction).then(
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
  }, [model, direction]);
  return state;
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
