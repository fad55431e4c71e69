// Holds the list of faults and the tests that inject them together: every fault is listed, has an outcome, and names a test that exists.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERROR_CODES } from '#libs/core';
import { root } from './source-files.ts';

const PAGE = 'docs/operations/faults.md';

/** What Millrace promises to meet; whoever adds a promise adds it here. */
const FAULTS = [
  'kill −9 mid-transaction',
  'crash between commit and store write',
  'crash between store write and the next fetch',
  'SIGTERM in commit',
  'SIGTERM in restore',
  'broker SIGKILL and restart',
  'coordinator still loading',
  'produce answer lost',
  'TxnOffsetCommit answer lost',
  'EndTxn answer lost',
  'produce, TxnOffsetCommit, EndTxn delayed past the next transaction',
  'zombie (paused for longer than its session)',
  'the same transactional id started twice',
  'transaction timeout expiry',
  'producer id expiry',
  'rebalance mid-epoch',
  'takeover while offsets are pending',
  'rebalance during restore',
  'standby promoted',
  'state directory locked by a slow predecessor',
  'torn RocksDB after kill −9',
  'corrupted SST',
  'disk full',
  'changelog truncated',
  'changelog deleted',
  'changelog with a control record at its end',
  "state directory older than the changelog's delete retention",
  'input offset out of range',
  'interleaved and aborted upstream transactions',
  'poison message',
  'message too large',
  'registry down',
  'incompatible schema',
  'far-future timestamp',
  'clock jump',
  'input topic repartitioned under us',
  'ACL denied mid-run',
  'the network cut and healed',
];

interface Row {
  readonly fault: string;
  readonly outcome: string;
  readonly injection: string;
  readonly test: string;
  readonly operator: string;
}

const rows: Row[] = readFileSync(join(root, PAGE), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| *(Fault|-+) *\|/.test(line))
  .map((line) => {
    const [fault = '', outcome = '', injection = '', test = '', operator = ''] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { fault, outcome, injection, test, operator };
  });

describe('the list of faults', () => {
  it('has every fault once', () => {
    const listed = rows.map(({ fault }) => fault);
    expect(listed).toEqual([...new Set(listed)]);
    expect(FAULTS.filter((fault) => !listed.includes(fault))).toEqual([]);
  });

  it('names an outcome of each, with error codes that exist', () => {
    const codes: readonly string[] = ERROR_CODES;
    const wrong = rows.filter(({ outcome, injection, operator }) => {
      const named = [...outcome.matchAll(/`(MILLRACE_[A-Z_]+)`/g)].map(([, code]) => code!);
      const isNamed =
        outcome.startsWith('survived') || (outcome.startsWith('stopped with `') && named.length > 0);
      return !isNamed || named.some((code) => !codes.includes(code)) || injection === '' || operator === '';
    });
    expect(wrong).toEqual([]);
  });

  it('names tests that are there', () => {
    const missing: string[] = [];
    for (const { fault, test } of rows) {
      const named = /^\[[^\]]+\]\((?<path>[^)]+)\) (?<names>“.+”)$/.exec(test)?.groups;
      const file = join(root, 'docs/operations', named?.['path'] ?? 'nowhere');
      if (named === undefined || !existsSync(file)) {
        missing.push(`${fault}: ${test}`);
        continue;
      }
      const source = readFileSync(file, 'utf8');
      for (const [, name] of named['names']!.matchAll(/“([^”]+)”/g)) {
        if (!source.includes(name!)) missing.push(`${fault}: ${test} has no “${name!}”`);
      }
    }
    expect(missing).toEqual([]);
  });
});
