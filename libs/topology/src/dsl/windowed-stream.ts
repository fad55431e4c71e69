// Owns the windowed streams that users hold: count, reduce and aggregate add their nodes, a repartition first where one is needed.
import { Serdes } from '#libs/serde';
import type { AnySerde, GraphNode, SourceNode } from '../graph.ts';
import type { Aggregator, Initializer, Reducer } from '../operators/aggregate.ts';
import { passThroughOperator } from '../operators/stateless.ts';
import type { ChangeOptions } from '../operators/table.ts';
import { LATE_RECORDS } from '../operators/window-fold.ts';
import type { WindowFold } from '../operators/window-fold.ts';
import { windowView } from '../operators/window-view.ts';
import { EmitStrategy, SessionWindows, TimeWindows } from '../options/windows.ts';
import type { Named } from '../options.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, GroupedState } from './factory.ts';
import type { KStreamImpl } from './kstream.ts';
import type { KTableImpl } from './ktable.ts';
import type { LooseMaterialized } from './materializing.ts';
import { checkedWindows, declareWindowStore, windowedKeySerde, windowedOperator } from './windowed-stores.ts';
import type { AnyWindows } from './windowed-stores.ts';
import type { Untyped } from './types.ts';
import type { SessionWindowedKStream, TimeWindowedKStream } from './windowed-types.ts';

/** Adds what stands before an aggregation of the group: nothing, or the nodes of a repartition. */
export type GroupParent = (
  storeName: string | null,
  key: AnySerde,
  path: string,
) => { readonly parent: GraphNode; readonly sources: readonly SourceNode[] };

export type Merger = (key: unknown, one: unknown, other: unknown) => unknown;

interface Folding {
  readonly method: string;
  readonly prefix: string;
  readonly materialized: LooseMaterialized | undefined;
  readonly named: Named | undefined;
  readonly valueSerde: object | null;
  readonly fold: WindowFold;
  readonly functions: Readonly<Record<string, unknown>>;
}

const countFold: WindowFold = {
  apply: (_key, _value, count) => (count === undefined ? 1 : (count as number) + 1),
  merge: (_key, one, other) => ((one as number | undefined) ?? 0) + (other as number),
  runsUserCode: false,
};

const reduceFold = (reducer: Reducer): WindowFold => ({
  apply: (_key, value, aggregate, metadata) =>
    aggregate === undefined || aggregate === null ? value : reducer(aggregate, value, metadata),
  merge: (_key, one, other, metadata) =>
    one === undefined || one === null ? other : reducer(one, other, metadata),
  runsUserCode: true,
});

export const aggregateFold = (
  initializer: Initializer,
  aggregator: Aggregator,
  merger?: Merger,
): WindowFold => ({
  apply: (key, value, aggregate, metadata) =>
    aggregator(key, value, aggregate === undefined ? initializer() : aggregate, metadata),
  ...(merger === undefined
    ? {}
    : { merge: (key, one, other) => merger(key, one === undefined ? initializer() : one, other) }),
  runsUserCode: true,
});

abstract class WindowedStreamImpl {
  protected readonly dsl: DslFactory;
  protected readonly state: GroupedState;
  protected readonly windows: AnyWindows;
  protected readonly parentOf: GroupParent;
  protected emit: EmitStrategy = EmitStrategy.onWindowUpdate();
  /** The aggregation added last. */
  #aggregation: { readonly node: GraphNode; readonly sources: readonly SourceNode[] } | null = null;

  constructor(dsl: DslFactory, state: GroupedState, windows: AnyWindows, parentOf: GroupParent) {
    this.dsl = dsl;
    this.state = state;
    this.windows = windows;
    this.parentOf = parentOf;
  }

  count(materialized: LooseMaterialized, named?: Named): KTableImpl {
    return this.fold({
      method: 'count',
      prefix: 'KSTREAM-AGGREGATE-',
      materialized,
      named,
      valueSerde: Serdes.safeInteger(),
      fold: countFold,
      functions: {},
    });
  }

  reduce(reducer: Reducer, materialized: LooseMaterialized, named?: Named): KTableImpl {
    return this.fold({
      method: 'reduce',
      prefix: 'KSTREAM-REDUCE-',
      materialized,
      named,
      valueSerde: this.state.valueSerde,
      fold: reduceFold(reducer),
      functions: { reducer },
    });
  }

  lateRecords(): KStreamImpl {
    const { graph } = this.dsl;
    const path = `${this.state.path}.lateRecords()`;
    if (this.#aggregation === null) {
      graph.addFault(
        path,
        'there is no aggregation yet whose late records these could be.',
        'Call lateRecords() after count, reduce or aggregate.',
      );
      return this.dsl.stream({ ...this.state, path, repartitionRequired: false });
    }
    const { node, sources } = this.#aggregation;
    const late = graph.addNode({
      kind: 'processor',
      name: `${node.name}-late-records`,
      path,
      parents: [node],
      children: [],
      operator: passThroughOperator,
      side: LATE_RECORDS,
    });
    const { keySerde, valueSerde } = this.state;
    return this.dsl.stream({ node: late, path, keySerde, valueSerde, sources, repartitionRequired: false });
  }

