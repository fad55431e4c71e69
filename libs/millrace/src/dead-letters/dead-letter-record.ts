// Owns how a dead letter is read, and what it is when it is put back: the record as it was, with a count of how often. It knows the headers of
// Kafka Streams (KIP-1034) and ours.
import type { RecordColumns } from '#libs/broker';
import { encodeHeaders } from '#libs/broker';
import type { BinaryString, RecordHeader } from '#libs/core';
import { DEAD_LETTER_HEADERS as NAMES, isErrorHeader } from '#libs/runtime';
import { bytesFromBinary } from '#libs/serde';
import type { DeadLetter, DeadLetterFilter, DeadLetterOrigin } from './contract.ts';

/** On a record that was a dead letter: how often it was put back. */
export const REDRIVE_COUNT_HEADER = 'millrace.redrive.count';

export function readDeadLetter(columns: RecordColumns, index: number, partition: number): DeadLetter {
  const own: RecordHeader[] = [];
  const said = new Map<string, string>();
  for (const header of columns.readHeaders(index)) {
    const { key, value } = header;
    const isOurs = key === REDRIVE_COUNT_HEADER || isErrorHeader(key);
    if (!isOurs) own.push(header);
    else if (value !== null) said.set(key, Buffer.from(value).toString());
  }
  const timestamp = columns.timestamps[index]!;
  const [key, value] = [columns.key(index), columns.value(index)];
  return {
    partition,
    offset: columns.offsets[index]!,
    timestamp,
    key: key === null ? null : bytesFromBinary(key),
    value: value === null ? null : bytesFromBinary(value),
    headers: own,
    origin: originOf(said, timestamp),
    code: said.get(NAMES.code) ?? null,
    exception: said.get(NAMES.exception) ?? null,
    message: said.get(NAMES.message) ?? null,
    stacktrace: said.get(NAMES.stacktrace) ?? null,
    stage: said.get(NAMES.stage) ?? null,
    node: said.get(NAMES.node) ?? null,
    attempts: numberIn(said, NAMES.attempts),
    failedAt: numberIn(said, NAMES.failedAt),
    redrives: numberIn(said, REDRIVE_COUNT_HEADER) ?? 0,
  };
}

/** The headers with which it is put back. */
export function redrivenHeaders({ headers, redrives }: DeadLetter): BinaryString {
  return encodeHeaders([...headers, { key: REDRIVE_COUNT_HEADER, value: Buffer.from(String(redrives + 1)) }]);
}

/** Is it meant? */
export function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const { origin, offset, partition } = letter;
  if (!isAmong(letter.code, filter.codes) || !isAmong(letter.exception, filter.exceptions)) return false;
  if (!isAmong(letter.stage, filter.stages) || !isAmong(letter.node, filter.nodes)) return false;
  if (!isAmong(origin?.topic ?? null, filter.origins) || !isAmong(partition, filter.partitions)) return false;
  if (!isWithin(offset, filter.offsets)) return false;
  if (!isWithin(letter.failedAt ?? letter.timestamp, filter.failed)) return false;
  if (filter.key !== undefined) {
    if (letter.key === null || !Buffer.from(filter.key as string).equals(letter.key)) return false;
  }
  return filter.where === undefined || filter.where(letter);
}

function isAmong<T>(value: T | null, wanted: readonly T[] | undefined): boolean {
  return wanted === undefined || (value !== null && wanted.includes(value));
}

function isWithin(value: number, range: DeadLetterFilter['offsets']): boolean {
  return value >= (range?.from ?? -Infinity) && value < (range?.to ?? Infinity);
}

function originOf(said: ReadonlyMap<string, string>, timestamp: number): DeadLetterOrigin | null {
  const topic = said.get(NAMES.topic) ?? '';
  const partition = numberIn(said, NAMES.partition);
  if (topic === '' || partition === null) return null;
  return {
    topic,
    partition,
    offset: numberIn(said, NAMES.offset) ?? -1,
    timestamp: numberIn(said, NAMES.timestamp) ?? timestamp,
  };
}

function numberIn(said: ReadonlyMap<string, string>, name: string): number | null {
  const text = said.get(name);
  if (text === undefined || !/^\d{1,16}$/.test(text)) return null;
  return Number(text);
}
