// Owns the tasks of a worker: those that run, those being opened, and the way between. It decides nothing about which.
import type { RecordReader } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { TaskState } from '#libs/state';
import type { WaitingFailures } from './failure-counts.ts';
import type { RecordQueue } from './record-queue.ts';
import { OpeningCancelled, unlessAborted } from './task-opener.ts';
import type { TaskOpener } from './task-opener.ts';
import type { Task } from './task.ts';

interface Opening {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

export class TaskRegistry {
  private readonly running = new Map<TaskIdText, Task>();
  private readonly opening = new Map<TaskIdText, Opening>();
  private readonly ready: Task[] = [];
  private readonly queues = new Map<string, RecordQueue>();
  private readonly opener: TaskOpener;
  private readonly reader: RecordReader;
  private readonly wake: () => void;
  private closedRecords = 0;
  /** What this worker answers for, whether it runs, is being opened, or failed to open and waits for another attempt. */
  private readonly assigned = new Set<TaskIdText>();

  constructor(opener: TaskOpener, reader: RecordReader, wake: () => void) {
    this.opener = opener;
    this.reader = reader;
    this.wake = wake;
  }

  /** Tasks that run. */
  get tasks(): Iterable<Task> {
    return this.running.values();
  }

  /** `undefined`: it does not run here. */
  task(name: TaskIdText): Task | undefined {
    return this.running.get(name);
  }

  isAssigned(name: TaskIdText): boolean {
    return this.assigned.has(name);
  }

  get openingNames(): TaskIdText[] {
    return [...this.opening.keys()];
  }

  get assignedNames(): TaskIdText[] {
    return [...this.assigned];
  }

  /** Every assigned task runs, and the group's offsets name this worker as its owner. */
  get isComplete(): boolean {
    if (this.running.size !== this.assigned.size) return false;
    for (const task of this.running.values()) if (task.claimPending) return false;
    return true;
  }

  get processedRecords(): number {
    let count = this.closedRecords;
    for (const task of this.running.values()) count += task.recordCount;
    return count;
  }

  get waitingFailures(): WaitingFailures {
    const waiting: string[] = [];
    const delayed: WaitingFailures['delayed'][number][] = [];
    for (const { name, isRetrying, group } of this.running.values()) {
      if (isRetrying) waiting.push(name);
      delayed.push(...group.delayed);
    }
    return { waiting, delayed };
  }

  /** Keyed by `formatTopicPartition`. */
  queue(key: string): RecordQueue | undefined {
    return this.queues.get(key);
  }

  /** Begins to open tasks once `after` has resolved; each joins the loop by `admit` when it is ready. */
  openAll(
    names: readonly TaskIdText[],
    onFailure: (error: unknown) => void,
    after: Promise<void> = Promise.resolve(),
  ): void {
    for (const name of names) {
      this.assigned.add(name);
      if (this.running.has(name) || this.opening.has(name)) continue;
      const abort = new AbortController();
      const closed = Promise.all([after, this.retiring.get(name)]).then(() => undefined);
      const done = unlessAborted(closed, abort.signal, name)
        .then(() => this.opener.open(name, abort.signal))
        .then(
          async (task) => {
            // A failure to close what nobody wants any more is nobody's to wait for.
            if (abort.signal.aborted) await task.closeDirty().catch(onFailure);
            else this.ready.push(task);
          },
          (error: unknown) => {
            if (abort.signal.aborted || error instanceof OpeningCancelled) return;
            this.opening.delete(name);
            onFailure(error);
          },
        )
        .finally(() => this.wake());
      const opening: Opening = { abort, done };
      this.opening.set(name, opening);
    }
  }

  /** In the loop: tasks that became ready begin to run. */
  admit(): void {
    for (const task of this.ready.splice(0)) {
      this.opening.delete(task.name as TaskIdText);
      this.running.set(task.name as TaskIdText, task);
      task.notePhase('admitted');
      for (const queue of task.group.queues) {
        this.queues.set(formatTopicPartition(queue.topic, queue.partition), queue);
        this.reader.assign(queue.topic, queue.partition, queue.position, queue.leaderEpoch);
      }
    }
  }

