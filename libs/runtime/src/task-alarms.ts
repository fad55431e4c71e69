// Owns the alarms of a task's operators: which are due, and in which order they are fired. It fires none: task.ts does, in scopes.
//
// 1. `at` is never later than the true time: it is raised only by an alarm that has fired, lowered at any time.
// 2. An alarm whose scope is undone keeps its time, so it is fired again.
import type { Alarm, AlarmFunction } from '#libs/topology';

export type AlarmKind = 'event' | 'wall';

/** By how much an alarm is put off that fails and does not pass over what failed: event time, and wall clock. */
const POSTPONED_MS: Readonly<Record<AlarmKind, number>> = { event: 1, wall: 1_000 };

export class TaskAlarm implements Alarm {
  readonly kind: AlarmKind;
  /** It is fired once the time is here. At the start it is fired to find out. */
  at = -Infinity;
  private readonly fire: AlarmFunction;
  private readonly alarms: TaskAlarms;

  constructor(kind: AlarmKind, fire: AlarmFunction, alarms: TaskAlarms) {
    this.kind = kind;
    this.fire = fire;
    this.alarms = alarms;
  }

  due(time: number): void {
    if (time >= this.at) return;
    this.at = time;
    this.alarms.lowered(this.kind, time);
  }

  /** Runs in a scope. What is asked for meanwhile counts; a throw leaves the time as it was. */
  run(now: number, skip: boolean): void {
    const before = this.at;
    this.at = Infinity;
    let next: number;
    try {
      next = skip ? this.fire(now, true) : this.fire(now);
    } catch (error) {
      this.at = before;
      throw error;
    }
    if (next < this.at) this.at = next;
    this.alarms.raised(this.kind);
  }

  postpone(now: number): void {
    this.at = now + POSTPONED_MS[this.kind];
    this.alarms.raised(this.kind);
  }
}

export class TaskAlarms {
  /** The earliest event time that an alarm waits for. Not later than the truth. */
  eventDue = Infinity;
  /** As `eventDue`, by the wall clock. */
  wallDue = Infinity;
  private readonly event: TaskAlarm[] = [];
  private readonly wall: TaskAlarm[] = [];
  add(kind: AlarmKind, fire: AlarmFunction): TaskAlarm {
    const alarm = new TaskAlarm(kind, fire, this);
    this[kind].push(alarm);
    this.lowered(kind, alarm.at);
    return alarm;
  }

  /**
   * The one that is due first, if that is at `now` or before; of equal times that of the operator furthest upstream, as what it forwards may
   * matter to the others. Operators downstream register before those upstream, as they are folded.
   */
  due(kind: AlarmKind, now: number): TaskAlarm | null {
    if ((kind === 'event' ? this.eventDue : this.wallDue) > now) return null;
    let first: TaskAlarm | null = null;
    for (const alarm of this[kind]) {
      if (alarm.at <= now && (first === null || alarm.at <= first.at)) first = alarm;
    }
    return first;
  }

  lowered(kind: AlarmKind, time: number): void {
    if (kind === 'event') {
      if (time < this.eventDue) this.eventDue = time;
    } else if (time < this.wallDue) {
      this.wallDue = time;
    }
  }

  raised(kind: AlarmKind): void {
    let earliest = Infinity;
    for (const alarm of this[kind]) if (alarm.at < earliest) earliest = alarm.at;
    if (kind === 'event') this.eventDue = earliest;
    else this.wallDue = earliest;
  }

  get counts(): readonly [event: number, wall: number] {
    return [this.event.length, this.wall.length];
  }

  /** Forgets alarms registered in a scope that was undone. */
  truncate([event, wall]: readonly [event: number, wall: number]): void {
    this.event.length = event;
    this.wall.length = wall;
    this.raised('event');
    this.raised('wall');
  }
}
