// Owns the words that the input, the application and the model of a chaos run share: topics, records, times. No behaviour.

export const APPLICATION_ID = 'chaos';
export const PARTITIONS = 4;
/** Of three sub-topologies. */
export const TASKS = 3 * PARTITIONS;

export const TOPICS = {
  events: 'events',
  prices: 'prices',
  ticks: 'ticks',
  echo: 'echo',
  stats: 'stats',
  joined: 'joined',
  windows: 'windows',
  timers: 'timers',
} as const;

export type OutputTopic = 'echo' | 'stats' | 'joined' | 'windows' | 'timers';

/** What the application reads and writes itself. */
export const REPARTITION = `${APPLICATION_ID}-by-group-repartition`;
export const CHANGELOG_SUFFIX = '-changelog';

/** Of the group, in milliseconds, so that a run need not wait long for what times bring about. */
export const GROUP_TIMES = { sessionTimeoutMs: 4_000, heartbeatIntervalMs: 400, rebalanceTimeoutMs: 6_000 };

/** Milliseconds. */
export const WINDOW_MS = 2_000;
export const GRACE_MS = 1_000;
export const WATERMARK_BOUND_MS = 100;
/** A key of `ticks` that brings nothing for so long is reported. */
export const QUIET_MS = 1_500;

/** An id of a record whose transaction is aborted begins with this: whoever sees one has read what was never committed. */
export const ABORTED = 'aborted';

export interface ChaosEvent {
  readonly id: string;
  readonly group: string;
  readonly amount: number;
}

export interface Price {
  /** From 1, ascending by key; below 0 in transactions that are aborted. */
  readonly version: number;
}

export interface ChaosTick {
  readonly id: string;
  readonly amount: number;
}

export interface Stats {
  /** Of the event that made this update. */
  readonly id: string;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

export interface JoinedEvent {
  readonly id: string;
  readonly version: number | null;
}

export interface WindowCount {
  readonly start: number;
  readonly count: number;
}