  /** Lets a suspended task go on when what it waits for is there. */
  awaitSuspended(task: Task, onFailure: (error: unknown) => void): void {
    const waitingFor = task.suspended;
    if (waitingFor === null || this.awaited.get(task) === waitingFor) return;
    this.awaited.set(task, waitingFor);
    waitingFor.then(
      () => {
        // Should the task have to wait for the same again, it is noticed again.
        if (this.awaited.get(task) === waitingFor) this.awaited.delete(task);
        if (task.suspended === waitingFor) task.resume();
        this.wake();
      },
      (error: unknown) => {
        if (this.running.get(task.name as TaskIdText) === task) onFailure(error);
      },
    );
  }

  /** Several tasks may wait for one look-up: each is resumed. */
  private readonly awaited = new WeakMap<Task, Promise<void>>();

  /** Closes tasks whose epoch is committed; those being opened are cancelled. */
  async close(names: readonly TaskIdText[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const task = this.detach(name);
        await task?.close();
        await this.cancelOpening(name);
        this.assigned.delete(name);
      }),
    );
  }

  async closeAll(): Promise<void> {
    await Promise.all([this.close(this.assignedNames), ...this.retiring.values()]);
  }

  /**
   * Gives up tasks that run and whose epoch is committed; their databases are closed beside the loop. What is committed is in the
   * changelogs: nobody who waits for these tasks need wait for that. One that comes back is opened after it.
   */
  retire(names: readonly TaskIdText[], onFailure: (error: unknown) => void): void {
    for (const name of names) {
      const task = this.detach(name);
      if (task === null) continue;
      this.assigned.delete(name);
      const closed: Promise<void> = task
        .close()
        .catch(onFailure)
        .then(() => {
          if (this.retiring.get(name) === closed) this.retiring.delete(name);
        });
      this.retiring.set(name, closed);
    }
  }

  private readonly retiring = new Map<TaskIdText, Promise<void>>();

  /** Ends a task that runs and gives its open state away; `null`: it did not run, or keeps nothing that could be gone on with. */
  release(name: TaskIdText): TaskState | null {
    const task = this.running.get(name);
    if (task === undefined || !task.isStateReusable) return null;
    this.detach(name);
    this.assigned.delete(name);
    return task.release();
  }

  /** Drops tasks with all that is not committed, and what is being opened. */
  async closeAllDirty(): Promise<void> {
    const dirty = this.assignedNames.map((name) => this.closeDirty(name));
    await Promise.all([...dirty, ...this.retiring.values()]);
  }

  /**
   * Drops what tasks have not committed. States that are sound are given to `keep`, open, for the tasks to be opened on again.
   * `withOpenings`: what is being opened is given up too; otherwise it goes on, and stays assigned.
   */
  async abandonAll(keep: (name: TaskIdText, state: TaskState) => void, withOpenings: boolean): Promise<void> {
    await Promise.all(
      this.assignedNames.map(async (name) => {
        if (!withOpenings && this.opening.has(name)) return;
        const state = this.release(name);
        if (state !== null) keep(name, state);
        else await this.closeDirty(name);
      }),
    );
  }

  private async closeDirty(name: TaskIdText): Promise<void> {
    await this.detach(name)?.closeDirty();
    await this.cancelOpening(name);
    this.assigned.delete(name);
  }

  private detach(name: TaskIdText): Task | null {
    const task = this.running.get(name);
    if (task === undefined) return null;
    this.running.delete(name);
    this.closedRecords += task.recordCount;
    for (const queue of task.group.queues) {
      this.queues.delete(formatTopicPartition(queue.topic, queue.partition));
      this.reader.unassign(queue.topic, queue.partition);
    }
    return task;
  }

  private async cancelOpening(name: TaskIdText): Promise<void> {
    const opening = this.opening.get(name);
    if (opening === undefined) return;
    opening.abort.abort();
    this.opener.cancel(name);
    await opening.done;
    this.opening.delete(name);
    const readyAt = this.ready.findIndex((task) => task.name === name);
    if (readyAt >= 0) await this.ready.splice(readyAt, 1)[0]!.closeDirty();
  }
}
