// Owns the rate of each task, from snapshots of some seconds: the API counts tasks' records and leaves the rate to who looks. Pure.
import type { Snapshot } from './wire.ts';

/** Records per second by task; a task that was opened since counts from nothing. */
export function taskRates(past: readonly Pick<Snapshot, 'at' | 'tasks'>[]): ReadonlyMap<string, number> {
  const rates = new Map<string, number>();
  const first = past[0];
  const last = past.at(-1);
  if (first === undefined || last === undefined || last.at <= first.at) return rates;
  const seconds = (last.at - first.at) / 1_000;
  const before = new Map(first.tasks.map(({ taskId, records }) => [taskId as string, records]));
  for (const { taskId, records } of last.tasks) {
    const known = before.get(taskId);
    if (known === undefined) continue;
    rates.set(taskId, Math.max(0, records - (records < known ? 0 : known)) / seconds);
  }
  return rates;
}
