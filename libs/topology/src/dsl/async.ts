// Owns how `mapAsync` and `flatMapAsync` become a node with its store.
import { asyncOperator } from '../async/async-operator.ts';
import { asyncPlan, inFlightStoreName } from '../async/async-options.ts';
import type { AsyncPlan, LooseAsyncOptions } from '../async/async-options.ts';
import type { AsyncFunction } from '../async/call-runner.ts';
import type { AnySerde, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { declareResidentRows } from './materializing.ts';
import type { DslFactory, StreamState } from './factory.ts';
import type { KStreamImpl } from './kstream.ts';

export function addAsync(
  dsl: DslFactory,
  state: StreamState,
  fn: AsyncFunction,
  options: LooseAsyncOptions,
  flat: boolean,
): KStreamImpl {
  const { graph } = dsl;
  const method = flat ? 'flatMapAsync' : 'mapAsync';
  const given: Partial<LooseAsyncOptions> | undefined = options;
  const label = typeof given?.name === 'string' ? JSON.stringify(given.name) : '';
  const path = `${state.path}.${method}(${label})`;
  const plan = asyncPlan({ ...given, name: checkedName(graph, given?.name, path) });
  const name = graph.nodeName('KSTREAM-ASYNC-', plan.name, path);
  graph.setFailurePolicy(name, given?.failurePolicy, path);
  graph.checkedFunction('call', fn, path);
  if (given?.retries !== undefined) graph.checkedOptions(given.retries, `${path}.retries`);
  checkPlan(graph, plan, path);
  const keySerde = graph.checkedSerde('key', path, given?.keySerde, state.keySerde);
  const valueSerde = graph.checkedSerde('value', path, given?.valueSerde, state.valueSerde);
  const layout = `calls in flight key=${keySerde.name} value=${valueSerde.name}`;
  declareResidentRows(graph, inFlightStoreName(plan), layout, path, [
    { serde: keySerde, part: 'value', role: 'key' },
    { serde: valueSerde, part: 'value', role: 'value' },
  ]);
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [state.node],
    children: [],
    operator: asyncOperator({ fn, plan, keySerde, valueSerde, flat }),
  });
  return dsl.stream({
    ...state,
    node,
    path,
    keySerde,
    valueSerde: (given?.resultSerde as AnySerde | undefined) ?? null,
  });
}

function checkedName(graph: TopologyGraph, name: unknown, path: string): string {
  if (graph.checkedName('name', name, path, INTERNAL_NAME_LENGTH_MAX)) return name as string;
  return `unnamed-${graph.nodes.length}`;
}

function checkPlan(graph: TopologyGraph, plan: AsyncPlan, path: string): void {
  const positive = (what: string, value: number): void => {
    if (Number.isFinite(value) && value > 0) return;
    graph.addFault(path, `${what} is ${String(value)}.`, 'Give a positive number.');
  };
  const count = (what: string, value: number, least: number): void => {
    if (Number.isSafeInteger(value) && value >= least) return;
    graph.addFault(path, `${what} is ${String(value)}.`, `Give a whole number from ${least} up.`);
  };
  count('concurrency', plan.concurrency, 1);
  count('bufferedRecordsMax', plan.bufferedRecordsMax, 1);
  positive('timeoutMs', plan.timeoutMs);
  if (!['ordered', 'perKey', 'unordered'].includes(plan.order)) {
    graph.addFault(
      path,
      `order is ${JSON.stringify(plan.order)}.`,
      'Use "ordered", "perKey" or "unordered".',
    );
  }
  const { max, backoffMs, backoffMsMax, retryOn } = plan.retries;
  count('retries.max', max, 0);
  for (const [what, ms] of Object.entries({ backoffMs, backoffMsMax })) {
    if (Number.isFinite(ms) && ms >= 0) continue;
    graph.addFault(path, `retries.${what} is ${String(ms)}.`, 'Give milliseconds, 0 or more.');
  }
  graph.checkedFunction('option retries.retryOn', retryOn, path);
  const { onFailure } = plan;
  if (onFailure !== 'fail' && onFailure !== 'skip' && typeof onFailure !== 'function') {
    graph.addFault(path, `onFailure is ${JSON.stringify(onFailure)}.`, 'Use "fail", "skip" or a function.');
  }
}
