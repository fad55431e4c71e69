// Bugs of the stateless operators, of aggregates, and of joins of streams.
import { bugsOf } from './mutant.ts';

const stateless = bugsOf('operators/stateless.ts');
const aggregates = bugsOf('operators/aggregate.ts');
const withTable = bugsOf('operators/stream-table-join.ts');
const withGlobal = bugsOf('operators/global-table-join.ts');
const sides = bugsOf('operators/stream-stream-join.ts');
const windows = bugsOf('operators/stream-join-window.ts');
const unmatched = bugsOf('operators/unmatched-rows.ts');

export const ofStreams = [
  stateless(
    'filter lets everything pass',
    { within: 'filterOperator', from: 'if (passes) next', to: 'next' },
    'filter',
  ),
  stateless(
    'filterNot is filter',
    { within: 'filterNotOperator', from: 'if (!fails)', to: 'if (fails)' },
    'filter-not',
  ),
  stateless(
    'map keeps the old key',
    { within: 'mapOperator(', from: 'next(pair[0] ?? null', to: 'next(key' },
    'map',
  ),
  stateless(
    'mapValues keeps the old value where the mapper gives null',
    { within: 'mapValuesOperator(', from: 'mapped ?? null', to: 'mapped ?? value' },
    'map-values',
  ),
  stateless(
    'selectKey keeps the old key where the selector gives null',
    { within: 'selectKeyOperator(', from: 'selected ?? null', to: 'selected ?? key' },
    'select-key',
  ),
  stateless(
    'flatMap forwards one pair only',
    {
      within: 'flatMapOperator(',
      from: 'index < pairs.length; index++) {\n        const',
      to: 'index < 1; index++) {\n        const',
    },
    'flat-map',
  ),
  stateless(
    'flatMapValues leaves the last value out',
    { within: 'flatMapValuesOperator(', from: 'index < values.length', to: 'index < values.length - 1' },
    'flat-map-values',
  ),
  stateless(
    'peek acts after it has forwarded',
    {
      within: 'peekOperator(',
      from: 'action(key, value, context);',
      to: 'if (value !== null) action(key, value, context);',
    },
    'peek',
  ),
  stateless(
    'foreach passes over records without a key',
    {
      within: 'foreachOperator(',
      from: 'action(key, value, context);',
      to: 'if (key !== null) action(key, value, context);',
    },
    'foreach',
  ),
  stateless(
    'merge passes over null values',
    {
      within: 'passThroughOperator',
      from: 'toEachStream(children)',
      to: '{ const next = toEachStream(children); return (k, v, t) => { if (v !== null) next(k, v, t); }; }',
    },
    'merge',
    'count-of-a-merge',
  ),
  stateless(
    'a split gives a record to the last branch that takes it',
    { within: 'branchOperator(', from: 'break;', to: '' },
    'split',
    'split-no-default',
  ),
  stateless(
    'repartition lets null keys pass',
    {
      within: 'repartitionFilterOperator(',
      from: 'if (key === null || key === undefined) site',
      to: 'if (false) site',
    },
    'repartition',
  ),
  aggregates(
    'count counts null values',
    {
      within: 'countOperator(',
      from: 'if (value === null || value === undefined) return',
      to: 'if (false) return',
    },
    'count',
  ),
  aggregates(
    'count has the timestamp of the last record',
    {
      within: 'countOperator(',
      from: 'entry.timestamp > timestamp ? entry.timestamp : timestamp',
      to: 'false ? 0 : timestamp',
    },
    'count',
  ),
  aggregates(
    'reduce folds the first value with itself',
    {
      within: 'reduceOperator(',
      from: 'next(key, value, null, timestamp);',
      to: 'next(key, reducer(value, value, context), null, timestamp);',
    },
    'reduce',
  ),
  aggregates(
    'reduce keeps the value where the reducer gives null',
    {
      within: 'reduceOperator(',
      from: 'reducer(old, value, context) ?? null',
      to: 'reducer(old, value, context) ?? old',
    },
    'reduce-to-null',
  ),
  aggregates(
    'aggregate begins with the initializer every time',
    { within: 'aggregateOperator(', from: 'old === undefined ? initializer() : old', to: 'initializer()' },
    'aggregate',
  ),
  aggregates(
    'aggregate forwards no old value',
    { within: 'aggregateOperator(', from: 'before ?? null', to: 'null' },
    'aggregate-regrouped',
  ),
  withTable(
    'stream-table join gives null for what is not in the table',
    { from: 'if (tableValue === null && !left) return;', to: '' },
    'stream-table-join',
  ),
  withTable(
    'stream-table left join drops null keys',
    { from: 'if (!left && (key', to: 'if (true && (key' },
    'stream-table-left-join',
  ),
  withGlobal(
    'global join looks up the record key',
    { from: 'selected = selector(key, value, context) ?? null;', to: 'selected = key;' },
    'global-join',
  ),
  withGlobal(
    'global left join leaves out what is not in the table',
    { from: 'if (tableValue === null && !left) return;', to: 'if (tableValue === null) return;' },
    'global-left-join',
  ),
  sides(
    'stream-stream join leaves out the upper bound of the window',
    { from: 'if (otherTime > until) return false;', to: 'if (otherTime >= until) return false;' },
    'stream-join',
    'stream-join-grace',
  ),
  sides(
    'stream-stream join has the timestamp of the later arrival',
    { from: 'otherTime > timestamp ? otherTime : timestamp', to: 'timestamp' },
    'stream-join',
  ),
  sides(
    'stream-stream join finds rows that are expired',
    { from: 'Math.max(0, timestamp - beforeMs, expired + 1)', to: 'Math.max(0, timestamp - beforeMs)' },
    'stream-join',
    'stream-join-grace',
    'stream-join-after',
    'stream-self-join',
  ),
  sides(
    'left join keeps unmatched rows that were matched',
    { from: 'if (unmatched !== null) unmatched.remove', to: 'if (false) unmatched!.remove' },
    'stream-left-join-grace',
  ),
  sides(
    'left join drops null keys',
    { from: 'if (outer) next(givenKey', to: 'if (false) next(givenKey' },
    'stream-left-join',
  ),
  sides(
    'left join holds back a late record until time moves',
    { from: 'if (until < now) next', to: 'if (until < now - 1000) next' },
    'stream-left-join',
    'stream-left-join-grace',
  ),
  windows(
    'a join window keeps one of equal records',
    { from: 'if (row.encoded !== null) {', to: 'if (false) {' },
    'stream-join',
    'stream-self-join',
  ),
  windows(
    'a join window forgets records out of order',
    { from: 'observe(timestamp) - retentionMs', to: 'observe(timestamp) - 1' },
    'stream-join',
    'stream-left-join',
    'stream-join-before',
  ),
  unmatched(
    'outer join gives out the left side first',
    { from: "SIDE_BYTES = ['\\0', '\\x01']", to: "SIDE_BYTES = ['\\x01', '\\0']" },
    'stream-outer-join',
    'stream-outer-join-grace',
    'stream-outer-join-after',
  ),
  unmatched(
    'outer join waits a millisecond too long',
    { from: '>= now) {', to: '>= now - 1) {' },
    'stream-outer-join',
    'stream-outer-join-grace',
    'stream-outer-join-before',
  ),
  unmatched(
    'outer join keeps one unmatched row of equal ones',
    { from: '[...before.values, value]', to: '[value]' },
    'stream-outer-join',
  ),
];
