// Owns the KTable that users hold: filter and mapValues, kept in a store only on demand, and the way back to a stream.
import type { AnySerde, GraphNode } from '../graph.ts';
import type { AggregateStore as TableStore } from '../operators/aggregate.ts';
import type { Operator } from '../operators/operator.ts';
import type { RecordMapper, RecordPredicate, ValueMapper } from '../operators/stateless.ts';
import type { ForeignKeyExtractor } from '../operators/foreign-key-join.ts';
import type { TableJoiner, TableView, ViewStep } from '../operators/table-view.ts';
import { tableFilterOperator, tableMapValuesOperator, toStreamOperator } from '../operators/table.ts';
import type { Grouped, Named } from '../options.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, TableState } from './factory.ts';
import { addForeignKeyJoin } from './foreign-key-join.ts';
import type { LooseTableJoined } from './foreign-key-join.ts';
import { groupTable } from './grouped-table.ts';
import type { KGroupedTableImpl } from './grouped-table.ts';
import type { KStreamImpl } from './kstream.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';
import { addTableTableJoin } from './table-table-join.ts';
import { addSuppression } from './suppressing.ts';
import type { LooseStores } from './processing.ts';
import { addTransformValues } from './transforming.ts';
import type { KTable, Untyped } from './types.ts';

/** By key: `(joiner, materialized, named)`; by foreign key: `(extractor, joiner, joined, materialized)`. */
type TableJoinArguments = readonly [
  first: TableJoiner | ForeignKeyExtractor,
  second?: unknown,
  third?: unknown,
  fourth?: unknown,
];

interface TableStep {
  readonly method: string;
  readonly prefix: string;
  readonly materialized: LooseMaterialized | undefined;
  readonly named: Named | undefined;
  /** What the result's values are encoded with unless the options say otherwise. */
  readonly valueSerde: AnySerde | null;
  readonly viewStep: ViewStep;
  readonly enableSendingOldValues: (materialized: boolean) => () => void;
  readonly operatorOf: (store: TableStore | null) => Operator;
}

export class KTableImpl implements Untyped<KTable<unknown, unknown>> {
  readonly state: TableState;
  readonly dsl: DslFactory;

  constructor(dsl: DslFactory, state: TableState) {
    this.dsl = dsl;
    this.state = state;
  }

  get isVersioned(): boolean {
    return this.state.isVersioned ?? false;
  }

  filter(predicate: RecordPredicate, materialized?: LooseMaterialized, named?: Named): KTableImpl {
    return this.#filter('filter', predicate, false, materialized, named);
  }

  filterNot(predicate: RecordPredicate, materialized?: LooseMaterialized, named?: Named): KTableImpl {
    return this.#filter('filterNot', predicate, true, materialized, named);
  }

