// Owns what a task does between two records, each in a scope of its own, in this order: `init` at first; deliveries; operators that time
// moved on for and alarms by event time; alarms by the wall clock.
//
// Event time may have gone far with one record. Operators and alarms see it come moment by moment all the same: what an alarm of 10:05
// forwards reaches a window that ends at 10:10 before that is closed, and a timer of 10:06 downstream before that is fired. At one
// moment operators come before alarms, and what is upstream before what is downstream.
import type { Clock } from '#libs/core';
import type { CompiledTask } from '#libs/topology';
import type { EventTime } from './event-time.ts';
import type { OperatorClocks, TaskClock } from './operator-clocks.ts';
import type { TaskAlarm, TaskAlarms } from './task-alarms.ts';
import type { TaskContext } from './task-context.ts';
import type { FailureEnd, TaskFailures } from './task-failures.ts';
import type { TaskMailbox } from './task-mailbox.ts';
import type { ScopeEnd, TaskScopes } from './task-scopes.ts';

export interface TaskDueWorkParts {
  readonly taskName: string;
  readonly context: TaskContext;
  readonly compiled: Pick<CompiledTask, 'init'>;
  readonly scopes: TaskScopes;
  readonly clocks: OperatorClocks;
  readonly alarms: TaskAlarms;
  readonly mailbox: TaskMailbox;
  readonly eventTime: EventTime;
  readonly failures: TaskFailures;
  readonly clock: Clock;
}

export class TaskDueWork {
  isInitialised = false;
  private readonly parts: TaskDueWorkParts;

  constructor(parts: TaskDueWorkParts) {
    this.parts = parts;
  }

  /** Up to `limit` scopes; returns how many. Zero: nothing was due, or the task is suspended. @throws as TaskFailures. */
  run(limit: number): number {
    if (!this.isInitialised) return this.runInit();
    const { scopes, mailbox, alarms, clocks, eventTime, context } = this.parts;
    let steps = 0;
    while (steps < limit && mailbox.hasDeliveries) {
      if (this.deliver() === 'AGAIN') return scopes.suspended === null ? steps + 1 : steps;
      steps++;
    }
    eventTime.observe(context.streamTime);
    while (steps < limit) {
      const alarm = alarms.due('event', eventTime.now);
      const moment = Math.min(eventTime.operatorsAt, alarm?.at ?? Infinity);
      const clock = clocks.behind(moment);
      if (clock === null && alarm === null) break;
      const end =
        clock !== null
          ? this.advance(clock, moment)
          : // One that was never fired does not know yet what it waits for: nothing is due at that time.
            this.fire(alarm!, alarm!.at === -Infinity ? -1 : eventTime.now);
      if (end === 'AGAIN') return scopes.suspended === null ? steps + 1 : steps;
      steps++;
    }
    if (alarms.wallDue === Infinity) return this.afterSteps(steps, limit);
    const wallTime = this.parts.clock.now();
    while (steps < limit) {
      const alarm = alarms.due('wall', wallTime);
      if (alarm === null) break;
      if (this.fire(alarm, wallTime) === 'AGAIN') return scopes.suspended === null ? steps + 1 : steps;
      steps++;
    }
    return this.afterSteps(steps, limit);
  }

  private afterSteps(steps: number, limit: number): number {
    if (steps < limit) this.parts.failures.onNothingDue();
    return steps;
  }

  private runInit(): number {
    const { scopes, alarms, clocks, context, compiled, failures, taskName } = this.parts;
    const alarmsBefore = alarms.counts;
    const clocksBefore = clocks.clocks.length;
    const end = scopes.run(
      context.streamTime,
      () => compiled.init(),
      (error) => {
        throw failures.describe(error, 'processing', `The start of task ${taskName}`, {});
      },
    );
    if (end === 'DONE') {
      this.isInitialised = true;
      return 1;
    }
    // What is registered in `init` is registered again.
    alarms.truncate(alarmsBefore);
    clocks.truncate(clocksBefore);
    return scopes.suspended === null ? 1 : 0;
  }

  private deliver(): ScopeEnd {
    const { scopes, mailbox, context, failures, taskName } = this.parts;
    const { deliver, skip, record } = mailbox.peek()!;
    const time = context.streamTime;
    const onError = (error: unknown): FailureEnd =>
      failures.onScope(deliver, `A delivery in task ${taskName}`, time, error, true, record);
    const onSkipError = (error: unknown): FailureEnd =>
      failures.onScope(deliver, `The skipping of a delivery in task ${taskName}`, time, error, false);
    let end = scopes.run(time, deliver, onError);
    if (end === 'FAILED' && skip !== null) end = scopes.run(time, skip, onSkipError);
    if (end === 'AGAIN') return end;
    failures.onDone(deliver);
    mailbox.taken();
    return end;
  }

  private advance(clock: TaskClock, time: number): ScopeEnd {
    const { scopes, failures } = this.parts;
    const { onAdvance } = clock;
    if (onAdvance === null) {
      clock.now = time;
      return 'DONE';
    }
    const end = scopes.run(
      time,
      () => {
        clock.moveTo(time);
        onAdvance(time);
      },
      (error) => failures.onScope(clock, `Operator "${clock.name}" at event time ${time}`, time, error),
    );
    if (end === 'DONE') failures.onDone(clock);
    // What failed is due still: it is tried again when time moves on.
    if (end === 'FAILED') clock.now = time;
    return end;
  }

  private fire(alarm: TaskAlarm, now: number): ScopeEnd {
    const { scopes, failures, taskName } = this.parts;
    const onError = (error: unknown): FailureEnd =>
      failures.onScope(alarm, `An alarm of task ${taskName} by ${alarm.kind} time`, now, error);
    let end = scopes.run(now, () => alarm.run(now, false), onError);
    if (end === 'DONE') failures.onDone(alarm);
    if (end !== 'FAILED') return end;
    const onSkipError = (error: unknown): FailureEnd =>
      failures.onScope(alarm, `The skipping of an alarm of task ${taskName}`, now, error, false);
    end = scopes.run(now, () => alarm.run(now, true), onSkipError);
    if (end === 'FAILED') alarm.postpone(now);
    return end;
  }
}
