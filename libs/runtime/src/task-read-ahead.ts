// Owns reading ahead for a chunk of records: keys, rows and ranges that their key's bytes and timestamps name, before any of them runs.
// What is not read here costs its record a miss, nothing else; stores that are in memory anyway are left out.
import type { RecordColumns } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { rowKey } from '#libs/state';
import type { GroupRange, TaskState } from '#libs/state';
import type { ReadAhead, SourceSpec } from '#libs/topology';

export class TaskReadAhead {
  private readonly state: TaskState;
  private readonly reads: readonly ReadAhead[];

  /** The timestamps of rows and ranges are the records' own: where an extractor has the last word they are not read ahead. */
  constructor(state: TaskState, source: SourceSpec) {
    this.state = state;
    this.reads = source.readAhead.filter(({ kind }) => kind === 'key' || source.timestampExtractor === null);
  }

  /** Is there anything to read now? */
  get isNeeded(): boolean {
    for (const { store } of this.reads) if (!this.state.isResident(store)) return true;
    return false;
  }

  /** Begins to read; `undefined`: all is in memory. */
  read(batches: readonly RecordColumns[], count: number): Promise<void> | undefined {
    const pending: Promise<void>[] = [];
    let keys: BinaryString[] | null = null;
    for (const read of this.reads) {
      if (this.state.isResident(read.store)) continue;
      let answer: Promise<void> | undefined;
      if (read.kind === 'key') {
        keys ??= keysOf(batches, count);
        answer = this.state.readAhead(read.store, keys, keys.length);
      } else if (read.kind === 'rows') {
        const rows = rowsOf(batches, count, read.suffixes);
        answer = this.state.readAhead(read.store, rows, rows.length);
      } else {
        answer = this.state.readAheadRanges(read.store, rangesOf(batches, count, read.from));
      }
      if (answer !== undefined) pending.push(answer);
    }
    if (pending.length === 0) return undefined;
    return pending.length === 1 ? pending[0]! : Promise.all(pending).then(() => undefined);
  }
}

function keysOf(batches: readonly RecordColumns[], count: number): BinaryString[] {
  const keys: BinaryString[] = [];
  for (let b = 0; b < count; b++) {
    const columns = batches[b]!;
    for (let i = 0; i < columns.count; i++) {
      const key = columns.key(i);
      if (key !== null) keys.push(key);
    }
  }
  return keys;
}

/** Each row once: windows of a key that follow one another overlap. */
function rowsOf(
  batches: readonly RecordColumns[],
  count: number,
  suffixes: (timestamp: number, into: BinaryString[]) => void,
): BinaryString[] {
  const rows = new Set<BinaryString>();
  const into: BinaryString[] = [];
  for (let b = 0; b < count; b++) {
    const columns = batches[b]!;
    for (let i = 0; i < columns.count; i++) {
      const key = columns.key(i);
      if (key === null) continue;
      into.length = 0;
      suffixes(columns.timestamps[i]!, into);
      for (const suffix of into) rows.add(rowKey(key, suffix));
    }
  }
  return [...rows];
}

/** One range for each group, from the earliest suffix any of its records asks for. */
function rangesOf(
  batches: readonly RecordColumns[],
  count: number,
  from: (timestamp: number) => BinaryString,
): GroupRange[] {
  const starts = new Map<BinaryString, BinaryString>();
  for (let b = 0; b < count; b++) {
    const columns = batches[b]!;
    for (let i = 0; i < columns.count; i++) {
      const key = columns.key(i);
      if (key === null) continue;
      const start = from(columns.timestamps[i]!);
      const before = starts.get(key);
      if (before === undefined || start < before) starts.set(key, start);
    }
  }
  const ranges: GroupRange[] = [];
  for (const [group, start] of starts) ranges.push({ group, from: start });
  return ranges;
}
