// Owns the cogrouped stream that users hold: one aggregation for each stream, over one store, merged into one table.
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import { aggregateOperator } from '../operators/aggregate.ts';
import type { Aggregator, Initializer } from '../operators/aggregate.ts';
import type { Operator } from '../operators/operator.ts';
import { withStoreTime } from '../operators/store-time.ts';
import { passThroughTableOperator } from '../operators/table.ts';
import type { ChangeOptions } from '../operators/table.ts';
import type { WindowFold, WindowOperator } from '../operators/window-fold.ts';
import { EmitStrategy, SessionWindows, TimeWindows } from '../options/windows.ts';
import type { Named } from '../options.ts';
import type {
  CogroupedKStream,
  SessionWindowedCogroupedKStream,
  TimeWindowedCogroupedKStream,
} from './cogrouped-types.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory } from './factory.ts';
import type { KTableImpl } from './ktable.ts';
import { declareStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';
import type { Untyped } from './types.ts';
import { checkedWindows, declareWindowStore, windowedKeySerde, windowedOperator } from './windowed-stores.ts';
import type { AnyWindows } from './windowed-stores.ts';
import { aggregateFold } from './windowed-stream.ts';
import type { GroupParent, Merger } from './windowed-stream.ts';

/** One stream of a cogroup. */
export interface CogroupMember {
  readonly dsl: DslFactory;
  readonly path: string;
  readonly keySerde: AnySerde | null;
  readonly parentOf: GroupParent;
  readonly aggregator: Aggregator;
}

/** What a group says of itself when it joins a cogroup. */
export type MemberOf = (group: unknown) => Omit<CogroupMember, 'aggregator'> | null;

/** What makes the operators of the members, once the store is declared. */
interface Folding {
  readonly view: { readonly store: string; readonly keySerde: AnySerde };
  readonly valueSerde: AnySerde;
  readonly operatorOf: (aggregator: Aggregator, changes: ChangeOptions) => Operator;
}

type Declare = (
  graph: TopologyGraph,
  path: string,
  materialized: LooseMaterialized,
  key: AnySerde,
) => Folding;

export class CogroupedKStreamImpl implements Untyped<CogroupedKStream<unknown, unknown>> {
  readonly #members: readonly CogroupMember[];
  readonly #memberOf: MemberOf;

  constructor(members: readonly CogroupMember[], memberOf: MemberOf) {
    this.#members = members;
    this.#memberOf = memberOf;
  }

  cogroup(group: unknown, aggregator: Aggregator): CogroupedKStreamImpl {
    const first = this.#members[0]!;
    const path = `${first.path}.cogroup()`;
    const { graph } = first.dsl;
    graph.checkedFunction('aggregator', aggregator, path);
    const member = this.#memberOf(group);
    if (member === null || member.dsl !== first.dsl) {
      graph.addFault(
        path,
        'the group is of another topology, or no group.',
        'Build both with one StreamsBuilder.',
      );
      return this;
    }
    return new CogroupedKStreamImpl([...this.#members, { ...member, aggregator }], this.#memberOf);
  }

  aggregate(initializer: Initializer, materialized: LooseMaterialized, named?: Named): KTableImpl {
    const functions = { initializer };
    return addCogroup(this.#members, functions, materialized, named, (graph, path, given, key) => {
      const value = graph.checkedSerde('value', path, given.valueSerde);
      const store = declareStore(graph, path, given, { key, value });
      return {
        view: { store: store.name, keySerde: key },
        valueSerde: value,
        operatorOf: (aggregator, changes) => aggregateOperator(store, initializer, aggregator, changes),
      };
    });
  }

  windowedBy(windows: AnyWindows): TimeWindowedCogroupedImpl | SessionWindowedCogroupedImpl {
    const first = this.#members[0]!;
    const isGood = checkedWindows(first.dsl.graph, `${first.path}.cogroup().windowedBy()`, windows);
    if ((windows as Partial<AnyWindows> | undefined)?.kind === 'session') {
      const used = isGood ? windows : SessionWindows.ofInactivityGapWithNoGrace(1);
      return new SessionWindowedCogroupedImpl(this.#members, used);
    }
    return new TimeWindowedCogroupedImpl(this.#members, isGood ? windows : TimeWindows.ofSizeWithNoGrace(1));
  }
}

export class TimeWindowedCogroupedImpl implements Untyped<TimeWindowedCogroupedKStream<unknown, unknown>> {
  readonly #members: readonly CogroupMember[];
  readonly #windows: AnyWindows;

  constructor(members: readonly CogroupMember[], windows: AnyWindows) {
    this.#members = members;
    this.#windows = windows;
  }

  aggregate(initializer: Initializer, materialized: LooseMaterialized, named?: Named): KTableImpl {
    const foldOf = (aggregator: Aggregator): WindowFold => aggregateFold(initializer, aggregator);
    const declare = inWindows(this.#windows, foldOf);
    return addCogroup(this.#members, { initializer }, materialized, named, declare);
  }
}

export class SessionWindowedCogroupedImpl implements Untyped<
  SessionWindowedCogroupedKStream<unknown, unknown>
> {
  readonly #members: readonly CogroupMember[];
  readonly #windows: AnyWindows;

  constructor(members: readonly CogroupMember[], windows: AnyWindows) {
    this.#members = members;
    this.#windows = windows;
  }

  aggregate(
    initializer: Initializer,
    merger: Merger,
    materialized: LooseMaterialized,
    named?: Named,
  ): KTableImpl {
    const foldOf = (aggregator: Aggregator): WindowFold => aggregateFold(initializer, aggregator, merger);
    const declare = inWindows(this.#windows, foldOf);
    return addCogroup(this.#members, { initializer, merger }, materialized, named, declare);
  }
}

function inWindows(windows: AnyWindows, foldOf: (aggregator: Aggregator) => WindowFold): Declare {
  return (graph, path, materialized, key) => {
    const value = graph.checkedSerde('value', path, materialized.valueSerde);
    const emit = EmitStrategy.onWindowUpdate();
    const request = { windows, emit, key, value, clock: null };
    const store = declareWindowStore(graph, path, materialized, request);
    return {
      view: { store: store.name, keySerde: windowedKeySerde(windows, key) },
      valueSerde: value,
      operatorOf: (aggregator, changes) => {
        const operator = windowedOperator(windows, emit, { store, fold: foldOf(aggregator), changes });
        const timed: WindowOperator = {
          ...operator,
          fold: (site, children) =>
            operator.fold(withStoreTime(site, store.name, store.retentionMs), children),
        };
        return timed;
      },
    };
  };
}

function addCogroup(
  members: readonly CogroupMember[],
  functions: Readonly<Record<string, unknown>>,
  given: LooseMaterialized | undefined,
  named: Named | undefined,
  declare: Declare,
): KTableImpl {
  const first = members[0]!;
  const { dsl } = first;
  const { graph } = dsl;
  const materialized = given ?? {};
  const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
  const path = `${first.path}.cogroup().aggregate(${label})`;
  for (const [what, fn] of Object.entries(functions)) graph.checkedFunction(what, fn, path);

  const suffixed = (suffix: string): Named | undefined =>
    named === undefined ? undefined : `${typeof named === 'string' ? named : named.name}${suffix}`;
  const keySerdes = members.map(({ keySerde }) => keySerde);
  const key = graph.checkedSerde('key', path, materialized.keySerde, ...keySerdes);
  const parents = members.map(({ parentOf }) => parentOf(materialized.name ?? null, key, path));
  const { view, valueSerde, operatorOf } = declare(graph, path, materialized, key);
  const changes: ChangeOptions = { sendOldValues: false };
  const nodes = members.map(({ aggregator }, index): GraphNode => {
    const name = graph.nodeName('COGROUPKSTREAM-AGGREGATE-', suffixed(`-cogroup-agg-${index}`), path);
    if (typeof named === 'object') graph.setFailurePolicy(name, named.failurePolicy, path);
    return graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [parents[index]!.parent],
      children: [],
      operator: operatorOf(aggregator, changes),
    });
  });
  const name = graph.nodeName('COGROUPKSTREAM-MERGE-', suffixed('-cogroup-merge'), path);
  const sources: readonly SourceNode[] = [...new Set(parents.flatMap((parent) => parent.sources))];
  if (sources.length > 1) graph.coPartitions.push({ operator: name, sources });
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: nodes,
    children: [],
    operator: passThroughTableOperator,
  });
  return dsl.table({
    node,
    path,
    keySerde: view.keySerde,
    valueSerde,
    sources,
    view: { ...view, steps: [] },
    enableSendingOldValues: sendOldValuesUpwards(changes, null),
  });
}
