// Owns the operators of a user's processors: each makes one per task, and runs it for each record.
// Source of the rules: ProcessorNode and KTableTransformValues of Kafka Streams.
import type { LinksPort } from '../ports.ts';
import type { AggregateStore } from './aggregate.ts';
import type { Operator, OperatorRead } from './operator.ts';
import { byKey, toEachTable } from './operator.ts';
import { Processing } from './processing-context.ts';
import type { LooseLifecycle, ProcessDeclaration } from './processing-context.ts';
import { RecordInProcess } from './record-in-process.ts';
import { materialize } from './table.ts';
import type { ChangeOptions } from './table.ts';
import { linkId } from './trace-links.ts';

export type { ProcessDeclaration } from './processing-context.ts';

/** A processor with its types loosened. */
interface LooseProcessor extends LooseLifecycle {
  process(record: unknown): void;
}

interface LooseTransformer extends LooseLifecycle {
  transform(key: unknown, value: unknown): unknown;
}

export function processOperator(declared: ProcessDeclaration): Operator {
  const supplied = new WeakSet<object>();
  return {
    takes: 'stream',
    gives: 'stream',
    key: declared.forwards === 'any key' ? 'changed' : 'kept',
    value: 'changed',
    stores: declared.stores,
    get reads() {
      return readsOf(declared);
    },
    runsUserCode: true,
    hasSides: true,
    fold(site, children) {
      const context = new Processing(site, children, declared);
      const processor = context.supplied('process', supplied) as LooseProcessor;
      const { context: source, links } = site;
      return (key, value, timestamp) => {
        if (links.enabled) feed(links, key);
        context.enter('record', key, timestamp);
        try {
          processor.process(new RecordInProcess(key, value, timestamp, null, source));
        } catch (error) {
          throw context.failed(error);
        }
        context.leave();
      };
    },
  };
}

/**
 * `KTable.transformValues`: the transformer is given each new value, `null` for a deletion, and its result is kept in the store named. What
 * it gave before comes from there.
 */
export function transformValuesOperator(
  declared: ProcessDeclaration,
  spec: AggregateStore,
  options: ChangeOptions,
): Operator {
  const supplied = new WeakSet<object>();
  return {
    takes: 'table',
    gives: 'table',
    key: 'kept',
    value: { fromStore: spec.name, valueSerde: spec.valueSerde },
    stores: declared.stores,
    get reads() {
      return [byKey(spec), ...readsOf(declared)];
    },
    runsUserCode: true,
    fold(site, children) {
      const context = new Processing(site, [], declared);
      const transformer = context.supplied('transform', supplied) as LooseTransformer;
      const keep = materialize(site, spec, toEachTable(children), options.sendOldValues, false);
      return (key, newValue, _oldValue, timestamp) => {
        context.enter('record', key, timestamp);
        let result: unknown;
        try {
          result = transformer.transform(key, newValue) ?? null;
        } catch (error) {
          throw context.failed(error);
        }
        context.leave();
        keep(key, result, timestamp);
      };
    },
  };
}

/** For what it forwards under the key in a punctuation. */
function feed(links: LinksPort, key: unknown): void {
  const id = linkId(key);
  if (id !== null) links.feed(id);
}

/** Most processors look up the key of their record: its value is read ahead where the store has it by key. */
function readsOf({ stores, builders }: ProcessDeclaration): readonly OperatorRead[] {
  const reads: OperatorRead[] = [];
  for (const name of stores) {
    const spec = builders.get(name)?.spec;
    if (spec?.kind === 'keyValue') reads.push(byKey(spec));
  }
  return reads;
}