  mapValues(mapper: ValueMapper, materialized?: LooseMaterialized, named?: Named): KTableImpl {
    const options = { sendOldValues: false };
    this.dsl.graph.checkedFunction('mapper', mapper, `${this.state.path}.mapValues()`);
    return this.#step({
      method: 'mapValues',
      prefix: 'KTABLE-MAPVALUES-',
      materialized,
      named,
      valueSerde: null,
      viewStep: { kind: 'mapValues', mapper },
      enableSendingOldValues: (isMaterialized) =>
        sendOldValuesUpwards(options, isMaterialized ? null : this.state.enableSendingOldValues),
      operatorOf: (store) => tableMapValuesOperator(mapper, store, options),
    });
  }

  join(other: unknown, ...rest: TableJoinArguments): KTableImpl {
    return this.#join('join', other, rest);
  }

  leftJoin(other: unknown, ...rest: TableJoinArguments): KTableImpl {
    return this.#join('leftJoin', other, rest);
  }

  outerJoin(other: unknown, ...rest: TableJoinArguments): KTableImpl {
    return this.#join('outerJoin', other, rest);
  }

  transformValues(
    supplier: unknown,
    materialized: LooseMaterialized,
    named?: Named,
    ...stores: LooseStores
  ): KTableImpl {
    return addTransformValues(this.dsl, this.state, supplier, materialized, named, stores);
  }

  queryableStoreName(): string | null {
    const { store, steps } = this.state.view;
    return steps.length === 0 && store !== '' ? store : null;
  }

  groupBy(
    selector: RecordMapper,
    grouped: Grouped<NonNullable<unknown>, NonNullable<unknown>>,
  ): KGroupedTableImpl {
    return groupTable(this.dsl, this.state, selector, grouped);
  }

  suppress(suppressed: Parameters<typeof addSuppression>[2]): KTableImpl {
    return addSuppression(this.dsl, this.state, suppressed);
  }

  toStream(mapperOrNamed?: RecordMapper | Named, namedOrNone?: Named): KStreamImpl {
    if (typeof mapperOrNamed === 'function') {
      return this.toStream(namedOrNone).selectKey(mapperOrNamed);
    }
    const named = mapperOrNamed;
    const path = `${this.state.path}.toStream()`;
    const { graph } = this.dsl;
    const name = graph.nodeName('KTABLE-TOSTREAM-', named, path);
    const { keySerde, valueSerde, sources } = this.state;
    const node = this.#process(name, path, toStreamOperator);
    return this.dsl.stream({
      node,
      path,
      keySerde,
      valueSerde,
      sources,
      repartitionRequired: false,
    });
  }

  #join(
    method: 'join' | 'leftJoin' | 'outerJoin',
    other: unknown,
    [joiner, materialized, named, rest]: TableJoinArguments,
  ): KTableImpl {
    const { graph } = this.dsl;
    if (!(other instanceof KTableImpl) || other.dsl !== this.dsl) {
      graph.addFault(
        `${this.state.path}.${method}()`,
        'the other table is of another topology, or no table.',
        'Build both with one StreamsBuilder.',
      );
      return this;
    }
    if (typeof materialized === 'function') {
      return this.dsl.table(
        addForeignKeyJoin(graph, {
          left: method === 'leftJoin',
          table: this.state,
          foreign: other.state,
          extractor: joiner as ForeignKeyExtractor,
          joiner: materialized as TableJoiner,
          joined: named as LooseTableJoined | undefined,
          materialized: rest as LooseMaterialized | undefined,
        }),
      );
    }
    return this.dsl.table(
      addTableTableJoin(graph, {
        method,
        left: this.state,
        right: other.state,
        joiner: joiner as TableJoiner,
        materialized: materialized as LooseMaterialized | undefined,
        named: named as Named | undefined,
      }),
    );
  }

  #filter(
    method: string,
    predicate: RecordPredicate,
    negate: boolean,
    materialized: LooseMaterialized | undefined,
    named: Named | undefined,
  ): KTableImpl {
    this.dsl.graph.checkedFunction('predicate', predicate, `${this.state.path}.${method}()`);
    // Without old values a filter could not tell a key that leaves the table from one that never was in it.
    this.state.enableSendingOldValues();
    return this.#step({
      method,
      prefix: 'KTABLE-FILTER-',
      materialized,
      named,
      valueSerde: this.state.valueSerde,
      viewStep: { kind: 'filter', predicate, negate },
      enableSendingOldValues: () => () => undefined,
      operatorOf: (store) => tableFilterOperator(predicate, negate, store, this.isVersioned),
    });
  }

  #step(step: TableStep): KTableImpl {
    const { graph } = this.dsl;
    const { materialized } = step;
    const label = typeof materialized?.name !== 'string' ? '' : JSON.stringify(materialized.name);
    const path = `${this.state.path}.${step.method}(${label})`;
    const name = graph.nodeName(step.prefix, step.named, path);
    let store: TableStore | null = null;
    let keySerde = this.state.keySerde;
    let valueSerde = step.valueSerde;
    if (materialized !== undefined) {
      keySerde = graph.checkedSerde('key', path, materialized.keySerde, keySerde);
      valueSerde = graph.checkedSerde('value', path, materialized.valueSerde, valueSerde);
      store = declareStore(graph, path, materialized, { key: keySerde, value: valueSerde }, true);
    }
    const view: TableView =
      store === null
        ? { ...this.state.view, steps: [...this.state.view.steps, step.viewStep] }
        : viewOfStore(store);
    return this.dsl.table({
      node: this.#process(name, path, step.operatorOf(store)),
      path,
      keySerde,
      valueSerde,
      sources: this.state.sources,
      view,
      isVersioned: store === null ? this.isVersioned : store.versioned !== undefined,
      enableSendingOldValues: step.enableSendingOldValues(store !== null),
    });
  }

  #process(name: string, path: string, operator: Operator): GraphNode {
    return this.dsl.graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [this.state.node],
      children: [],
      operator,
    });
  }
}
