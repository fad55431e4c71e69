// Owns the event time of a task's operators: one clock each, undone with the scope that moved it.
// What time is, is decided elsewhere: by the operator's records, or by the task's event time (event-time.ts).
import { MillraceError } from '#libs/core';
import type { OperatorClock } from '#libs/topology';
import type { OutputCollector } from './output-collector.ts';

/** Numbers the scopes of a worker; ascending. */
type ScopeNumber = Pick<OutputCollector, 'recordNumber'>;

export class TaskClock implements OperatorClock {
  readonly name: string;
  /** What its time is committed under. */
  readonly id: string;
  now: number;
  /** What the operator does when time moved without a record of its own; `null`: nothing. */
  readonly onAdvance: ((now: number) => void) | null;
  /** Only its operator moves it. */
  readonly own: boolean;
  private readonly followsRecords: boolean;
  private readonly scope: ScopeNumber;
  private before = -1;
  private changedIn = -1;

  constructor(
    name: string,
    id: string,
    now: number,
    onAdvance: ((now: number) => void) | null,
    followsRecords: boolean,
    scope: ScopeNumber,
    own = false,
  ) {
    this.own = own;
    this.name = name;
    this.id = id;
    this.now = now;
    this.onAdvance = onAdvance;
    this.followsRecords = followsRecords;
    this.scope = scope;
  }

  observe(timestamp: number): number {
    if (timestamp > this.now && (this.followsRecords || this.own)) this.moveTo(timestamp);
    return this.now;
  }

  moveTo(time: number): void {
    const { recordNumber } = this.scope;
    if (this.changedIn !== recordNumber) {
      this.before = this.now;
      this.changedIn = recordNumber;
    }
    this.now = time;
  }

  /** Takes back what the present scope did. */
  undo(): void {
    if (this.changedIn !== this.scope.recordNumber) return;
    this.now = this.before;
    this.changedIn = -1;
  }
}

export class OperatorClocks {
  /** In order of registration: operators downstream come before those upstream, as they are folded. */
  readonly clocks: TaskClock[] = [];
  private readonly restored: ReadonlyMap<string, number>;
  private readonly followRecords: boolean;
  private readonly scope: ScopeNumber;

  /** `restored`: times as committed, by `shortHash` of the name. */
  constructor(restored: ReadonlyMap<string, number>, followRecords: boolean, scope: ScopeNumber) {
    this.restored = restored;
    this.followRecords = followRecords;
    this.scope = scope;
  }

  add(name: string, id: string, onAdvance: ((now: number) => void) | null, own = false): TaskClock {
    if (this.clocks.some((clock) => clock.id === id)) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_TOPOLOGY',
        message: `The time of operator "${name}" would be committed under the name of another operator's.`,
        remedy: 'Give the operator another name.',
      });
    }
    const clock = new TaskClock(
      name,
      id,
      this.restored.get(id) ?? -1,
      onAdvance,
      this.followRecords,
      this.scope,
      own,
    );
    this.clocks.push(clock);
    return clock;
  }

  /** The first operator, upstream first, whose time is below `time`; `null`: all are there. */
  behind(time: number): TaskClock | null {
    for (let i = this.clocks.length - 1; i >= 0; i--) {
      const clock = this.clocks[i]!;
      if (clock.now < time && !clock.own) return clock;
    }
    return null;
  }

  timeOf(name: string): number {
    return this.clocks.find((clock) => clock.name === name)?.now ?? -1;
  }

  /** By id. */
  times(): Map<string, number> {
    const times = new Map<string, number>();
    for (const { id, now } of this.clocks) times.set(id, now);
    return times;
  }

  undo(): void {
    for (const clock of this.clocks) clock.undo();
  }

  /** Forgets clocks registered in a scope that was undone. */
  truncate(length: number): void {
    this.clocks.length = length;
  }
}
