// Owns where things are drawn: the question to elkjs, and its answer as boxes, frames and lines. It knows sizes, not looks. Text is
// measured by its length: a fixed-width font would waste room, and a canvas is not there in tests.
import { count, shortened } from './format.ts';
import { CHOSEN } from './graph-model.ts';
import type { Box, Edge, TopologyModel } from './graph-model.ts';

export type Direction = 'RIGHT' | 'DOWN';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rectangle extends Point {
  readonly width: number;
  readonly height: number;
}

export interface PlacedBox extends Rectangle {
  readonly box: Box;
  /** Its name, so short that it fits. */
  readonly label: string;
}

export interface PlacedGroup extends Rectangle {
  readonly id: number;
}

export interface PlacedEdge {
  readonly edge: Edge;
  /** Of an SVG path. */
  readonly path: string;
  /** Where what it carries is written; `null`: it carries no figures. */
  readonly label: Rectangle | null;
}

export interface Drawing {
  readonly direction: Direction;
  readonly width: number;
  readonly height: number;
  readonly groups: readonly PlacedGroup[];
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly PlacedEdge[];
}

/** Of what elkjs takes and gives; its own types ask for more than is used. */
export interface ElkNode {
  id: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  children?: ElkNode[];
  edges?: ElkEdge[];
  layoutOptions?: Record<string, string>;
}

export interface ElkEdge {
  id: string;
  sources: string[];
  targets: string[];
  labels?: {
    id?: string;
    text?: string;
    x?: number;
    y?: number;
    width?: number;
    height?: number;
    layoutOptions?: Record<string, string>;
  }[];
  sections?: { startPoint: Point; endPoint: Point; bendPoints?: Point[] }[];
  container?: string;
  layoutOptions?: Record<string, string>;
}

export interface ElkLike {
  layout(graph: ElkNode): Promise<ElkNode>;
}

/** Width of a name as it is drawn. */
export type Measure = (text: string) => number;

/** Without a font at hand. */
export const estimated: Measure = (text) => [...text].length * 7.6;

/** With a second line, which topics and stores have. */
const TALL = 42;
const FLAT = 32;
const FLAT_WIDTH_MIN = 118;
const TALL_WIDTH_MIN = 138;
const NAME_WIDTH_MAX = 200;
/** A sign to the left of the name, and room around both. */
const BOX_PADDING = 50;
/** Rate and lag: one above the other, or side by side. */
const RATE_LABELS = { RIGHT: { width: 72, height: 32 }, DOWN: { width: 126, height: 18 } } as const;
const SIDE_LABEL_HEIGHT = 16;
const CORNER = 8;

/** What goes on inside a sub-topology has a name alone. */
export function isFlat({ kind }: Box): boolean {
  return kind === 'source' || kind === 'processor' || kind === 'sink';
}

function widthOf(box: Box, measure: Measure): number {
  return Math.max(
    isFlat(box) ? FLAT_WIDTH_MIN : TALL_WIDTH_MIN,
    Math.ceil(measure(labelOf(box, measure))) + BOX_PADDING,
  );
}

/** Its name, so short that it fits. */
export function labelOf({ name }: Box, measure: Measure): string {
  const whole = name === CHOSEN ? 'chosen by record' : name;
  let label = whole;
  for (let characters = 40; measure(label) > NAME_WIDTH_MAX && characters > 4; characters--) {
    label = shortened(whole, characters);
  }
  return label;
}

export function elkGraphOf(
  { groups, boxes, edges }: TopologyModel,
  direction: Direction,
  measure: Measure,
): ElkNode {
  const node = (box: Box): ElkNode => ({
    id: box.id,
    width: widthOf(box, measure),
    height: isFlat(box) ? FLAT : TALL,
  });
  return {
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': direction,
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'elk.edgeRouting': 'ORTHOGONAL',
      'elk.spacing.nodeNode': '26',
      'elk.spacing.edgeNode': '18',
      'elk.spacing.edgeEdge': '12',
      'elk.spacing.edgeLabel': '2',
      'elk.layered.spacing.nodeNodeBetweenLayers': direction === 'DOWN' ? '26' : '34',
      'elk.layered.spacing.edgeNodeBetweenLayers': '12',
      'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
      'elk.layered.mergeEdges': 'false',
      'elk.padding': '[top=12,left=12,bottom=12,right=12]',
    },
    children: [
      ...boxes.filter(({ group }) => group === null).map(node),
      ...groups.map((id) => ({
        id: groupId(id),
        layoutOptions: { 'elk.padding': '[top=42,left=16,bottom=16,right=16]' },
        children: boxes.filter(({ group }) => group === id).map(node),
      })),
    ],
    edges: edges.map((edge) => ({
      id: edge.id,
      sources: [edge.from],
      targets: [edge.to],
      ...labelsOf(edge, direction, measure),
    })),
  };
}

