// Owns scopes: what an operator does in one is all there or all undone. It bounds them for every part that takes part in one, and
// suspends the task where a scope found out that something has to be read first.
import type { Clock, Logger } from '#libs/core';
import { SchemaPending } from '#libs/serde';
import { StateMiss } from '#libs/state';
import type { TaskState } from '#libs/state';
import { LookUps } from './look-ups.ts';
import type { OperatorClocks } from './operator-clocks.ts';
import { TopicPending } from './output-collector.ts';
import type { OutputCollector } from './output-collector.ts';
import type { FailureEnd } from './task-failures.ts';
import type { TraceLinks } from './insight/trace-links.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskMailbox } from './task-mailbox.ts';

/** How a scope ended. `AGAIN`: undone, to be run again once the task is no longer suspended. `FAILED`: undone, and let go. */
export type ScopeEnd = 'DONE' | 'AGAIN' | 'FAILED';

export interface TaskScopesParts {
  readonly context: TaskContext;
  /** `null`: the sub-topology keeps no state. */
  readonly state: TaskState | null;
  readonly collector: OutputCollector;
  readonly clocks: OperatorClocks;
  readonly mailbox: TaskMailbox;
  readonly links: TraceLinks;
  /** Finds out the partition count of a topic that a sink or the dead-letter queue needs. */
  readonly resolveTopic: (topic: string) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly taskName: string;
}

export class TaskScopes {
  /** Pending read that the next scope waits for. */
  suspended: Promise<void> | null = null;
  /** Has the open epoch anything of this task? */
  touched = false;
  private readonly parts: TaskScopesParts;
  private readonly lookUps: LookUps;

  constructor(parts: TaskScopesParts) {
    this.parts = parts;
    this.lookUps = new LookUps(parts.clock, parts.logger, `Task ${parts.taskName}`);
  }

  /** Any scope but a record. `onError` throws to stop the task, lets the scope go, or says when it is to be run again. */
  run(timestamp: number, action: () => void, onError: (error: unknown) => FailureEnd): ScopeEnd {
    const { context, state, collector, mailbox } = this.parts;
    context.leaveRecord(timestamp);
    state?.beginRecord();
    collector.beginRecord();
    mailbox.inScope = true;
    try {
      action();
      this.endAction();
    } catch (thrown) {
      const error = this.awaited ?? thrown;
      this.undo();
      if (this.canWaitFor(error)) return 'AGAIN';
      return this.afterFailure(error, onError);
    }
    mailbox.inScope = false;
    mailbox.keep();
    if (collector.recordHasOutput || state?.recordChanged === true) this.touched = true;
    return 'DONE';
  }

  private afterFailure(error: unknown, onError: (error: unknown) => FailureEnd): ScopeEnd {
    let end: FailureEnd;
    try {
      end = onError(error);
    } catch (failure) {
      if (this.canWaitFor(failure)) return 'AGAIN';
      throw failure;
    }
    if (end === 'SETTLED') return 'FAILED';
    this.suspended = end.wait;
    return 'AGAIN';
  }

  /** What the present scope has to wait for, whatever the operators made of the signal. */
  get awaited(): Error | null {
    return this.parts.collector.awaited ?? this.parts.state?.awaited ?? null;
  }

  /** To be called when the operators have returned. @throws what the scope has to wait for, where they swallowed it. */
  endAction(): void {
    const { awaited } = this;
    if (awaited !== null) throw awaited;
  }

  /** Takes back all that the present scope did, but stream time: that is the record loop's. */
  undo(): void {
    const { state, collector, clocks, mailbox, links } = this.parts;
    mailbox.inScope = false;
    state?.undoRecord();
    collector.undoRecord();
    clocks.undo();
    mailbox.undo();
    links.undo();
  }

  /** Suspends the task when `error` only says that something has to be read first. */
  canWaitFor(error: unknown): boolean {
    if (error instanceof StateMiss) this.suspended = this.parts.state!.read(error) ?? null;
    else if (error instanceof SchemaPending) this.suspended = this.lookUps.wait(error.ready);
    else if (error instanceof TopicPending) this.suspended = this.parts.resolveTopic(error.topic);
    else return false;
    return true;
  }
}
