// Owns the schedules of one processor and kind of time: which is due, and when it is due again. It keeps no clock; alarms call it.
// Source of the rules: PunctuationSchedule and PunctuationQueue of Kafka Streams: times are start + n × interval, missed ones are left
// out.
import type { Site } from './operator.ts';
import type { Alarm } from '../ports.ts';
import type { Cancellable, Punctuator } from '../options/processing.ts';

interface Schedule {
  readonly intervalMs: number;
  readonly punctuator: Punctuator;
  next: number;
  cancelled: boolean;
}

export class Punctuations {
  readonly #alarm: Alarm;
  /** In order of `next`, and of scheduling among equals. */
  #schedules: Schedule[] = [];
  /** What takes back the changes of the scope in process. */
  readonly #undo: (() => void)[] = [];

  /** `run` calls a punctuator, `settled` is told the time at which nothing is due any more. */
  constructor(
    kind: 'event' | 'wall',
    site: Site,
    run: (punctuator: Punctuator, now: number) => void,
    settled: ((now: number) => void) | null,
  ) {
    this.#alarm = site.alarm(kind, (now) => this.#fire(now, run, settled));
    site.onScope({
      begin: () => {
        if (this.#undo.length === 0) return;
        this.#undo.length = 0;
        this.#schedules = this.#schedules.filter(({ cancelled }) => !cancelled);
      },
      undo: () => {
        for (let index = this.#undo.length - 1; index >= 0; index--) this.#undo[index]!();
        this.#undo.length = 0;
      },
    });
  }

  add(next: number, intervalMs: number, punctuator: Punctuator): Cancellable {
    const schedule: Schedule = { intervalMs, punctuator, next, cancelled: false };
    this.#schedules.push(schedule);
    this.#undo.push(() => {
      this.#schedules = this.#schedules.filter((other) => other !== schedule);
    });
    this.#alarm.due(next);
    return {
      cancel: () => {
        if (schedule.cancelled) return;
        schedule.cancelled = true;
        this.#undo.push(() => {
          schedule.cancelled = false;
        });
      },
    };
  }

  #fire(
    now: number,
    run: (punctuator: Punctuator, now: number) => void,
    settled: ((now: number) => void) | null,
  ): number {
    const due = this.#earliest();
    if (due === null || due.next > now) return due?.next ?? Infinity;
    run(due.punctuator, now);
    const before = due.next;
    this.#undo.push(() => {
      due.next = before;
    });
    due.next = nextAfter(before, due.intervalMs, now);
    const next = this.#earliest()?.next ?? Infinity;
    if (next > now) settled?.(now);
    return next;
  }

  #earliest(): Schedule | null {
    let earliest: Schedule | null = null;
    for (const schedule of this.#schedules) {
      if (!schedule.cancelled && (earliest === null || schedule.next < earliest.next)) earliest = schedule;
    }
    return earliest;
  }
}

/** At least one interval on, and after `now`. */
export function nextAfter(time: number, intervalMs: number, now: number): number {
  if (now < time + intervalMs) return time + intervalMs;
  return time + (Math.floor((now - time) / intervalMs) + 1) * intervalMs;
}
