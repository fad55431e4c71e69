// Bugs of windowed aggregates, cogroups, and what holds results back.
import { bugsOf } from './mutant.ts';

const aligned = bugsOf('operators/window-aggregate.ts');
const slots = bugsOf('operators/window-slots.ts');
const sliding = bugsOf('operators/window-sliding.ts');
const session = bugsOf('operators/window-session.ts');
const emission = bugsOf('operators/window-emission.ts');
const closing = bugsOf('operators/window-closing.ts');
const cogroup = bugsOf('dsl/cogrouped.ts');
const storeTime = bugsOf('operators/store-time.ts');
const suppress = bugsOf('operators/suppress.ts');
const held = bugsOf('operators/suppress-buffer.ts');

export const ofWindows = [
  aligned(
    'a tumbling window takes records when it is closed',
    { from: '= now - graceMs;', to: '= now - graceMs - 1;' },
    'tumbling-count',
    'tumbling-grace-count',
    'hopping-count',
  ),
  aligned(
    'a window passes over null values',
    {
      from: 'const timeBefore = clock.now;',
      to: 'if (value === null) return;\n        const timeBefore = clock.now;',
    },
    'tumbling-count',
  ),
  aligned(
    'a window has the timestamp of the last record',
    { from: 'row.timestamp > timestamp ? row.timestamp : timestamp', to: 'false ? 0 : timestamp' },
    'tumbling-count',
  ),
  aligned(
    'a window that closes is emitted a millisecond early',
    { from: 'emitBelow(now - graceMs + 1)', to: 'emitBelow(now - graceMs + 2)' },
    'tumbling-count-on-close',
    'hopping-count-on-close',
    'hopping-grace-count-on-close',
  ),
  slots(
    'hopping windows leave the earliest out',
    {
      from: 'let start = first; start <= last',
      to: 'let start = first + (first < last ? advanceMs : 0); start <= last',
    },
    'hopping-count',
  ),
  slots(
    'hopping windows begin before 1970',
    { from: 'earliest > 0 ? earliest - (earliest % advanceMs) : 0', to: 'earliest - (earliest % advanceMs)' },
    'hopping-count',
  ),
  slots(
    'the unlimited window takes what came before its start',
    { from: 'timestamp >= this.startMs ? 1 : 0', to: '1' },
    'unlimited-count',
  ),
  session(
    'a session joins what is a millisecond too far',
    {
      from: 'if (start > timestamp + gapMs) return false;',
      to: 'if (start > timestamp + gapMs + 1) return false;',
    },
    'session-count',
    'session-grace-count',
  ),
  session(
    'a session that grows is not deleted',
    { from: 'next(oldKey, null, old, oldEnd);', to: '' },
    'session-count',
  ),
  session(
    'a session takes records when it is closed',
    { from: 'if (end < now - graceMs - gapMs) {', to: 'if (end < now - graceMs - gapMs - 5) {' },
    'session-count',
    'session-grace-count',
  ),
  session(
    'a session forgets the sessions it joins',
    { from: 'aggregate = merge(', to: 'merge(' },
    'session-aggregate',
  ),
  session(
    'a session is closed a millisecond early',
    { from: 'if (end < now - graceMs - gapMs) {', to: 'if (end <= now - graceMs - gapMs) {' },
    'session-count',
    'session-grace-count',
    'session-reduce',
    'session-aggregate',
    'session-grace-aggregate',
  ),
  emission(
    'what closes has the timestamp of its end',
    { from: 'value, null, row.timestamp', to: 'value, null, window.end' },
    'tumbling-count-on-close',
  ),
  closing(
    'closed windows are emitted twice',
    { from: 'progress.slice(TIME_BYTES) as BinaryString;', to: 'orderedTime(0);' },
    'tumbling-count-on-close',
  ),
  sliding(
    'a sliding window takes records when it is closed',
    { from: 'timeDifferenceMs >= closeTime', to: 'timeDifferenceMs >= closeTime - 5' },
    'sliding-count',
    'sliding-grace-count',
    'sliding-aggregate',
  ),
  sliding(
    'the window behind a record is never made',
    { from: 'if (!hasRight && rightEncoded', to: 'if (false && rightEncoded' },
    'sliding-count',
  ),
  sliding(
    'the left window of a record forgets those before it',
    { from: 'previous !== NONE && start <= previous ? leftEncoded : null', to: 'null' },
    'sliding-count',
  ),
  sliding(
    'windows that would begin before 1970 are as others',
    { from: 'if (timestamp < timeDifferenceMs) processEarly();', to: 'if (false) processEarly();' },
    'sliding-count',
    'sliding-aggregate',
  ),
  sliding(
    'sliding windows count null values',
    { from: 'if (recordValue === null || recordValue === undefined) {', to: 'if (false) {' },
    'sliding-count',
  ),
  cogroup(
    'every stream of a cogroup has the aggregator of the first',
    {
      within: 'members.map(({ aggregator }, index)',
      from: 'operatorOf(aggregator, changes)',
      to: 'operatorOf(members[0]!.aggregator, changes)',
    },
    'cogroup',
  ),
  storeTime(
    'streams of a cogroup go by times of their own in the store',
    { from: 'return this.#clock.now - this.#retentionMs + 1;', to: 'return -1;' },
    'cogroup-tumbling-lagging',
    'cogroup-session-lagging',
  ),
  suppress(
    'suppress waits a millisecond too long',
    { from: '<= clock.now - waitMs', to: '< clock.now - waitMs' },
    'suppress-time-limit',
    'tumbling-suppressed',
  ),
  suppress(
    'suppress emits deletions when a window closes',
    { from: 'if (change.newValue === null && untilWindowCloses) return;', to: '' },
    'tumbling-aggregate-suppressed',
    'session-suppressed',
  ),
  suppress(
    'a look-up finds what is held back',
    {
      within: 'function suppressedReader(',
      from: 'if (held === null) {',
      to: 'if (held === null || held !== null) {',
    },
    'suppress-joined',
  ),
  suppress(
    'a full buffer emits one record too late',
    { from: 'buffer.records > maxRecords', to: 'buffer.records > maxRecords + 1' },
    'suppress-max-records',
    'suppress-windows-time-limit',
  ),
  held(
    'a change held back moves to its new time',
    {
      from: 'if (row === null) {',
      to: 'if (row !== null && !this.keysTellTime) { store.set(row, null, time); row = null; }\n    if (row === null) {',
    },
    'suppress-time-limit',
    'suppress-aggregate',
  ),
];
