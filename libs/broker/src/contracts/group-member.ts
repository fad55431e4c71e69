// Owns the contract of group membership in Kafka's classic protocol with our own assignor, protocol type `consumer` with
// standard framing, so that Kafka's tools read the group. It never touches tasks, positions or commits.
//
//   UNJOINED ──start──► JOINING ──► SYNCING ──► STABLE ──rebalance──► JOINING
//                          ▲                       │
//                          └──────── LOST ◄────────┘ unknown member, session gone, illegal or missed generation
//   any ──leave──► LEFT        FENCED_INSTANCE_ID ──► FAILED
import type { TopicPartition } from '#libs/core';
import type { GroupMetadata } from './transactional-writer.ts';

export interface Subscription {
  readonly topics: readonly string[];
  /** What the member owns as it joins; empty under eager rebalancing. */
  readonly ownedPartitions: readonly TopicPartition[];
  /** Our own data for the assignor; opaque here. */
  readonly userData: Uint8Array;
}

export interface MemberSubscription extends Subscription {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** Generation the member reports to have owned its partitions in; -1 unknown. */
  readonly generationId: number;
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Uint8Array;
}

export interface GroupMemberHandler {
  /** Called before each join. The member joins with what this resolves to; what is not in `ownedPartitions` counts as given up. */
  beforeJoin(): Promise<Subscription>;
  /** Called on the leader. Pure with respect to the group: same input, same output. Keyed by member id. */
  assign(members: readonly MemberSubscription[]): Promise<ReadonlyMap<string, Assignment>>;
  /** A new generation. Heartbeats go on while this runs. */
  onAssigned(assignment: Assignment, group: GroupMetadata): Promise<void>;
  /**
   * The group gave, or may have given, the member's partitions away without asking: nothing read under the old generation may be
   * committed. A generation that passed without the member counts as such. It joins again once this has resolved, never before.
   */
  onLost(reason: string): Promise<void>;
  /** The member failed for good: fenced instance id, authorisation, inconsistent protocol. */
  onFailed(error: Error): void;
}

export interface GroupMemberOptions {
  readonly groupId: string;
  readonly groupInstanceId?: string | null;
  /** Default 45,000. */
  readonly sessionTimeoutMs?: number;
  /** Default 3,000. */
  readonly heartbeatIntervalMs?: number;
  /** How long the group waits for members to rejoin. Default 300,000. */
  readonly rebalanceTimeoutMs?: number;
  /**
   * How long the event loop may be blocked, by a record that takes long, before the member is given up. Where the client has a
   * `HeartbeatGuard`, it sends heartbeats until then. 0: no guard. Default 300,000.
   */
  readonly maxBlockedMs?: number;
  /** Name of our assignor in the group. Default `millrace`. */
  readonly protocolName?: string;
}

export type GroupMemberState = 'UNJOINED' | 'JOINING' | 'SYNCING' | 'STABLE' | 'LOST' | 'LEFT' | 'FAILED';

export interface GroupMember {
  readonly state: GroupMemberState;
  /**
   * The newest generation that the coordinator named, from JoinGroup's answer on: from then it accepts no older one. `null` when
   * not in a generation. It says nothing of ownership: what may be committed under it is the caller's to know.
   */
  readonly metadata: GroupMetadata | null;
  /** True from the moment a rebalance is known to be under way until the next assignment. */
  readonly rebalancing: boolean;
  /**
   * Counts up at the moment a loss is known here, which is before `onLost` is called: what was owned before has not been owned
   * without a break since.
   */
  readonly losses: number;
  /**
   * The generation that follows `refused`, which the coordinator answered with ILLEGAL_GENERATION or REBALANCE_IN_PROGRESS: it moved
   * on while a request was under way. Waits for the answer of a JoinGroup that is. `null`: none follows; the member was lost, has
   * ended, or has not asked to join, so the group moved on without it.
   */
  renewed(refused: GroupMetadata): Promise<GroupMetadata | null>;
  /** The interval from the next heartbeat on, at most a third of the session timeout: a large group is asked for news less often. */
  paceHeartbeats(intervalMs: number): void;
  start(): void;
  /** Joins again, e.g. to give up partitions just revoked, or after a changed subscription. */
  requestRejoin(reason: string): void;
  /** Leaves at once (a static member stays registered unless `permanently`). */
  leave(reason: string, permanently?: boolean): Promise<void>;
}
