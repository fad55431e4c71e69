// Owns looking at dead letters without touching them: what there is in all, and one by one.
import { silentLogger, systemClock } from '#libs/core';
import { connect } from '../connect.ts';
import type { DeadLetter, DeadLetterFilter, DeadLetterSummary, DeadLetterTopic } from './contract.ts';
import { matches, readDeadLetter } from './dead-letter-record.ts';
import { readProgress, redriveGroup, scan } from './dead-letter-scan.ts';

const PEEKED_DEFAULT = 20;
/** Kinds counted apart, of each of the ways to count. */
const KINDS_MAX = 1_000;

/** How many wait, and why. Reads all of them. @throws MillraceError MILLRACE_TOPIC_MISSING, or what stands between us and the broker. */
export async function summarizeDeadLetters(
  options: DeadLetterTopic & { readonly filter?: DeadLetterFilter | undefined },
): Promise<DeadLetterSummary> {
  const [byCode, byException, byOrigin, byNode] = [counts(), counts(), counts(), counts()];
  let [pending, done] = [0, 0];
  let oldest: number | null = null;
  let newest: number | null = null;
  await visitAll(options, (letter, isDone) => {
    if (!matches(letter, options.filter ?? {})) return true;
    if (isDone) {
      done++;
      return true;
    }
    pending++;
    const at = letter.failedAt ?? letter.timestamp;
    oldest = Math.min(oldest ?? at, at);
    newest = Math.max(newest ?? at, at);
    count(byCode, letter.code);
    count(byException, letter.exception);
    count(byOrigin, letter.origin?.topic ?? null);
    count(byNode, letter.node);
    return true;
  });
  return {
    ...{ pending, done, oldest, newest },
    byCode: Object.fromEntries(byCode),
    byException: Object.fromEntries(byException),
    byOrigin: Object.fromEntries(byOrigin),
    byNode: Object.fromEntries(byNode),
  };
}

/** The first dead letters that were not dealt with, as the filter means them. @throws as `summarizeDeadLetters`. */
export async function peekDeadLetters(
  options: DeadLetterTopic & {
    readonly filter?: DeadLetterFilter | undefined;
    /** Default 20. */
    readonly limit?: number | undefined;
  },
): Promise<DeadLetter[]> {
  const limit = options.limit ?? PEEKED_DEFAULT;
  const letters: DeadLetter[] = [];
  if (limit <= 0) return letters;
  await visitAll(options, (letter, isDone) => {
    if (!isDone && matches(letter, options.filter ?? {})) letters.push(letter);
    return letters.length < limit;
  });
  return letters;
}

async function visitAll(
  options: DeadLetterTopic,
  visit: (letter: DeadLetter, isDone: boolean) => boolean,
): Promise<void> {
  const { clock = systemClock, logger = silentLogger, topic, signal } = options;
  const client = connect(options.kafka, 'millrace-dlq', { clock, logger });
  try {
    const parts = { client, group: redriveGroup(options.applicationId), topic, logger, signal };
    const start = await readProgress(parts);
    await scan(parts, start, (columns, index, progress) =>
      visit(readDeadLetter(columns, index, progress.partition), progress.isDone(columns.offsets[index]!)),
    );
  } finally {
    await client.close();
  }
}

function counts(): Map<string, number> {
  return new Map();
}

function count(kinds: Map<string, number>, kind: string | null): void {
  let name = kind ?? 'unknown';
  if (!kinds.has(name) && kinds.size >= KINDS_MAX) name = 'others';
  kinds.set(name, (kinds.get(name) ?? 0) + 1);
}