function labelsOf({ id, kind, side }: Edge, direction: Direction, measure: Measure): Pick<ElkEdge, 'labels'> {
  const isRate = kind === 'read' || kind === 'write';
  if (!isRate && side === null) return {};
  const size = isRate
    ? RATE_LABELS[direction]
    : { width: Math.ceil(measure(side ?? '')) + 14, height: SIDE_LABEL_HEIGHT };
  const layoutOptions = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
  // Without a text elkjs places no label.
  return { labels: [{ id: `${id} label`, text: ' ', ...size, layoutOptions }] };
}

/** Absolute positions of what elkjs placed within its containers. */
export function drawingOf(model: TopologyModel, laidOut: ElkNode, measure: Measure): Drawing {
  const places = new Map<string, Rectangle>();
  const origins = new Map<string, Point>();
  const edges: { readonly edge: ElkEdge; readonly inside: string }[] = [];
  const visit = (node: ElkNode, at: Point): void => {
    origins.set(node.id, at);
    for (const edge of node.edges ?? []) edges.push({ edge, inside: edge.container ?? node.id });
    for (const child of node.children ?? []) {
      const x = at.x + (child.x ?? 0);
      const y = at.y + (child.y ?? 0);
      places.set(child.id, { x, y, width: child.width ?? 0, height: child.height ?? 0 });
      visit(child, { x, y });
    }
  };
  visit(laidOut, { x: 0, y: 0 });
  const byId = new Map(model.edges.map((edge) => [edge.id, edge]));
  return {
    direction: laidOut.layoutOptions?.['elk.direction'] === 'DOWN' ? 'DOWN' : 'RIGHT',
    width: laidOut.width ?? 0,
    height: laidOut.height ?? 0,
    groups: model.groups.map((id) => ({ id, ...places.get(groupId(id))! })),
    boxes: model.boxes.map((box) => ({
      box,
      label: labelOf(box, measure),
      ...places.get(box.id)!,
    })),
    edges: edges.flatMap(({ edge, inside }) => {
      const origin = origins.get(inside) ?? { x: 0, y: 0 };
      const known = byId.get(edge.id);
      const section = edge.sections?.[0];
      if (known === undefined || section === undefined) return [];
      const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(
        ({ x, y }) => ({
          x: x + origin.x,
          y: y + origin.y,
        }),
      );
      const label = edge.labels?.[0];
      return [
        {
          edge: known,
          path: roundedPath(points),
          label:
            label === undefined
              ? null
              : {
                  x: (label.x ?? 0) + origin.x,
                  y: (label.y ?? 0) + origin.y,
                  width: label.width ?? 0,
                  height: label.height ?? 0,
                },
        },
      ];
    }),
  };
}

export interface Frame {
  readonly width: number;
  readonly height: number;
}

/** `direction` `null`: the one in which it is drawn larger. */
export async function layOut(
  model: TopologyModel,
  elk: ElkLike,
  direction: Direction | null,
  frame: Frame,
  measure: Measure = estimated,
): Promise<Drawing> {
  const draw = async (wanted: Direction): Promise<Drawing> =>
    drawingOf(model, await elk.layout(elkGraphOf(model, wanted, measure)), measure);
  if (direction !== null) return draw(direction);
  const right = await draw('RIGHT');
  if (fitOf(right, frame) >= 1) return right;
  const down = await draw('DOWN');
  return fitOf(down, frame) > fitOf(right, frame) ? down : right;
}

/** The scale at which all of it is seen. */
export function fitOf({ width, height }: Frame, frame: Frame): number {
  return width === 0 || height === 0 ? 1 : Math.min(frame.width / width, frame.height / height);
}

export function groupTitle(id: number, tasks: number): string {
  return `Sub-topology ${id} · ${count(tasks)} ${tasks === 1 ? 'task' : 'tasks'} here`;
}

function groupId(id: number): string {
  return `group ${id}`;
}

/** Straight lines with round corners. */
export function roundedPath(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${text(first)}`;
  for (let i = 0; i < rest.length; i++) {
    const corner = rest[i]!;
    const next = rest[i + 1];
    if (next === undefined) {
      path += ` L${text(corner)}`;
      break;
    }
    const before = i === 0 ? first : rest[i - 1]!;
    const radius = Math.min(CORNER, distance(before, corner) / 2, distance(corner, next) / 2);
    path += ` L${text(towards(corner, before, radius))} Q${text(corner)} ${text(towards(corner, next, radius))}`;
  }
  return path;
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function towards(from: Point, to: Point, by: number): Point {
  const whole = distance(from, to);
  if (whole === 0) return from;
  return { x: from.x + ((to.x - from.x) * by) / whole, y: from.y + ((to.y - from.y) * by) / whole };
}

function text({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
