// Owns the operators of a grouped table: the one before the repartition topic, which makes each change of the table a change of its
// group, and those behind it, which take the old value out of the aggregate and add the new one.
// Source of the rules: KTableRepartitionMap, KTableAggregate and KTableReduce of Kafka Streams.
import { compileCodec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { StoreEntry } from '../ports.ts';
import type { Aggregator, AggregateStore, Initializer, Reducer } from './aggregate.ts';
import { separateCopies } from './aggregate.ts';
import type { Change } from './change.ts';
import type { Operator, Site, StreamFunction, TableFunction } from './operator.ts';
import { byKey, toEachStream, toEachTable } from './operator.ts';
import type { RecordMapper } from './stateless.ts';
import type { ChangeOptions } from './table.ts';

/** Of the group's keys; known when the first aggregation is declared. */
export interface GroupKeySerde {
  keySerde: AnySerde | null;
}

type Pair = readonly [key: unknown, value: unknown];

/**
 * Maps old and new value of each change to a pair of group key and value. A pair without key or value is left out. Both in one group
 * make one change; in two groups the old one leaves its group before the new one enters the other.
 */
export function groupTableOperator(selector: RecordMapper, group: GroupKeySerde): Operator {
  return {
    takes: 'table',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores: [],
    reads: [],
    runsUserCode: true,
    fold(site, children) {
      const next = toEachStream(children);
      const { context } = site;
      const { keySerde } = group;
      const sameKey = keySerde === null ? Object.is : sameEncodingOf(keySerde);
      const select = (key: unknown, value: unknown): Pair | null => {
        if (value === null) return null;
        let pair: unknown;
        try {
          pair = selector(key, value, context);
          if (pair === null || pair === undefined) return null;
          if (!Array.isArray(pair)) throw new TypeError('the selector must give [key, value]');
        } catch (error) {
          throw site.blame(error);
        }
        const [groupKey, groupValue] = pair as unknown as Pair;
        const isWhole =
          groupKey !== null && groupKey !== undefined && groupValue !== null && groupValue !== undefined;
        return isWhole ? (pair as unknown as Pair) : null;
      };
      return (key, newValue, oldValue, timestamp) => {
        const entering = select(key, newValue);
        const leaving = select(key, oldValue);
        if (entering !== null && leaving !== null && sameKey(entering[0], leaving[0])) {
          next(entering[0], { newValue: entering[1], oldValue: leaving[1] } satisfies Change, timestamp);
          return;
        }
        if (leaving !== null) {
          next(leaving[0], { newValue: null, oldValue: leaving[1] } satisfies Change, timestamp);
        }
        if (entering !== null) {
          next(entering[0], { newValue: entering[1], oldValue: null } satisfies Change, timestamp);
        }
      };
    },
  };
}

/** Keys are equal when their encodings are: objects too. */
function sameEncodingOf(serde: AnySerde): (a: unknown, b: unknown) => boolean {
  const codec = compileCodec(serde);
  return (a, b) => a === b || (typeof a === 'object' && codec.toBinary(a) === codec.toBinary(b));
}

/** What a change makes of an aggregate. `aggregate` is `null` where there is none. */
interface Steps {
  remove(key: unknown, oldValue: unknown, aggregate: unknown): unknown;
  add(key: unknown, newValue: unknown, aggregate: unknown): unknown;
}

function tableAggregation(
  spec: AggregateStore,
  runsUserCode: boolean,
  options: ChangeOptions,
  stepsOf: (site: Site) => Steps,
): Operator {
  return {
    takes: 'stream',
    gives: 'table',
    key: 'kept',
    value: { fromStore: spec.name, valueSerde: spec.valueSerde },
    stores: [spec.name],
    reads: [byKey(spec)],
    runsUserCode,
    fold(site: Site, children: readonly TableFunction[]): StreamFunction {
      const next = toEachTable(children);
      const store = site.store(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context, links } = site;
      const steps = stepsOf(site);
      const copyOf = separateCopies(spec, options.sendOldValues);
      return (key, change, timestamp) => {
        const { newValue, oldValue } = change as Change;
        const entry: StoreEntry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
        const before = store.value(entry) ?? null;
        const old = copyOf(before, entry);
        const timeBefore = entry.timestamp;
        let aggregate: unknown = before;
        let time = timestamp;
        try {
          if (oldValue !== null && before !== null) {
            aggregate = steps.remove(key, oldValue, before) ?? null;
            time = Math.max(timestamp, timeBefore);
          }
          if (newValue !== null) {
            aggregate = steps.add(key, newValue, aggregate) ?? null;
            if (before !== null) time = Math.max(timestamp, timeBefore);
          }
        } catch (error) {
          throw site.blame(error);
        }
        store.set(entry, aggregate, time);
        const isLinked = links.enabled && links.through(entry.key);
        next(key, aggregate, old, time);
        if (isLinked) links.done();
      };
    },
  };
}

/**
 * `aggregate(initializer, adder, subtractor)`. The subtractor sees only aggregates that exist; where it gives `null`, the adder starts
 * from the initializer. `null` in the end deletes the group.
 */
export function aggregateTableOperator(
  spec: AggregateStore,
  functions: {
    readonly initializer: Initializer;
    readonly adder: Aggregator;
    readonly subtractor: Aggregator;
  },
  options: ChangeOptions,
): Operator {
  const { initializer, adder, subtractor } = functions;
  return tableAggregation(spec, true, options, ({ context }) => ({
    remove: (key, oldValue, aggregate) => subtractor(key, oldValue, aggregate, context),
    add: (key, newValue, aggregate) => adder(key, newValue, aggregate ?? initializer(), context),
  }));
}

/** `reduce(adder, subtractor)`: where there is nothing to add to, the new value is the result. */
export function reduceTableOperator(
  spec: AggregateStore,
  adder: Reducer,
  subtractor: Reducer,
  options: ChangeOptions,
): Operator {
  return tableAggregation(spec, true, options, ({ context }) => ({
    remove: (_key, oldValue, aggregate) => subtractor(aggregate, oldValue, context),
    add: (_key, newValue, aggregate) => (aggregate === null ? newValue : adder(aggregate, newValue, context)),
  }));
}

/** A group that lost all its rows keeps the count 0, as in Kafka Streams. */
export function countTableOperator(spec: AggregateStore, options: ChangeOptions): Operator {
  return tableAggregation(spec, false, options, () => ({
    remove: (_key, _oldValue, count) => (count as number) - 1,
    add: (_key, _newValue, count) => ((count as number | null) ?? 0) + 1,
  }));
}
