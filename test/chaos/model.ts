// Owns what the application must come to: computed from the committed input as Kafka's own consumer reads it, by code that shares none
// with Millrace. Each operator of chaos-topology.ts is said here once more, as a loop.
import type { RawRecord } from './peer.ts';
import { GRACE_MS, QUIET_MS, TOPICS, WATERMARK_BOUND_MS, WINDOW_MS } from './vocabulary.ts';
import type { ChaosEvent, ChaosTick, Price, Stats } from './vocabulary.ts';

/** By key, in the order in which they must come. */
export type Lines = Map<string, string[]>;

export interface Model {
  /** Ids of the events, in the order of each key. */
  readonly echo: Lines;
  /** Start and count of each update. */
  readonly windows: Lines;
  readonly timers: Lines;
  /** The ids that each join result must have, in order; the versions are judged apart. */
  readonly joined: Lines;
  /** Of each event, by id. */
  readonly events: ReadonlyMap<string, PlacedEvent>;
  /** The versions of each key of the table, in the order of the log: that of the producers' transactions, which ran side by side. */
  readonly versions: ReadonlyMap<string, readonly number[]>;
  readonly stats: ReadonlyMap<string, Omit<Stats, 'id'>>;
  readonly records: number;
}

export interface PlacedEvent extends ChaosEvent {
  /** Where it lies: events of one partition keep their order through the repartition. */
  readonly partition: number;
  readonly offset: number;
}

export function modelOf(input: readonly RawRecord[]): Model {
  const echo: Lines = new Map();
  const joined: Lines = new Map();
  const windows: Lines = new Map();
  const timers: Lines = new Map();
  const events = new Map<string, PlacedEvent>();
  const versions = new Map<string, number[]>();
  const stats = new Map<string, Omit<Stats, 'id'>>();
  let records = 0;
  for (const [topicPartition, list] of partitionsOf(input)) {
    const topic = topicPartition.split('/')[0];
    if (topic === TOPICS.events) {
      const counter = new WindowCounter(windows);
      for (const record of list) {
        const event = JSON.parse(record.value!) as ChaosEvent;
        records++;
        events.set(event.id, { ...event, partition: record.partition, offset: record.offset });
        add(echo, record.key!, event.id);
        add(joined, record.key!, event.id);
        counter.count(record.key!, record.timestamp);
        stats.set(event.group, updated(stats.get(event.group), event.amount));
      }
    } else if (topic === TOPICS.prices) {
      for (const { key, value } of list) {
        const { version } = JSON.parse(value!) as Price;
        versions.set(key!, [...(versions.get(key!) ?? []), version]);
      }
    } else {
      records += list.length;
      timersOf(list, timers);
    }
  }
  return { echo, windows, timers, joined, events, versions, stats, records };
}

export function updated(before: Omit<Stats, 'id'> | undefined, amount: number): Omit<Stats, 'id'> {
  if (before === undefined) return { count: 1, sum: amount, min: amount, max: amount };
  return {
    count: before.count + 1,
    sum: before.sum + amount,
    min: Math.min(before.min, amount),
    max: Math.max(before.max, amount),
  };
}

/** Of one partition: late is what comes when its window and the grace are over by the highest timestamp so far. */
class WindowCounter {
  readonly #lines: Lines;
  readonly #counts = new Map<string, number>();
  #highest = -1;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  count(key: string, timestamp: number): void {
    this.#highest = Math.max(this.#highest, timestamp);
    const start = Math.floor(timestamp / WINDOW_MS) * WINDOW_MS;
    if (start + WINDOW_MS + GRACE_MS <= this.#highest) return;
    const count = (this.#counts.get(`${key} ${start}`) ?? 0) + 1;
    this.#counts.set(`${key} ${start}`, count);
    add(this.#lines, key, windowLine(start, count));
  }
}

export const windowLine = (start: number, count: number): string => `${count} in the window of ${start}`;

/** Of one partition: a record is seen first, then the timers that its watermark has reached. */
function timersOf(records: readonly RawRecord[], lines: Lines): void {
  const open = new Map<string, { sum: number; due: number }>();
  let highest = -1;
  for (const { key, value, timestamp } of records) {
    const { id, amount } = JSON.parse(value!) as ChaosTick;
    const sum = (open.get(key!)?.sum ?? 0) + amount;
    open.set(key!, { sum, due: timestamp + QUIET_MS });
    add(lines, key!, `tick ${id} ${sum}`);
    highest = Math.max(highest, timestamp);
    for (const [quiet, timer] of open) {
      if (timer.due > highest - WATERMARK_BOUND_MS) continue;
      add(lines, quiet, `quiet ${timer.due} ${timer.sum}`);
      open.delete(quiet);
    }
  }
}

function add(lines: Lines, key: string, line: string): void {
  const list = lines.get(key);
  if (list === undefined) lines.set(key, [line]);
  else list.push(line);
}

function partitionsOf(records: readonly RawRecord[]): Map<string, RawRecord[]> {
  const partitions = new Map<string, RawRecord[]>();
  for (const record of records) {
    const name = `${record.topic}/${record.partition}`;
    const list = partitions.get(name);
    if (list === undefined) partitions.set(name, [record]);
    else list.push(record);
  }
  return partitions;
}
