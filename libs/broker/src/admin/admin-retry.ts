// Owns how administration retries: to a deadline, with the last obstacle named when it passes.
import { Deadline, retry } from '../cluster/index.ts';
import type { Again, Cluster } from '../cluster/index.ts';
import { timedOut } from '../protocol/errors.ts';

export const ADMIN_DEADLINE_MS = 60_000;

export function adminRetry<T>(
  cluster: Cluster,
  what: string,
  attempt: (timeoutMs: number) => Promise<T | Again>,
  deadlineMs = ADMIN_DEADLINE_MS,
): Promise<T> {
  const deadline = new Deadline(cluster.clock, deadlineMs);
  return retry<T>(
    {
      clock: cluster.clock,
      deadline,
      requestTimeoutMs: cluster.requestTimeoutMs,
      onDeadline: (last) => timedOut(what, deadline.waitedMs, last),
    },
    attempt,
  );
}

/** `items` by `key`, in the shape most requests want. */
export function grouped<T, V>(
  items: readonly T[],
  key: (item: T) => string,
  value: (item: T) => V,
): { readonly name: string; readonly partitions: V[] }[] {
  const groups = new Map<string, V[]>();
  for (const item of items) {
    const list = groups.get(key(item));
    if (list === undefined) groups.set(key(item), [value(item)]);
    else list.push(value(item));
  }
  return [...groups].map(([name, partitions]) => ({ name, partitions }));
}
