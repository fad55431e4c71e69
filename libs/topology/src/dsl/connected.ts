// Owns two grouped streams that one keyed process function takes, with state and timers in common: Flink's connected streams.
// The values are marked with the side they came from on their way into the function; they are never encoded in between.
import type { GraphNode, SourceNode } from '../graph.ts';
import type { LooseKeyedProcessFunction } from '../keyed/keyed-process.ts';
import { passThroughOperator } from '../operators/stateless.ts';
import type { Operator } from '../operators/operator.ts';
import { toEachStream } from '../operators/operator.ts';
import type { Untyped } from './types.ts';
import type { DslFactory, GroupedState } from './factory.ts';
import { addKeyedProcess } from './keyed-process.ts';
import type { ParentOf } from './keyed-process.ts';
import type { KStreamImpl } from './kstream.ts';
import type { ConnectedKGroupedStreams } from './connected-types.ts';

export interface ConnectedSide {
  readonly dsl: DslFactory;
  readonly state: GroupedState;
  readonly parentOf: ParentOf;
}

interface Marked {
  readonly isOther: boolean;
  readonly value: unknown;
}

export type LooseConnectedFunction = LooseKeyedProcessFunction & {
  readonly onOther: (value: unknown, context: unknown) => void;
  readonly valueSerde?: object;
};

export class ConnectedImpl implements Untyped<ConnectedKGroupedStreams<unknown, unknown, unknown>> {
  readonly #one: ConnectedSide;
  readonly #other: ConnectedSide | null;

  /** `other` is `null` when it is no grouped stream of this topology. */
  constructor(one: ConnectedSide, other: ConnectedSide | null) {
    this.#one = one;
    this.#other = other;
  }

  process(fn: LooseConnectedFunction): KStreamImpl {
    const { dsl, state } = this.#one;
    const { graph } = dsl;
    const other = this.#other;
    const path = `${state.path}.connect(${other?.state.path ?? ''})`;
    graph.checkedFunction('onOther', fn?.onOther, `${path}.process()`);
    if (other === null) {
      graph.addFault(
        path,
        'the other is no grouped stream of this topology.',
        'Build both with one StreamsBuilder.',
      );
    }
    const parentOf: ParentOf = (name, keySerde, at) => {
      const sides = other === null ? [this.#one] : [this.#one, other];
      const sources = new Set<SourceNode>();
      const marked = sides.map(({ parentOf: parentOfSide }, index): GraphNode => {
        const suffix = index === 0 ? 'this' : 'other';
        const side = parentOfSide(`${name}-${suffix}`, keySerde, at);
        for (const source of side.sources) sources.add(source);
        return graph.addNode({
          kind: 'processor',
          name: graph.nodeName('KSTREAM-CONNECT-', undefined, at),
          path: at,
          parents: [side.parent],
          children: [],
          operator: markOperator(index === 1),
        });
      });
      const all = [...sources];
      if (all.length > 1) graph.coPartitions.push({ operator: name, sources: all });
      const parent = graph.addNode({
        kind: 'processor',
        name: graph.nodeName('KSTREAM-MERGE-', undefined, at),
        path: at,
        parents: marked,
        children: [],
        operator: passThroughOperator,
      });
      return { parent, sources: all };
    };
    const split: LooseKeyedProcessFunction & { readonly valueSerde?: object } = {
      ...fn,
      onRecord(marked, context) {
        const { isOther, value } = marked as Marked;
        if (isOther) fn.onOther(value, context);
        else fn.onRecord(value, context);
      },
    };
    graph.checkedFunction('onRecord', fn?.onRecord, `${path}.process()`);
    return addKeyedProcess(dsl, { ...state, path }, split, parentOf);
  }
}

function markOperator(isOther: boolean): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'changed',
    stores: [],
    reads: [],
    runsUserCode: false,
    fold(site, children) {
      const next = toEachStream(children);
      return (key, value, timestamp) => {
        if (value === null || value === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a keyed process function');
          return;
        }
        next(key, { isOther, value } satisfies Marked, timestamp);
      };
    },
  };
}