  protected withEmitStrategy(strategy: EmitStrategy): void {
    const { graph } = this.dsl;
    const path = `${this.state.path}.emitStrategy()`;
    const kind = (strategy as EmitStrategy | undefined)?.kind;
    if (kind !== 'onWindowUpdate' && kind !== 'onWindowClose') {
      graph.addFault(
        path,
        'it is no emit strategy.',
        'Use EmitStrategy.onWindowUpdate() or onWindowClose().',
      );
      return;
    }
    if (kind === 'onWindowClose' && this.windows.kind === 'unlimited') {
      graph.addFault(path, 'an unlimited window never closes.', 'Use EmitStrategy.onWindowUpdate().');
      return;
    }
    this.emit = strategy;
  }

  protected fold(folding: Folding): KTableImpl {
    const { graph } = this.dsl;
    const { windows, state } = this;
    const materialized = folding.materialized ?? {};
    const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
    const path = `${state.path}.${folding.method}(${label})`;
    for (const [what, fn] of Object.entries(folding.functions)) graph.checkedFunction(what, fn, path);

    // A function has a name, so that TypeScript takes it for the options of a store.
    if (typeof folding.materialized === 'function') {
      graph.addFault(
        path,
        'a function stands where the store is described.',
        'Only sessions have a merger: aggregate(initializer, aggregator, Materialized.as("…")).',
      );
    }

    const name = graph.nodeName(folding.prefix, folding.named, path);
    const key = graph.checkedSerde('key', path, materialized.keySerde, state.keySerde);
    const value = graph.checkedSerde('value', path, materialized.valueSerde, folding.valueSerde);
    const { parent, sources } = this.parentOf(materialized.name ?? null, key, path);
    const store = declareWindowStore(graph, path, materialized, {
      windows,
      emit: this.emit,
      key,
      value,
      clock: name,
    });
    const changes: ChangeOptions = { sendOldValues: false };
    const node = graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [parent],
      children: [],
      operator: windowedOperator(windows, this.emit, { store, fold: folding.fold, changes }),
    });
    this.#aggregation = { node, sources };
    const keySerde = windowedKeySerde(windows, key);
    return this.dsl.table({
      node,
      path,
      keySerde,
      valueSerde: value,
      sources,
      view: windowView(windows.kind, store, keySerde),
      enableSendingOldValues: sendOldValuesUpwards(changes, null),
    });
  }
}

export class TimeWindowedKStreamImpl
  extends WindowedStreamImpl
  implements Untyped<TimeWindowedKStream<unknown, unknown>>
{
  aggregate(
    initializer: Initializer,
    aggregator: Aggregator,
    materialized: LooseMaterialized,
    named?: Named,
  ): KTableImpl {
    return this.fold({
      method: 'aggregate',
      prefix: 'KSTREAM-AGGREGATE-',
      materialized,
      named,
      valueSerde: null,
      fold: aggregateFold(initializer, aggregator),
      functions: { initializer, aggregator },
    });
  }

  emitStrategy(strategy: EmitStrategy): this {
    this.withEmitStrategy(strategy);
    return this;
  }
}

export class SessionWindowedKStreamImpl
  extends WindowedStreamImpl
  implements Untyped<SessionWindowedKStream<unknown, unknown>>
{
  aggregate(
    initializer: Initializer,
    aggregator: Aggregator,
    merger: Merger,
    materialized: LooseMaterialized,
    named?: Named,
  ): KTableImpl {
    return this.fold({
      method: 'aggregate',
      prefix: 'KSTREAM-AGGREGATE-',
      materialized,
      named,
      valueSerde: null,
      fold: aggregateFold(initializer, aggregator, merger),
      functions: { initializer, aggregator, merger },
    });
  }

  emitStrategy(strategy: EmitStrategy): this {
    this.withEmitStrategy(strategy);
    return this;
  }
}

export type WindowedImpl = TimeWindowedKStreamImpl | SessionWindowedKStreamImpl;

/** A group cut into windows. Windows that cannot be are a fault, and become some that can. */
export function windowGroup(
  dsl: DslFactory,
  group: GroupedState,
  windows: AnyWindows,
  parentOf: GroupParent,
): WindowedImpl {
  const path = `${group.path}.windowedBy()`;
  const isGood = checkedWindows(dsl.graph, path, windows);
  const state = { ...group, path };
  if ((windows as Partial<AnyWindows> | undefined)?.kind === 'session') {
    const used = isGood ? windows : SessionWindows.ofInactivityGapWithNoGrace(1);
    return new SessionWindowedKStreamImpl(dsl, state, used, parentOf);
  }
  const used = isGood ? windows : TimeWindows.ofSizeWithNoGrace(1);
  return new TimeWindowedKStreamImpl(dsl, state, used, parentOf);
}
