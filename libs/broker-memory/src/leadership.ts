// Owns who leads something that is replicated: a partition of a topic, or a share of the groups or transactional ids.

export interface Leadership {
  /** Node ids, the preferred first. */
  readonly replicas: readonly number[];
  /** -1: none is up. */
  leaderId: number;
  leaderEpoch: number;
}

export function newLeadership(replicas: readonly number[], isUp: (nodeId: number) => boolean): Leadership {
  return { replicas, leaderId: replicas.find(isUp) ?? -1, leaderEpoch: 0 };
}

/** Gives the lead to the first replica that is up. True when that changed something. */
export function elect(leadership: Leadership, isUp: (nodeId: number) => boolean): boolean {
  if (leadership.leaderId >= 0 && isUp(leadership.leaderId)) return false;
  const leaderId = leadership.replicas.find(isUp) ?? -1;
  if (leaderId === leadership.leaderId) return false;
  leadership.leaderId = leaderId;
  leadership.leaderEpoch++;
  return true;
}
