// Owns the judgement on what the application wrote: the records of Kafka's console consumer against the model. Pure.
import type { ConsoleRecord } from '#libs/broker-local';
import { updated, windowLine } from './model.ts';
import type { Lines, Model } from './model.ts';
import { ABORTED, TOPICS } from './vocabulary.ts';
import type { JoinedEvent, OutputTopic, Stats, WindowCount } from './vocabulary.ts';

export interface Violation {
  /** Which promise is broken, such as `missing`, `doubled`, `order`. */
  readonly kind: string;
  /** What was seen where, with the offsets of the records. */
  readonly what: string;
}

export type Output = Readonly<Record<OutputTopic, readonly ConsoleRecord[]>>;

/** Of one kind in one topic; the rest is counted. */
const SHOWN_MAX = 5;

export class Violations {
  readonly list: Violation[] = [];
  #counts = new Map<string, number>();

  add(kind: string, where: string, what: string): void {
    const counted = `${kind} in ${where}`;
    const count = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, count);
    if (count <= SHOWN_MAX) this.list.push({ kind, what: `${where}: ${what}` });
  }

  /** All of them, with a line for those that are not shown. */
  all(): Violation[] {
    const more = [...this.#counts]
      .filter(([, count]) => count > SHOWN_MAX)
      .map(([counted, count]) => ({
        kind: counted.split(' ')[0]!,
        what: `${count - SHOWN_MAX} more like it: ${counted}`,
      }));
    return [...this.list, ...more];
  }

  get count(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }
}

export function judgeOutput(output: Output, model: Model, violations: Violations): void {
  for (const [topic, records] of Object.entries(output)) judgeAborted(topic, records, violations);
  judgeLines(TOPICS.echo, output.echo, (value) => JSON.parse(value) as string, model.echo, violations);
  judgeLines(
    TOPICS.joined,
    output.joined,
    (value) => (JSON.parse(value) as JoinedEvent).id,
    model.joined,
    violations,
  );
  judgeVersions(output.joined, model, violations);
  judgeLines(
    TOPICS.windows,
    output.windows,
    (value) => {
      const { start, count } = JSON.parse(value) as WindowCount;
      return windowLine(start, count);
    },
    model.windows,
    violations,
  );
  judgeLines(TOPICS.timers, output.timers, (value) => value, model.timers, violations);
  judgeStats(output.stats, model, violations);
}

function judgeAborted(topic: string, records: readonly ConsoleRecord[], violations: Violations): void {
  for (const record of records) {
    if (record.value?.includes(ABORTED) === true) {
      violations.add('aborted', topic, `${at(record)} comes of an aborted record: ${record.value}`);
    }
  }
}

/** The lines of every key, each once and in order. */
function judgeLines(
  topic: string,
  records: readonly ConsoleRecord[],
  lineOf: (value: string) => string,
  expected: Lines,
  violations: Violations,
): void {
  const written = new Map<string, { line: string; record: ConsoleRecord }[]>();
  for (const record of records) {
    const list = written.get(record.key!) ?? [];
    list.push({ line: lineOf(record.value!), record });
    written.set(record.key!, list);
  }
  for (const key of new Set([...expected.keys(), ...written.keys()])) {
    const want = expected.get(key) ?? [];
    const got = written.get(key) ?? [];
    const isSame = want.length === got.length && want.every((line, index) => got[index]!.line === line);
    if (!isSame) explain(topic, key, want, got, violations);
  }
}

function explain(
  topic: string,
  key: string,
  want: readonly string[],
  got: readonly { readonly line: string; readonly record: ConsoleRecord }[],
  violations: Violations,
): void {
  const open = new Map<string, number>();
  for (const line of want) open.set(line, (open.get(line) ?? 0) + 1);
  const known = new Set(want);
  let others = 0;
  for (const { line, record } of got) {
    const left = open.get(line) ?? 0;
    if (left > 0) {
      open.set(line, left - 1);
      continue;
    }
    others++;
    if (known.has(line)) violations.add('doubled', topic, `${at(record)}, key ${key}: ${line} once more`);
    else violations.add('wrong', topic, `${at(record)}, key ${key}: ${line} is no result of the input`);
  }
  for (const [line, left] of open) {
    if (left === 0) continue;
    others++;
    violations.add('missing', topic, `key ${key}: ${line}`);
  }
  if (others > 0) return;
  const first = want.findIndex((line, index) => got[index]!.line !== line);
  const { line, record } = got[first]!;
  violations.add('order', topic, `${at(record)}, key ${key}: ${line} where ${want[first]!} is due`);
}

/** A join sees rows that there are, and never an older one than before. */
function judgeVersions(records: readonly ConsoleRecord[], model: Model, violations: Violations): void {
  const seen = new Map<string, number>();
  for (const record of records) {
    const { id, version } = JSON.parse(record.value!) as JoinedEvent;
    const key = record.key!;
    const before = seen.get(key) ?? 0;
    const rows = model.versions.get(key) ?? [];
    const row = version === null ? -1 : rows.indexOf(version);
    if (row >= before) {
      seen.set(key, row);
      continue;
    }
    violations.add(
      'wrong',
      TOPICS.joined,
      `${at(record)}, key ${key}: ${id} met version ${String(version)}, which is row ${row} of ${rows.length}, behind row ${before}`,
    );
  }
}

/**
 * Events of several partitions meet in a group, in an order of the broker's: the one the updates tell. Whatever it is, each event is in
 * it once, those of a partition in their order, and every figure is that of the events so far.
 */
function judgeStats(records: readonly ConsoleRecord[], model: Model, violations: Violations): void {
  const figures = new Map<string, Omit<Stats, 'id'>>();
  const reached = new Map<string, number>();
  const ids = new Set<string>();
  for (const record of records) {
    const group = record.key!;
    const { id, ...got } = JSON.parse(record.value!) as Stats;
    const event = model.events.get(id);
    if (event?.group !== group) {
      violations.add('wrong', TOPICS.stats, `${at(record)}, key ${group}: there is no event ${id} in it`);
      continue;
    }
    if (ids.has(id)) {
      violations.add('doubled', TOPICS.stats, `${at(record)}, key ${group}: ${id} once more`);
      continue;
    }
    ids.add(id);
    const source = `${group} of partition ${event.partition}`;
    const before = reached.get(source) ?? -1;
    if (event.offset < before) {
      violations.add(
        'order',
        TOPICS.stats,
        `${at(record)}, key ${group}: ${id}, which is ${TOPICS.events}-${event.partition} offset ${event.offset}, comes behind offset ${before}`,
      );
    }
    reached.set(source, Math.max(before, event.offset));
    const want = updated(figures.get(group), event.amount);
    figures.set(group, want);
    if (JSON.stringify(want) !== JSON.stringify(got)) {
      violations.add(
        'wrong',
        TOPICS.stats,
        `${at(record)}, key ${group}: ${JSON.stringify(got)} where the events up to ${id} come to ${JSON.stringify(want)}`,
      );
      // From what was written, so that each mistake is told once.
      figures.set(group, got);
    }
  }
  for (const id of model.events.keys()) {
    if (!ids.has(id)) violations.add('missing', TOPICS.stats, `the update of ${id}`);
  }
}

function at({ partition, offset }: ConsoleRecord): string {
  return `partition ${partition} offset ${offset}`;
}
