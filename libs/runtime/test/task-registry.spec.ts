// Tasks that are given up are closed beside the loop, and what waits for their databases.
import { describe, expect, it } from '@jest/globals';
import type { RecordReader } from '#libs/broker';
import type { TaskIdText } from '#libs/core';
import type { TaskOpener } from '../src/task-opener.ts';
import { TaskRegistry } from '../src/task-registry.ts';
import type { Task } from '../src/task.ts';

const NAME = '0_0' as TaskIdText;

interface Bench {
  readonly registry: TaskRegistry;
  readonly failures: unknown[];
  /** Openings begun. */
  readonly opened: () => number;
  /** Ends the close of the task that was opened first. */
  readonly closed: (failure?: Error) => void;
}

/** A registry whose first task closes when the test says so. */
async function running(): Promise<Bench> {
  let opened = 0;
  let closed: (failure?: Error) => void = () => undefined;
  const task = (): Partial<Task> => {
    const isFirst = ++opened === 1;
    const end = new Promise<void>((resolve, reject) => {
      if (isFirst) closed = (failure) => (failure === undefined ? resolve() : reject(failure));
      else resolve();
    });
    return {
      name: NAME,
      recordCount: 0,
      group: { queues: [] } as unknown as Task['group'],
      notePhase: () => undefined,
      close: () => end,
    };
  };
  const opener = { open: async () => task(), cancel: () => undefined } as unknown as TaskOpener;
  const registry = new TaskRegistry(opener, {} as RecordReader, () => undefined);
  const failures: unknown[] = [];
  registry.openAll([NAME], (error) => failures.push(error));
  await settled();
  registry.admit();
  return { registry, failures, opened: () => opened, closed: (failure) => closed(failure) };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('a task that is given up', () => {
  it('is no longer owned while its database closes', async () => {
    const { registry, failures, closed } = await running();
    registry.retire([NAME], (error) => failures.push(error));
    expect([registry.assignedNames, [...registry.tasks]]).toEqual([[], []]);
    closed();
    await settled();
    expect(failures).toEqual([]);
  });

  it('is opened again only when its database is closed', async () => {
    const { registry, failures, opened, closed } = await running();
    registry.retire([NAME], (error) => failures.push(error));
    registry.openAll([NAME], (error) => failures.push(error));
    await settled();
    expect([opened(), registry.assignedNames]).toEqual([1, [NAME]]);
    closed();
    await settled();
    expect(opened()).toBe(2);
  });

  it('tells when its database does not close, and may come back all the same', async () => {
    const { registry, failures, opened, closed } = await running();
    registry.retire([NAME], (error) => failures.push(error));
    registry.openAll([NAME], (error) => failures.push(error));
    closed(new Error('the disk is full'));
    await settled();
    expect(failures).toEqual([new Error('the disk is full')]);
    expect(opened()).toBe(2);
  });

  it.each(['closeAll', 'closeAllDirty'] as const)('is waited for by the end of all (%s)', async (end) => {
    const { registry, failures, closed } = await running();
    registry.retire([NAME], (error) => failures.push(error));
    let ended = false;
    const all = registry[end]().then(() => (ended = true));
    await settled();
    expect(ended).toBe(false);
    closed();
    await all;
    expect(ended).toBe(true);
  });
});
