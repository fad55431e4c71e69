// Owns how a run is measured: from outside, by the same signals on both sides.
//
// Throughput. Input offsets are committed in the transaction that commits the outputs, so the group's committed offsets
// say how many records are through, to the record. They are polled every 20 ms. The clock runs from the first commit
// seen to the one that completes the input, over the records committed in between: starting a JVM or Node, joining the
// group and filling the first epoch count for neither side. The polling costs some 50 small requests a second.
//
// Restore. From the system's own events as the harness reads them: from the first store's restore to running; `running
// after` is from the spawn of the process.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import type { BenchCluster } from './cluster.ts';
import type { ProcessUsage } from './process-usage.ts';
import { SystemProcess } from './system-process.ts';
import type { System, SystemTask } from './system-process.ts';

export interface Run extends ProcessUsage {
  readonly recordsPerSecond: number;
  /** Seconds the records took that `recordsPerSecond` is about. */
  readonly seconds: number;
  /** Restore: seconds from spawn to running. */
  readonly runningAfterSeconds?: number;
}

const POLL_MS = 20;
/** A run with no progress for so long has failed. */
const STALLED_MS = 120_000;

/** Runs `system` over the whole backlog once: the `records` of `inputs`. It has stopped when this returns. */
export async function measureThroughput(
  cluster: BenchCluster,
  system: System,
  task: SystemTask,
  inputs: readonly string[],
  records: number,
  onProgress: (committed: number) => void,
): Promise<Run> {
  const running = new SystemProcess(system, task);
  try {
    let first: { at: number; committed: number } | undefined;
    let committed = 0;
    let movedAt = performance.now();
    for (;;) {
      const now = await cluster.committed(task.applicationId, inputs);
      const at = performance.now();
      running.assertAlive();
      if (now > committed) {
        committed = now;
        movedAt = at;
        first ??= { at, committed };
        onProgress(committed);
      }
      if (committed >= records) break;
      if (at - movedAt > STALLED_MS)
        throw new Error(`${system.name} stalls at ${committed} of ${records} records`);
      await delay(POLL_MS);
    }
    const usage = await running.usage();
    await running.stop();
    if (committed > records) throw new Error(`${system.name} committed ${committed} of ${records} records`);
    // All in one commit: the records were too few to measure.
    const seconds = first === undefined ? 0 : (movedAt - first.at) / 1000;
    return { recordsPerSecond: (records - (first?.committed ?? 0)) / seconds, seconds, ...usage };
  } finally {
    running.kill();
  }
}

/** Wipes the state of a system that has stopped, starts it again, and waits until it is running. */
export async function measureRestore(system: System, task: SystemTask, keys: number): Promise<Run> {
  await rm(task.stateDir, { recursive: true, force: true });
  const running = new SystemProcess(system, task);
  try {
    const restoring = await running.event('restoring');
    const restored = await running.event('restored');
    const { at } = await running.event('running');
    const usage = await running.usage();
    await running.stop();
    if (restored.records !== keys) {
      throw new Error(`${system.name} restored ${restored.records ?? 0} records of ${keys}`);
    }
    const seconds = (at - restoring.at) / 1000;
    return {
      recordsPerSecond: keys / seconds,
      seconds,
      runningAfterSeconds: (at - running.spawnedAt) / 1000,
      ...usage,
    };
  } finally {
    running.kill();
  }
}

/** A fresh folder for a run's state; `remove` when it is done with. */
export async function stateFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
