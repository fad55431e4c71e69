// Owns how a suppression is drawn: its buffer, the grace of the windows above it, its node.
import type { GraphNode, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { heldChangesSerde } from '../operators/suppress-buffer.ts';
import { suppressedView, suppressOperator } from '../operators/suppress.ts';
import type { SuppressSpec } from '../operators/suppress.ts';
import type {
  BufferConfig,
  SuppressedUntilTimeLimit,
  SuppressedUntilWindowCloses,
} from '../options/suppressed.ts';
import type { DslFactory, TableState } from './factory.ts';
import type { KTableImpl } from './ktable.ts';

type Suppressed = SuppressedUntilWindowCloses<never> | SuppressedUntilTimeLimit<never>;

const STORE_SUFFIX = '-store';

export function addSuppression(dsl: DslFactory, table: TableState, suppressed: Suppressed): KTableImpl {
  const { graph } = dsl;
  const given = (suppressed ?? {}) as Partial<Suppressed>;
  const label = typeof given.name === 'string' ? JSON.stringify(given.name) : '';
  const path = `${table.path}.suppress(${label})`;
  if (table.isVersioned === true) {
    graph.addFault(
      path,
      'a versioned table cannot be suppressed: changes of its past would be lost.',
      'Suppress a table that is not versioned.',
    );
  }
  const name = checkedName(graph, path, given.name);
  const waitMs = waitOf(graph, path, given, table.node);
  const buffer = checkedBuffer(graph, path, given);
  const spec: SuppressSpec = {
    store: name + STORE_SUFFIX,
    keySerde: table.keySerde,
    valueSerde: graph.checkedSerde('value', path, given.valueSerde, table.valueSerde),
    waitMs,
    untilWindowCloses: given.kind === 'untilWindowCloses',
    buffer,
  };
  graph.addStore(
    {
      kind: 'ordered',
      name: spec.store,
      keySerde: table.keySerde,
      valueSerde: heldChangesSerde(spec.valueSerde),
      logged: buffer.loggingEnabled,
      changelogConfig: { ...buffer.changelogConfig },
      persistence: 'default',
      layout: spec.untilWindowCloses ? 'suppress(window)' : 'suppress(time)',
      resident: true,
      expiry: null,
    },
    path,
  );
  // What those downstream saw last is the old value of the first change that is held back.
  table.enableSendingOldValues();
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [table.node],
    children: [],
    operator: suppressOperator(spec),
  });
  return dsl.table({
    node,
    path,
    keySerde: table.keySerde,
    valueSerde: spec.valueSerde,
    sources: table.sources,
    view: suppressedView(spec, table.view),
    enableSendingOldValues: () => undefined,
  });
}

/** The counter of generated names does not advance for a suppression that has a name, as in Kafka Streams. */
function checkedName(graph: TopologyGraph, path: string, name: unknown): string {
  const remedy = 'Name it: Suppressed.untilWindowCloses(…).withName("…"), and never change it.';
  if (name === undefined || name === null) {
    graph.addFault(path, 'the suppression has no name.', remedy);
    return graph.nodeName('KTABLE-SUPPRESS-', undefined, path);
  }
  const lengthMax = INTERNAL_NAME_LENGTH_MAX - STORE_SUFFIX.length;
  if (graph.checkedName('name', name, path, lengthMax)) return name as string;
  return graph.nodeName('KTABLE-SUPPRESS-', undefined, path);
}

function waitOf(
  graph: TopologyGraph,
  path: string,
  suppressed: Partial<Suppressed>,
  table: GraphNode,
): number {
  if (suppressed.kind === 'untilWindowCloses') {
    const graceMs = windowGraceAbove(table);
    if (graceMs !== null) return graceMs;
    graph.addFault(
      path,
      'the table is not of windows that close.',
      'Aggregate in time, sliding, session or cumulative windows, or use Suppressed.untilTimeLimit(…).',
    );
    return 0;
  }
  if (suppressed.kind !== 'untilTimeLimit') {
    graph.addFault(
      path,
      'it is no suppression.',
      'Use Suppressed.untilWindowCloses(…) or untilTimeLimit(…).',
    );
    return 0;
  }
  const { timeToWaitMs } = suppressed;
  if (!Number.isSafeInteger(timeToWaitMs) || timeToWaitMs! < 0) {
    graph.addFault(
      path,
      `the time to wait is ${String(timeToWaitMs)}, not a whole number from 0 up.`,
      'Give it in milliseconds.',
    );
  }
  return timeToWaitMs ?? 0;
}

/** How long after its end a window of the table closes; the longest where several meet; `null`: there are no windows. */
function windowGraceAbove(node: GraphNode): number | null {
  if (node.kind !== 'processor') return null;
  if (node.operator.windowGraceMs !== undefined) return node.operator.windowGraceMs;
  let longest: number | null = null;
  for (const parent of node.parents) {
    const graceMs = windowGraceAbove(parent);
    if (graceMs !== null && (longest === null || graceMs > longest)) longest = graceMs;
  }
  return longest;
}

const NO_BUFFER: Pick<
  BufferConfig,
  'maxRecords' | 'maxBytes' | 'whenFull' | 'loggingEnabled' | 'changelogConfig'
> = {
  maxRecords: Infinity,
  maxBytes: Infinity,
  whenFull: 'shutDown',
  loggingEnabled: true,
  changelogConfig: {},
};

function checkedBuffer(
  graph: TopologyGraph,
  path: string,
  suppressed: Partial<Suppressed>,
): typeof NO_BUFFER {
  const buffer = suppressed.bufferConfig;
  if (buffer === undefined || buffer === null) {
    graph.addFault(
      path,
      'the buffer is missing.',
      'Use BufferConfig.unbounded(), maxRecords(…) or maxBytes(…).',
    );
    return NO_BUFFER;
  }
  const limits = [buffer.maxRecords, buffer.maxBytes];
  if (limits.some((limit) => limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0))) {
    graph.addFault(
      path,
      `the limits of the buffer are ${limits.join(' records and ')} bytes.`,
      'Use whole numbers from 0 up.',
    );
  }
  if (suppressed.kind === 'untilWindowCloses' && buffer.whenFull === 'emit') {
    graph.addFault(
      path,
      'a buffer that emits early cannot hold results until they are final.',
      'Use BufferConfig.unbounded() or shutDownWhenFull().',
    );
  }
  return buffer;
}
