// Bugs of versioned tables, of records that wait for them, and of headers.
import { bugsOf } from './mutant.ts';

const rows = bugsOf('operators/versioned-store.ts');
const buffer = bugsOf('operators/join-buffer.ts');
const withTable = bugsOf('operators/stream-table-join.ts');
const windowed = bugsOf('operators/window-view.ts');

export const ofVersions = [
  rows(
    'a versioned table takes updates older than its history',
    { from: 'if (timestamp < horizon) return Put.TOO_OLD;', to: '' },
    'versioned-table',
    'versioned-to-table',
  ),
  rows(
    'a versioned table says of its past that it is the newest',
    { from: 'order.isLatest = put === Put.LATEST;', to: 'order.isLatest = true;' },
    'versioned-group-by',
    'versioned-table-join',
  ),
  rows(
    'a look-up as of a time finds the newest version',
    {
      within: 'asOf(key',
      from: 'if (latest.encoded !== null && latest.timestamp <= time)',
      to: 'if (latest.encoded !== null)',
    },
    'versioned-join',
  ),
  rows(
    'a look-up as of a time reaches behind the history',
    {
      within: 'asOf(key',
      from: 'if (time < this.#clock.now - this.#retentionMs) return this.#got(null);',
      to: '',
    },
    'versioned-join-short',
    'versioned-join-lagging',
    'versioned-left-join',
  ),
  rows(
    'a version is valid as long as the one it cuts in two',
    { from: 'if (next.timestamp < timestamp) {', to: 'if (false) {' },
    'versioned-join',
    'versioned-left-join',
    'process-versioned-store',
    'versioned-join-lagging',
  ),
  rows(
    'a deletion leaves no mark in history',
    { from: 'if (ends.encoded === null) store.set(ends, DELETED, timestamp);', to: '' },
    'versioned-left-join',
    'versioned-join',
    'versioned-join-lagging',
  ),
  withTable(
    'a join with a versioned table meets what is newest',
    { from: 'asOf === undefined ? table.get(key) : asOf(key, timestamp)', to: 'table.get(key)' },
    'versioned-join',
  ),
  withTable(
    'a record joined with a grace period does not wait',
    { within: 'function buffered(', from: 'if (timestamp < due) {', to: 'if (timestamp < due + 1000) {' },
    'versioned-join-grace',
  ),
  withTable(
    'a record waits a millisecond too long',
    {
      within: 'function buffered(',
      from: 'waiting.takeUntil(due, join);',
      to: 'waiting.takeUntil(due - 1, join);',
    },
    'versioned-join-grace',
    'versioned-left-join-grace',
  ),
  buffer(
    'a record that waits for its grace loses its headers',
    { from: 'context.outputHeaders = headers;', to: '' },
    'headers-join-grace',
  ),
  buffer(
    'of records with equal key and time one waits',
    { from: 'while (row.encoded !== null)', to: 'while (false)' },
    'versioned-join-grace',
    'versioned-left-join-grace',
  ),
  windowed(
    'a look-up in a table of windows finds none',
    { from: '?? null;\n      if (value === null) return null;', to: '?? null;\n      return null;' },
    'windowed-table-join',
  ),
];
