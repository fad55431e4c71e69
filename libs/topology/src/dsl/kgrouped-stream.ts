// Owns the grouped stream that users hold: count, reduce and aggregate add their nodes, a repartition first where one is needed.
import { Serdes } from '#libs/serde';
import type { AnySerde, SourceNode } from '../graph.ts';
import { aggregateOperator, countOperator, reduceOperator } from '../operators/aggregate.ts';
import type { AggregateStore, Aggregator, Initializer, Reducer } from '../operators/aggregate.ts';
import type { Operator } from '../operators/operator.ts';
import { withVersions } from '../operators/versioned-aggregate.ts';
import type { ChangeOptions } from '../operators/table.ts';
import type { Named } from '../options.ts';
import { CogroupedKStreamImpl } from './cogrouped.ts';
import type { CogroupMember, MemberOf } from './cogrouped.ts';
import { ConnectedImpl } from './connected.ts';
import type { ConnectedSide } from './connected.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, GroupedState } from './factory.ts';
import type { LooseKeyedProcessFunction } from '../keyed/keyed-process.ts';
import type { Pattern } from '../cep/pattern.ts';
import { addKeyedProcess } from './keyed-process.ts';
import { addMatch } from './matching.ts';
import type { LooseMatchOptions } from './matching.ts';
import type { KStreamImpl } from './kstream.ts';
import type { KTableImpl } from './ktable.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';
import { addRepartition } from './repartitioning.ts';
import type { KGroupedStream, Untyped } from './types.ts';
import { windowGroup } from './windowed-stream.ts';
import type { WindowedImpl } from './windowed-stream.ts';
import type { AnyWindows } from './windowed-stores.ts';

export class KGroupedStreamImpl implements Untyped<KGroupedStream<unknown, unknown>> {
  readonly #dsl: DslFactory;
  readonly #state: GroupedState;
  /** Shared by the aggregations of one named group; a group without a name has one topic per aggregation, named after the store. */
  #repartition: SourceNode | null = null;

  constructor(dsl: DslFactory, state: GroupedState) {
    this.#dsl = dsl;
    this.#state = state;
  }

  count(materialized: LooseMaterialized, named?: Named): KTableImpl {
    return this.#fold(
      'count',
      'KSTREAM-AGGREGATE-',
      materialized,
      named,
      Serdes.safeInteger(),
      countOperator,
    );
  }

  reduce(reducer: Reducer, materialized: LooseMaterialized, named?: Named): KTableImpl {
    const operatorOf = (store: AggregateStore, options: ChangeOptions): Operator =>
      reduceOperator(store, reducer, options);
    const { valueSerde } = this.#state;
    return this.#fold('reduce', 'KSTREAM-REDUCE-', materialized, named, valueSerde, operatorOf, { reducer });
  }

  aggregate(
    initializer: Initializer,
    aggregator: Aggregator,
    materialized: LooseMaterialized,
    named?: Named,
  ): KTableImpl {
    const operatorOf = (store: AggregateStore, options: ChangeOptions): Operator =>
      aggregateOperator(store, initializer, aggregator, options);
    return this.#fold('aggregate', 'KSTREAM-AGGREGATE-', materialized, named, null, operatorOf, {
      initializer,
      aggregator,
    });
  }

  match(pattern: Pattern<unknown>, options: LooseMatchOptions): KStreamImpl {
    return addMatch(this.#dsl, this.#state, pattern, options, (name, key, path) =>
      this.#parent(name, key, path),
    );
  }

  process(fn: LooseKeyedProcessFunction & { readonly valueSerde?: object }): KStreamImpl {
    return addKeyedProcess(this.#dsl, this.#state, fn, (name, key, path) => this.#parent(name, key, path));
  }

  connect(other: unknown): ConnectedImpl {
    const isOurs = other instanceof KGroupedStreamImpl && other.#dsl === this.#dsl;
    return new ConnectedImpl(this.#asSide(), isOurs ? other.#asSide() : null);
  }

  windowedBy(windows: AnyWindows): WindowedImpl {
    return windowGroup(this.#dsl, this.#state, windows, (storeName, key, path) =>
      this.#parent(storeName, key, path),
    );
  }

  cogroup(aggregator: Aggregator): CogroupedKStreamImpl {
    this.#dsl.graph.checkedFunction('aggregator', aggregator, `${this.#state.path}.cogroup()`);
    const memberOf: MemberOf = (group) => (group instanceof KGroupedStreamImpl ? group.#asMember() : null);
    return new CogroupedKStreamImpl([{ ...this.#asMember(), aggregator }], memberOf);
  }

  #asSide(): ConnectedSide {
    const parentOf: ConnectedSide['parentOf'] = (name, key, at) => this.#parent(name, key, at);
    return { dsl: this.#dsl, state: this.#state, parentOf };
  }

  #asMember(): Omit<CogroupMember, 'aggregator'> {
    const { path, keySerde } = this.#state;
    const parentOf: CogroupMember['parentOf'] = (storeName, key, at) => this.#parent(storeName, key, at);
    return { dsl: this.#dsl, path, keySerde, parentOf };
  }

  #fold(
    method: string,
    prefix: string,
    given: LooseMaterialized | undefined,
    named: Named | undefined,
    defaultValueSerde: object | null,
    operatorOf: (store: AggregateStore, options: ChangeOptions) => Operator,
    functions: Readonly<Record<string, unknown>> = {},
  ): KTableImpl {
    const { graph } = this.#dsl;
    const materialized = given ?? {};
    const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
    const path = `${this.#state.path}.${method}(${label})`;
    for (const [what, fn] of Object.entries(functions)) graph.checkedFunction(what, fn, path);

    const name = graph.nodeName(prefix, named, path);
    const key = graph.checkedSerde('key', path, materialized.keySerde, this.#state.keySerde);
    const value = graph.checkedSerde('value', path, materialized.valueSerde, defaultValueSerde);
    const { parent, sources } = this.#parent(materialized.name ?? null, key, path);
    const store = declareStore(graph, path, materialized, { key, value }, true);
    const options: ChangeOptions = { sendOldValues: false };
    const node = graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [parent],
      children: [],
      operator: withVersions(operatorOf(store, options), store),
    });
    return this.#dsl.table({
      node,
      path,
      keySerde: key,
      valueSerde: value,
      sources,
      view: viewOfStore(store),
      isVersioned: store.versioned !== undefined,
      enableSendingOldValues: sendOldValuesUpwards(options, null),
    });
  }

  #parent(
    storeName: string | null,
    key: AnySerde,
    path: string,
  ): { parent: GroupedState['node']; sources: readonly SourceNode[] } {
    const { node, sources, repartitionRequired, name } = this.#state;
    if (!repartitionRequired) return { parent: node, sources };
    const { graph } = this.#dsl;
    if (this.#repartition !== null && name !== null) {
      graph.skipNames(3);
      return { parent: this.#repartition, sources: [this.#repartition] };
    }
    const keySerde = graph.checkedSerde('key', this.#state.path, this.#state.keySerde, key);
    const valueSerde = graph.checkedSerde('value', this.#state.path, this.#state.valueSerde);
    this.#repartition = addRepartition(graph, {
      parent: node,
      path,
      name: name ?? storeName,
      keySerde,
      valueSerde,
      partitionCount: null,
      partitioner: null,
      inserted: true,
      pinned: name !== null,
      remedy: 'Name it: Grouped.as("…"), or name the store.',
    });
    return { parent: this.#repartition, sources: [this.#repartition] };
  }
}
