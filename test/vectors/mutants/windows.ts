// Bugs of windowed aggregates.
import { bugsOf } from './mutant.ts';

const aligned = bugsOf('operators/window-aggregate.ts');
const slots = bugsOf('operators/window-slots.ts');
const sliding = bugsOf('operators/window-sliding.ts');
const session = bugsOf('operators/window-session.ts');
const emission = bugsOf('operators/window-emission.ts');
const closing = bugsOf('operators/window-closing.ts');

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
    { from: 'store.set(emitted, time, time);', to: '' },
    'tumbling-count-on-close',
  ),
];
