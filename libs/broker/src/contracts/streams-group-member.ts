// Owns the contract of membership in a group whose tasks the broker assigns (KIP-1071, `group.protocol=streams`). It never touches
// tasks, positions or commits.
//
//   UNJOINED ──start──► JOINING ──► RECONCILING ──► STABLE
//                          ▲            ▲             │ a new assignment
//                          │            └─────────────┤
//                          └── LOST ◄─────────────────┘ fenced epoch, unknown member, no answer for the session timeout
//   any ──leave──► LEFT        refused for good ──► FAILED
//
// 1. A member joins with epoch 0 and its topology, owning nothing. From then on the broker moves its epoch; each answer may carry an
//    assignment, which replaces the one before.
// 2. Reconciliation: `onAssigned` gives up what is missing in the assignment and takes what is new. Once it has resolved, the
//    member says at once what it owns: only then does the broker give the rest to others.
// 3. Heartbeats go on while hooks run, and wait for nothing. The hooks never overlap each other.
// 4. The broker sends an assignment once. Where an answer was lost, or heard by whoever sends heartbeats for a blocked event loop, the
//    member asks what it is assigned (StreamsGroupDescribe).
import type { TaskIdText } from '#libs/core';
import type {
  StreamsEndpoint,
  StreamsGroupStatus,
  StreamsTopicPartitions,
  StreamsTopology,
} from '../rpc/index.ts';
import type { GroupMember } from './group-member.ts';
import type { GroupMetadata } from './transactional-writer.ts';

/** What a member runs and keeps, as the broker assigns it. */
export interface StreamsTasks {
  readonly active: readonly TaskIdText[];
  readonly standby: readonly TaskIdText[];
  readonly warmup: readonly TaskIdText[];
}

/** What the members of one endpoint have. */
export interface StreamsEndpointPartitions {
  readonly endpoint: StreamsEndpoint;
  readonly active: readonly StreamsTopicPartitions[];
  readonly standby: readonly StreamsTopicPartitions[];
}

export interface StreamsGroupMemberHandler {
  /**
   * What the member is to run from now on. Resolves once all else is committed and closed. `group` may be older than
   * `StreamsGroupMember.metadata` by then.
   */
  onAssigned(tasks: StreamsTasks, group: GroupMetadata): Promise<void>;
  /**
   * The group gave, or may have given, all tasks away: nothing read before may be committed. The member joins again once this has
   * resolved. `asked`: by `requestRejoin`.
   */
  onLost(reason: string, asked: boolean): Promise<void>;
  /** Whether the group is ready to assign: topics may be missing, or a first assignment be delayed. Called when it changes. */
  onReady(ready: boolean): void;
  /** Who has what, of the members that published a `userEndpoint`; all of them, whenever it changed. */
  onEndpoints?(endpoints: readonly StreamsEndpointPartitions[]): void;
  /** The member failed for good. */
  onFailed(error: Error): void;
}

export interface StreamsGroupMemberOptions {
  readonly groupId: string;
  /**
   * Who this member is to the group: one that joins under an id the group knows takes the place of the one before, with its tasks.
   * Default: random.
   */
  readonly memberId?: string;
  /** Members of one process (or machine) share it: copies of a task are kept apart by it. */
  readonly processId: string;
  readonly topology: StreamsTopology;
  /** How long the broker waits for tasks to be given up. Default 300,000. */
  readonly rebalanceTimeoutMs?: number;
  /**
   * How long without an answer until the member takes itself for lost. The broker's own session timeout is a setting of the group
   * (`streams.session.timeout.ms`), which it does not tell. Default 45,000, as there.
   */
  readonly sessionTimeoutMs?: number;
  /** Between two heartbeats; the group's own interval (`streams.heartbeat.interval.ms`) where that is shorter, or by default. */
  readonly heartbeatIntervalMs?: number;
  /** As GroupMemberOptions. Default 300,000. */
  readonly maxBlockedMs?: number;
  readonly rackId?: string | null;
  readonly userEndpoint?: StreamsEndpoint | null;
  /** Published to all who describe the group. */
  readonly clientTags?: Readonly<Record<string, string>>;
}

export type StreamsGroupMemberState =
  'UNJOINED' | 'JOINING' | 'RECONCILING' | 'STABLE' | 'LOST' | 'LEFT' | 'FAILED';

/** As GroupMember; the generation of its `metadata` is the member epoch. */
export interface StreamsGroupMember extends Omit<GroupMember, 'state' | 'paceHeartbeats'> {
  readonly state: StreamsGroupMemberState;
  readonly memberId: string;
  /** What the last answer said of the group. */
  readonly statuses: readonly StreamsGroupStatus[];
  /**
   * Leaves at once. Without `permanently` a member with a `memberId` of its own choice stays registered until its session is over, as a
   * static member of other groups does.
   */
  leave(reason: string, permanently?: boolean): Promise<void>;
  /** Asks all members of the group to stop (`SHUTDOWN_APPLICATION`); the next heartbeat carries it. */
  requestShutdown(): void;
}

/** A streams group as the broker describes it. */
export interface StreamsGroupView {
  readonly groupId: string;
  readonly state: string;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly members: readonly {
    readonly memberId: string;
    readonly memberEpoch: number;
    readonly processId: string;
    readonly clientTags: Readonly<Record<string, string>>;
    /** What it has been told to run. */
    readonly assigned: StreamsTasks;
    /** What it is to run in the end. */
    readonly target: StreamsTasks;
  }[];
}
