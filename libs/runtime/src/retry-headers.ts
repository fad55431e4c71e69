// Owns what a record says of itself while it waits in a retry topic: where it lay, how often it was tried, when it is due. It goes in headers of ours,
// behind the record's own, and nobody sees them: neither functions of the user's nor the topics that the record's results go to.
import { encodeHeaders } from '#libs/broker';
import type { RecordColumns } from '#libs/broker';
import type { BinaryString, RecordHeader, RecordOrigin } from '#libs/core';

export const RETRY_HEADERS = {
  topic: 'millrace.retry.topic',
  partition: 'millrace.retry.partition',
  offset: 'millrace.retry.offset',
  attempts: 'millrace.retry.attempts',
  notBefore: 'millrace.retry.not-before',
} as const;

const PREFIX = 'millrace.retry.';

/** Where a record lay at first, whatever topics it went through, and what was tried. */
export interface RecordHistory extends RecordOrigin {
  /** Tries that failed, in all. */
  readonly attempts: number;
}

/** The record's headers as they were before it failed for the first time. */
export function withoutRetryHeaders(headers: readonly RecordHeader[]): RecordHeader[] {
  return headers.filter(({ key }) => !key.startsWith(PREFIX));
}

/** `notBefore`: milliseconds since the Unix epoch. */
export function encodeRetryHeaders(
  own: readonly RecordHeader[],
  history: RecordHistory,
  notBefore: number,
): BinaryString {
  return encodeHeaders([
    ...own,
    numbered(RETRY_HEADERS.topic, history.topic),
    numbered(RETRY_HEADERS.partition, history.partition),
    numbered(RETRY_HEADERS.offset, history.offset),
    numbered(RETRY_HEADERS.attempts, history.attempts),
    numbered(RETRY_HEADERS.notBefore, notBefore),
  ]);
}

export interface WaitingRecord {
  readonly history: RecordHistory;
  readonly notBefore: number;
}

/**
 * What the record at `index` says. What is missing or no number is taken from where it lies: a record that somebody else wrote into the topic
 * is tried at once, as if it had never been tried.
 */
export function readRetryHeaders(
  columns: RecordColumns,
  index: number,
  fallback: { readonly topic: string; readonly partition: number },
): WaitingRecord {
  const found = new Map<string, string>();
  for (const { key, value } of columns.readHeaders(index)) {
    if (key.startsWith(PREFIX) && value !== null) found.set(key, Buffer.from(value).toString());
  }
  const count = (name: string, otherwise: number): number => {
    const value = Number(found.get(name) ?? Number.NaN);
    return Number.isSafeInteger(value) && value >= 0 ? value : otherwise;
  };
  return {
    history: {
      topic: found.get(RETRY_HEADERS.topic) ?? fallback.topic,
      partition: count(RETRY_HEADERS.partition, fallback.partition),
      offset: count(RETRY_HEADERS.offset, -1),
      timestamp: columns.timestamps[index]!,
      attempts: count(RETRY_HEADERS.attempts, 0),
    },
    notBefore: count(RETRY_HEADERS.notBefore, 0),
  };
}

function numbered(key: string, value: string | number): RecordHeader {
  return { key, value: Buffer.from(String(value)) };
}
