// Owns how `match` becomes a keyed process function in the graph.
import type { MatchOptions } from '../cep/pattern-process.ts';
import { patternProcess } from '../cep/pattern-process.ts';
import { Pattern } from '../cep/pattern.ts';
import type { LooseKeyedProcessFunction } from '../keyed/keyed-process.ts';
import { labelOf } from '../names.ts';
import type { SerdeOf } from '../options.ts';
import type { DslFactory, GroupedState } from './factory.ts';
import { addKeyedProcess } from './keyed-process.ts';
import type { ParentOf } from './keyed-process.ts';
import type { KStreamImpl } from './kstream.ts';

export type LooseMatchOptions = MatchOptions<unknown, unknown, unknown, string>;

export function addMatch(
  dsl: DslFactory,
  state: GroupedState,
  given: Pattern<unknown>,
  givenOptions: LooseMatchOptions,
  parentOf: ParentOf,
): KStreamImpl {
  const { graph } = dsl;
  const path = `${state.path}.match(${labelOf(givenOptions)})`;
  const options = graph.checkedOptions(givenOptions, path) as LooseMatchOptions;
  let pattern = given;
  if (!(given instanceof Pattern)) {
    graph.addFault(path, 'the pattern is no pattern.', 'Make it with Pattern.begin("…").');
    pattern = Pattern.begin('none');
  }
  for (const fault of pattern.check()) {
    graph.addFault(path, `the pattern has ${fault}.`, 'Correct the pattern.');
  }
  graph.checkedFunction('select', options.select, path);
  const eventSerde = graph.checkedSerde('value', path, options.eventSerde, state.valueSerde);
  const fn = patternProcess(pattern, eventSerde as SerdeOf<unknown>, options);
  return addKeyedProcess(dsl, state, fn as unknown as LooseKeyedProcessFunction, parentOf);
}
