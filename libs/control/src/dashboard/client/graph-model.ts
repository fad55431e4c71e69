// Owns what is drawn of a topology: its nodes with the topics and stores between them, as boxes and edges with keys of their own. Pure, and
// without any position: those are the layout's.
import type {
  DescribedNode,
  DescribedTopology,
  DropCount,
  RatedInput,
  RatedOutput,
  Snapshot,
} from './wire.ts';
import { levelOf } from './health.ts';
import type { Level } from './health.ts';

export type BoxKind = 'topic' | 'repartition' | 'source' | 'processor' | 'store' | 'globalStore' | 'sink';

export interface Box {
  readonly id: string;
  readonly kind: BoxKind;
  readonly name: string;
  /** Id of the sub-topology it is in; `null`: between them. */
  readonly group: number | null;
}

export interface Edge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** `read` and `write` carry figures; what goes on inside a sub-topology is not counted. */
  readonly kind: 'read' | 'flow' | 'write' | 'state';
  /** Of a side output. */
  readonly side: string | null;
  /** `state`: the store is of another sub-topology's making, or global. */
  readonly topic: string | null;
  readonly source: string | null;
  readonly group: number;
}

export interface TopologyModel {
  readonly groups: readonly number[];
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
}

/** A sink whose topic is chosen record by record. */
export const CHOSEN = '(chosen by record)';

export function topicId(topic: string): string {
  return `topic ${topic}`;
}

export function nodeId(group: number, name: string): string {
  return `node ${group} ${name}`;
}

export function storeId(group: number, name: string): string {
  return `store ${group} ${name}`;
}

export function modelOf({ subTopologies, globalStores }: DescribedTopology): TopologyModel {
  const boxes = new Map<string, Box>();
  const edges: Edge[] = [];
  const add = (box: Box): string => {
    if (!boxes.has(box.id)) boxes.set(box.id, box);
    return box.id;
  };
  const topicBox = (name: string, internal: boolean): string =>
    add({ id: topicId(name), kind: internal ? 'repartition' : 'topic', name, group: null });
  const connect = (edge: Omit<Edge, 'id'>): void => {
    edges.push({
      ...edge,
      id: `${edge.kind} ${edge.from} → ${edge.to}${edge.side === null ? '' : ` ${edge.side}`}`,
    });
  };
  const globals = new Set(globalStores.map(({ name }) => name));

  for (const { id: group, nodes, stores } of subTopologies) {
    for (const node of nodes) add({ id: nodeId(group, node.name), kind: node.kind, name: node.name, group });
    for (const { name } of stores) {
      if (!globals.has(name)) add({ id: storeId(group, name), kind: 'store', name, group });
    }
    for (const node of nodes) {
      const id = nodeId(group, node.name);
      const between = { side: null, topic: null, source: null, group };
      for (const topic of node.topics) {
        const from = topicBox(topic, node.internal);
        connect({ ...between, from, to: id, kind: 'read', topic, source: node.name });
      }
      if (node.kind === 'sink') {
        const topic = node.topic ?? CHOSEN;
        connect({ ...between, from: id, to: topicBox(topic, node.internal), kind: 'write', topic });
      }
      for (const store of storesOf(node)) {
        const isGlobal = globals.has(store);
        const to = isGlobal
          ? add({ id: `global ${store}`, kind: 'globalStore', name: store, group: null })
          : storeId(group, store);
        if (boxes.has(to)) connect({ ...between, from: id, to, kind: 'state' });
      }
      for (const { name, side } of node.children) {
        connect({ ...between, from: id, to: nodeId(group, name), kind: 'flow', side });
      }
    }
  }
  for (const { name } of globalStores) {
    add({ id: `global ${name}`, kind: 'globalStore', name, group: null });
  }
  return { groups: subTopologies.map(({ id }) => id), boxes: [...boxes.values()], edges };
}

function storesOf({ stores, globalStores }: DescribedNode): string[] {
  return [...new Set([...stores, ...globalStores])];
}

/** What an edge carries now; of those whose figures are known. */
export interface EdgeFigures {
  readonly recordsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
  readonly records: number;
  /** Of a read: over all partitions that are here. */
  readonly lag: number | null;
  readonly lagMs: number | null;
  readonly level: Level;
}

type Figures = Pick<Snapshot, 'inputs' | 'outputs' | 'tasks' | 'paused'>;

export function edgeFigures(edge: Edge, edges: readonly Edge[], figures: Figures): EdgeFigures | null {
  if (edge.kind === 'read') return readFigures(edge, figures);
  if (edge.kind !== 'write') return null;
  // What goes out is counted by topic: an edge has a figure of its own only where no other sink writes there.
  const writers = edges.filter(({ kind, topic }) => kind === 'write' && topic === edge.topic);
  const output = writers.length === 1 ? outputOf(figures.outputs, edge.topic) : null;
  return output === null ? null : outputFigures(output);
}

function readFigures({ group, source, topic }: Edge, { inputs, tasks }: Figures): EdgeFigures {
  const input = inputs.find(
    (flow) => flow.subTopology === group && flow.source === source && flow.topic === topic,
  );
  let lag: number | null = null;
  let lagMs: number | null = null;
  for (const task of tasks) {
    if (task.subTopology !== group) continue;
    for (const partition of task.partitions) {
      if (partition.source !== source || partition.topic !== topic) continue;
      if (partition.lag !== null) lag = (lag ?? 0) + partition.lag;
      if (partition.lagMs !== null) lagMs = Math.max(lagMs ?? 0, partition.lagMs);
    }
  }
  const load = { recordsPerSecond: input?.recordsPerSecond ?? null, lag, lagMs };
  return {
    ...load,
    bytesPerSecond: input?.bytesPerSecond ?? null,
    records: input?.records ?? 0,
    level: levelOf(load),
  };
}

function outputFigures({ recordsPerSecond, bytesPerSecond, records }: RatedOutput): EdgeFigures {
  const level = (recordsPerSecond ?? 0) > 0 ? 'ok' : 'idle';
  return { recordsPerSecond, bytesPerSecond, records, lag: null, lagMs: null, level };
}

export function outputOf(outputs: readonly RatedOutput[], topic: string | null): RatedOutput | null {
  return outputs.find((output) => output.topic === topic) ?? null;
}

/** Topics that are written to and are not in the drawing: dead letters, retries, and those that records choose. */
export function writtenBeside(model: TopologyModel, outputs: readonly RatedOutput[]): RatedOutput[] {
  const drawn = new Set(model.boxes.map(({ id }) => id));
  return outputs.filter(
    ({ topic, kind, records }) => kind !== 'changelog' && records > 0 && !drawn.has(topicId(topic)),
  );
}

/** Topics that are read and are not in the drawing: those of retries. */
export function readBeside(model: TopologyModel, inputs: readonly RatedInput[]): RatedInput[] {
  const drawn = new Set(model.boxes.map(({ id }) => id));
  return inputs.filter(({ topic }) => !drawn.has(topicId(topic)));
}

/** Records that a node left out. `where` is a task, and the node behind a space. */
export function dropsOf(drops: readonly DropCount[], group: number, name: string): DropCount[] {
  return drops.filter(({ where }) => {
    const [task = '', ...node] = where.split(' ');
    return task.startsWith(`${group}_`) && node.join(' ') === name;
  });
}
