// Bugs of tables, their aggregates and joins, and of processors and their stores.
import { bugsOf } from './mutant.ts';

const tables = bugsOf('operators/table.ts');
const grouped = bugsOf('operators/grouped-table.ts');
const joins = bugsOf('operators/table-table-join.ts');
const views = bugsOf('operators/table-view.ts');
const foreignKeys = bugsOf('operators/foreign-key-join.ts');
const process = bugsOf('operators/process.ts');
const processing = bugsOf('operators/processing-context.ts');
const records = bugsOf('operators/record-in-process.ts');
const punctuations = bugsOf('operators/punctuations.ts');
const keyValues = bugsOf('stores/key-value-store.ts');
const windowStore = bugsOf('stores/window-store.ts');
const sessionStore = bugsOf('stores/session-store.ts');

export const ofTables = [
  tables(
    'table keeps the record with the highest timestamp',
    {
      within: 'tableSourceOperator(',
      from: 'store.set(entry',
      to: 'if (entry.timestamp > timestamp) return;\n        store.set(entry',
    },
    'table',
    'to-table',
  ),
  tables(
    'table passes over deletions of what is not there',
    {
      within: 'tableSourceOperator(',
      from: 'next(key, value ?? null',
      to: 'if (value !== null || store.value(entry) !== undefined) next(key, value ?? null',
    },
    'table',
  ),
  tables(
    'table knows no old values',
    {
      within: 'tableSourceOperator(',
      from: 'value ?? null, old, timestamp',
      to: 'value ?? null, null, timestamp',
    },
    'table-filter',
    'table-group-by-count',
  ),
  tables(
    'table filter forwards deletions of what had not passed',
    { from: 'passedNew !== null || passedOld !== null', to: 'true' },
    'table-filter',
    'table-filter-not',
  ),
  tables(
    'table filterNot is filter',
    { from: '!== negate ? value : null', to: '? value : null' },
    'table-filter-not',
  ),
  tables(
    'a materialized filter forwards deletions of what had not passed',
    { from: 'if (skipsNothingToNothing && old', to: 'if (false && old' },
    'table-filter-materialized',
  ),
  tables(
    'table mapValues shows deletions to the mapper',
    { within: 'tableMapValuesOperator(', from: 'if (value === null) return null;', to: '' },
    'table-map-values',
  ),
  tables(
    'a materialized mapValues forgets deletions',
    { within: 'tableMapValuesOperator(', from: 'options.sendOldValues, false', to: 'true, true' },
    'table-map-values-materialized',
  ),
  tables(
    'toStream forwards no deletions',
    {
      within: 'toStreamOperator',
      from: 'next(key, newValue, timestamp)',
      to: '{ if (newValue !== null) next(key, newValue, timestamp); }',
    },
    'table',
  ),
  grouped(
    'table groupBy adds before it subtracts',
    {
      from: 'aggregate = steps.remove(key, oldValue, before) ?? null;',
      to: 'aggregate = newValue === null ? steps.remove(key, oldValue, before) : before;',
    },
    'table-group-by-same-key',
    'table-group-by-aggregate',
  ),
  grouped(
    'table groupBy enters the new group before it leaves the old one',
    {
      from: 'if (leaving !== null) {',
      to: 'if (entering !== null) next(entering[0], { newValue: entering[1], oldValue: null } satisfies Change, timestamp);\n        if (leaving !== null) {',
    },
    'table-group-by-aggregate',
  ),
  grouped(
    'table count forgets a group without rows',
    { within: 'countTableOperator(', from: '(count as number) - 1', to: '(count as number) - 1 || null' },
    'table-group-by-count',
  ),
  grouped(
    'table reduce never subtracts',
    { within: 'reduceTableOperator(', from: 'subtractor(aggregate, oldValue, context)', to: 'aggregate' },
    'table-group-by-reduce',
  ),
  grouped(
    'table aggregate does not begin anew after null',
    { within: 'aggregateTableOperator(', from: 'aggregate ?? initializer()', to: "aggregate ?? 'x'" },
    'table-group-by-to-null',
    'table-group-by-aggregate',
  ),
  joins(
    'table join forwards what was and is nothing',
    {
      from: 'if (otherValue === null && (!needsNoOther || (newValue === null && oldValue === null))) return;',
      to: 'if (otherValue === null && !needsNoOther) return;',
    },
    'table-left-join',
    'table-outer-join',
  ),
  joins(
    'table join has the timestamp of the change',
    { from: 'reader.timestamp > timestamp ? reader.timestamp : timestamp', to: 'timestamp' },
    'table-join',
  ),
  joins(
    'table left join leaves out what only the left table has',
    { from: "kind === 'left' || kind === 'outer'", to: "kind === 'outer'" },
    'table-left-join',
  ),
  joins(
    'table outer join leaves out what only the right table has',
    { from: "kind === 'right' || kind === 'outer'", to: "kind === 'right'" },
    'table-outer-join',
  ),
  joins(
    'table join forgets old values',
    { from: 'sendOldValues ? join(oldValue, otherValue, key) : null', to: 'null' },
    'table-join-filtered',
    'table-join-group-by',
  ),
  joins(
    'a materialized table join keeps nothing',
    { within: 'tableJoinMergeOperator(', from: 'kept.set(', to: 'void (' },
    'table-join-chain-materialized',
  ),
  views(
    'a look-up passes the steps over',
    {
      from: 'return view.steps.length === 0 ? base : stepReader',
      to: 'return view.steps.length >= 0 ? base : stepReader',
    },
    'stream-table-left-join-filtered',
    'table-join-filtered',
  ),
  foreignKeys(
    'a foreign-key left join sends no subscription without a foreign key',
    {
      within: 'if (left) {',
      from: 'send(newForeignKey, Instruction.ALWAYS_RESPOND);',
      to: 'if (newForeignKey !== null) send(newForeignKey, Instruction.ALWAYS_RESPOND);',
    },
    'foreign-key-left-join',
  ),
  foreignKeys(
    'a foreign-key join does not delete a result with its foreign key',
    {
      from: 'if (oldForeignKey !== null) send(oldForeignKey, Instruction.DELETE_AND_RESPOND);',
      to: 'if (oldForeignKey !== null) send(oldForeignKey, Instruction.DELETE);',
    },
    'foreign-key-join',
  ),
  foreignKeys(
    'a foreign-key join answers without a value',
    { from: 'if (instruction === Instruction.RESPOND_IF_VALUE && foreignValue === null) return;', to: '' },
    'foreign-key-join',
  ),
  foreignKeys(
    'an answer has the timestamp of its subscription',
    { from: 'time = Math.max(timestamp, reader.timestamp);', to: 'time = timestamp;' },
    'foreign-key-join',
  ),
  foreignKeys(
    'a changed foreign row answers nobody',
    { within: 'foreignTableJoinOperator(', from: 'store.range(', to: 'void (' },
    'foreign-key-join',
  ),
  foreignKeys(
    'a subscription is not kept',
    { from: 'store.set(row, { hash, partition } satisfies StoredSubscription, timestamp);', to: '' },
    'foreign-key-join',
  ),
  foreignKeys(
    'a foreign-key left join leaves out rows without a partner',
    { from: '(foreignValue === null && !left)', to: 'foreignValue === null' },
    'foreign-key-left-join',
  ),
  processing(
    'a processor cannot choose the child it forwards to',
    { from: 'childName === undefined ? this.#all : this.#child(childName)', to: 'this.#all' },
    'process-to-child',
  ),
  records(
    'a record with other headers keeps those of its source',
    { within: 'withHeaders(', from: 'this.timestamp, headers,', to: 'this.timestamp, this.#headers,' },
    'process-headers',
  ),
  process(
    'a transformer never sees deletions',
    {
      within: 'transformValuesOperator(',
      from: 'result = transformer',
      to: 'if (newValue === null) result = null;\n          else result = transformer',
    },
    'table-transform-values',
  ),
  punctuations(
    'a punctuator makes up for missed times',
    { from: 'due.next = nextAfter(before, due.intervalMs, now);', to: 'due.next = before + due.intervalMs;' },
    'process-stream-time-punctuator',
    'process-cancelled-punctuator',
    'process-wall-clock-punctuator',
  ),
  punctuations(
    'a cancelled punctuator goes on',
    { from: 'schedule.cancelled = true;', to: '' },
    'process-cancelled-punctuator',
  ),
  punctuations(
    'a punctuator leaves out a time after a gap',
    { from: '/ intervalMs) + 1)', to: '/ intervalMs) + 2)' },
    'process-stream-time-punctuator',
    'process-wall-clock-punctuator',
  ),
  keyValues('putIfAbsent puts', { from: 'if (old !== undefined) return old;', to: '' }, 'process-values'),
  keyValues(
    'a range leaves its end out',
    { from: "(bound + '\\0') as BinaryString", to: 'bound' },
    'process-ranges',
  ),
  windowStore(
    'a window store shows what is older than its retention',
    { from: 'return this.#clock.now - this.#retentionMs + 1;', to: 'return -1;' },
    'process-window-store',
  ),
  sessionStore(
    'a session store finds sessions that start later',
    { from: 'if (start <= latestStart)', to: 'if (start <= latestStart + 5)' },
    'process-session-store',
  ),
];
