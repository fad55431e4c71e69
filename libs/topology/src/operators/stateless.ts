// Owns the operators that keep nothing: each is one closure in front of its children.
// A function of the user that gives `undefined` gives `null`. Source of the rules: KStreamFilter, KStreamMap, KStreamFlatMap,
// KStreamBranch, KStreamPeek of Kafka Streams.
import type { RecordMetadata } from '../ports.ts';
import type { Operator } from './operator.ts';
import { toEachStream } from './operator.ts';

type StreamOperator = Extract<Operator, { takes: 'stream'; gives: 'stream' }>;
export type RecordPredicate = (key: unknown, value: unknown, metadata: RecordMetadata) => boolean;
export type RecordAction = (key: unknown, value: unknown, metadata: RecordMetadata) => void;
export type RecordMapper = (key: unknown, value: unknown, metadata: RecordMetadata) => unknown;
export type ValueMapper = (value: unknown, key: unknown, metadata: RecordMetadata) => unknown;

function stateless(
  key: StreamOperator['key'],
  value: 'changed' | 'kept',
  fold: StreamOperator['fold'],
): StreamOperator {
  return {
    takes: 'stream',
    gives: 'stream',
    key,
    value,
    stores: [],
    reads: [],
    runsUserCode: true,
    fold,
  };
}

export function filterOperator(predicate: RecordPredicate): StreamOperator {
  return stateless('kept', 'kept', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let passes: boolean;
      try {
        passes = predicate(key, value, context);
      } catch (error) {
        throw site.blame(error);
      }
      if (passes) next(key, value, timestamp);
    };
  });
}

export function filterNotOperator(predicate: RecordPredicate): StreamOperator {
  return stateless('kept', 'kept', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let fails: boolean;
      try {
        fails = predicate(key, value, context);
      } catch (error) {
        throw site.blame(error);
      }
      if (!fails) next(key, value, timestamp);
    };
  });
}

export function mapOperator(mapper: RecordMapper): StreamOperator {
  return stateless('changed', 'changed', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let pair: readonly [unknown, unknown];
      try {
        pair = mapper(key, value, context) as readonly [unknown, unknown];
        if (!Array.isArray(pair)) throw new TypeError('the mapper must give [key, value]');
      } catch (error) {
        throw site.blame(error);
      }
      next(pair[0] ?? null, pair[1] ?? null, timestamp);
    };
  });
}

export function mapValuesOperator(mapper: ValueMapper): StreamOperator {
  return stateless('kept', 'changed', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let mapped: unknown;
      try {
        mapped = mapper(value, key, context);
      } catch (error) {
        throw site.blame(error);
      }
      next(key, mapped ?? null, timestamp);
    };
  });
}

export function selectKeyOperator(selector: RecordMapper): StreamOperator {
  return stateless('changed', 'kept', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let selected: unknown;
      try {
        selected = selector(key, value, context);
      } catch (error) {
        throw site.blame(error);
      }
      next(selected ?? null, value, timestamp);
    };
  });
}

/** What the user gave, as an array. Taken whole before the first record goes on, so that a throw half-way forwards nothing. */
function asArray(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given;
  if (typeof (given as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function') {
    throw new TypeError('the mapper must give an iterable');
  }
  return Array.from(given as Iterable<unknown>);
}

export function flatMapOperator(mapper: RecordMapper): StreamOperator {
  return stateless('changed', 'changed', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let pairs: readonly (readonly [unknown, unknown])[];
      try {
        pairs = asArray(mapper(key, value, context)) as readonly (readonly [unknown, unknown])[];
        for (let index = 0; index < pairs.length; index++) {
          if (!Array.isArray(pairs[index])) throw new TypeError('the mapper must give pairs [key, value]');
        }
      } catch (error) {
        throw site.blame(error);
      }
      for (let index = 0; index < pairs.length; index++) {
        const pair = pairs[index]!;
        next(pair[0] ?? null, pair[1] ?? null, timestamp);
      }
    };
  });
}

export function flatMapValuesOperator(mapper: ValueMapper): StreamOperator {
  return stateless('kept', 'changed', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      let values: readonly unknown[];
      try {
        values = asArray(mapper(value, key, context));
      } catch (error) {
        throw site.blame(error);
      }
      for (let index = 0; index < values.length; index++) next(key, values[index] ?? null, timestamp);
    };
  });
}

export function peekOperator(action: RecordAction): StreamOperator {
  return stateless('kept', 'kept', (site, children) => {
    const next = toEachStream(children);
    const { context } = site;
    return (key, value, timestamp) => {
      try {
        action(key, value, context);
      } catch (error) {
        throw site.blame(error);
      }
      next(key, value, timestamp);
    };
  });
}

/** The end of a stream: `foreach`. */
export function foreachOperator(action: RecordAction): StreamOperator {
  return stateless('kept', 'kept', (site) => {
    const { context } = site;
    return (key, value) => {
      try {
        action(key, value, context);
      } catch (error) {
        throw site.blame(error);
      }
    };
  });
}

/** `merge` and the branches of a split: the record as it is. */
export const passThroughOperator: StreamOperator = {
  ...stateless('kept', 'kept', (_site, children) => toEachStream(children)),
  runsUserCode: false,
};

/** The first predicate that holds decides; `null` always holds. The child of the same index gets the record. */
export function branchOperator(predicates: readonly (RecordPredicate | null)[]): StreamOperator {
  return stateless('kept', 'kept', (site, children) => {
    const choices = [...predicates];
    const nexts = [...children];
    const { context } = site;
    return (key, value, timestamp) => {
      let chosen = -1;
      try {
        for (let index = 0; index < choices.length; index++) {
          const predicate = choices[index]!;
          if (predicate === null || predicate(key, value, context)) {
            chosen = index;
            break;
          }
        }
      } catch (error) {
        throw site.blame(error);
      }
      if (chosen >= 0) nexts[chosen]!(key, value, timestamp);
    };
  });
}

/**
 * Stands before a repartition topic. A null key has no partition of its own: it is dropped, unless a left join downstream
 * wants it (KIP-962).
 */
export function repartitionFilterOperator(keepsNullKeys: () => boolean): StreamOperator {
  const filter = stateless('kept', 'kept', (site, children) => {
    const next = toEachStream(children);
    if (keepsNullKeys()) return next;
    return (key, value, timestamp) => {
      if (key === null || key === undefined) site.drop('MILLRACE_NULL_KEY', 'null key before a repartition');
      else next(key, value, timestamp);
    };
  });
  return { ...filter, runsUserCode: false };
}
