// Owns what the group asks of a worker: what it says as it joins, how the leader spreads the tasks, and what a new
// assignment means for the tasks at hand. It runs in the loop (through the control queue), never beside a record.
//
// Cooperative rebalancing: tasks that stay go on through it. What is taken away is committed and closed first, and given up by
// joining again; only then does another member get it.
import type {
  BrokerClient,
  Assignment,
  GroupMemberHandler,
  GroupMetadata,
  MemberSubscription,
  Subscription,
} from '#libs/broker';
import { asError } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { StateBackend } from '#libs/state';
import type { AssignedTasks } from './assigned-tasks.ts';
import { decodeAssignmentData, encodeMemberData, identityOf } from './assignor/group-data.ts';
import { topologyShapes } from './assignor/topology-shape.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import { GroupLeader } from './group-leader.ts';
import type { InsightLog } from './insight/insight-log.ts';
import type { HostDirectory } from './queries/host-directory.ts';
import { closeAfterLoss } from './lost-membership.ts';
import { PredecessorSettler } from './predecessor-settler.ts';
import { logPhase } from './takeover-phases.ts';
import type { TaskRegistry } from './task-registry.ts';

export interface MembershipParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transactionalId: string;
  readonly controls: ControlQueue;
  readonly registry: TaskRegistry;
  readonly assigned: AssignedTasks;
  readonly epochs: EpochCoordinator;
  readonly directory: HostDirectory;
  readonly insight: InsightLog;
  /** The group has taken the worker in, under this id. */
  readonly onMember: (memberId: string) => void;
  /** Drops the open epoch and closes all tasks dirty. */
  readonly abandon: () => Promise<void>;
  /** The worker is to stop. */
  readonly stopping: AbortSignal;
  readonly requestRejoin: (reason: string) => void;
  readonly paceHeartbeats: (intervalMs: number) => void;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
  /** The membership itself has ended: nothing to recover. */
  readonly onFatal: (error: unknown) => void;
}

/** A group's coordinator gets at most 1,000 heartbeats a second, however many members there are. */
const HEARTBEAT_MS_PER_MEMBER = 1;

/** One worker takes as much as another. */
const CAPACITY = 1;

export class WorkerMembership implements GroupMemberHandler {
  private readonly parts: MembershipParts;
  private readonly settler: PredecessorSettler;
  private readonly assigned: AssignedTasks;
  private readonly leader: GroupLeader;
  private readonly shapes: ReadonlyMap<number, number>;
  /** How often it has joined only to be seen. */
  private repeats = 0;
  /** Tasks that are to run here in the end, by the last assignment. */
  private expects: readonly TaskIdText[] = [];
  /** Transactional ids of the generation this worker was last assigned in. */
  private live: readonly string[] = [];
  /** Those of the generation before that were not in it. */
  private departed: readonly string[] = [];
  private settled = false;
  /** The last assignment announced a handover, and this worker has asked for its round. */
  private inHandover = false;
  /** How often the group gave this worker's tasks away without asking. */
  losses = 0;

  constructor(parts: MembershipParts) {
    this.parts = parts;
    this.settler = new PredecessorSettler(
      parts.client,
      parts.config,
      parts.layout,
      parts.transactionalId,
      parts.clock,
      parts.logger,
    );
    this.assigned = parts.assigned;
    this.leader = new GroupLeader(
      parts.config,
      parts.layout,
      parts.client.admin,
      parts.transactionalId,
      parts.clock,
      parts.logger,
    );
    this.shapes = topologyShapes(parts.layout);
  }

  /** Assigned, and nothing to be handed over. */
  get isSettled(): boolean {
    return this.settled;
  }

  /** The assignment is void until the next one. */
  reset(): void {
    this.settled = false;
  }

  /** Says what is owned. Work on it goes on meanwhile, and its commits too: see ownership.ts. */
  async beforeJoin(): Promise<Subscription> {
    const { controls, epochs, assigned, layout, config, registry } = this.parts;
    logPhase(this.parts, 'told');
    // Beside the loop: it reads files.
    const { copies, positions } = await assigned.describe();
    return controls.post(async () => {
      this.settled = false;
      const active = registry.assignedNames;
      await epochs.settledBeyond(active);
      return {
        topics: layout.subscribedTopics(),
        ownedPartitions: active.flatMap((task) => layout.inputs(task)),
        userData: encodeMemberData({
          transactionalId: this.parts.transactionalId,
          instanceId: config.instanceId,
          tasks: active,
          expects: this.expects,
          standbys: copies,
          positions,
          rack: config.rack,
          applicationServer: config.applicationServer,
          capacity: CAPACITY,
          shapes: this.shapes,
          repeats: this.repeats,
        }),
      };
    });
  }

  /** On the leader. */
  assign(members: readonly MemberSubscription[]): Promise<ReadonlyMap<string, Assignment>> {
    return this.leader.assign(members, this.live);
  }

  onAssigned(assignment: Assignment, group: GroupMetadata): Promise<void> {
    const { controls } = this.parts;
    this.parts.onMember(group.memberId);
    return controls.post(async () => {
      const data = decodeAssignmentData(assignment.userData);
      const { live, departed, givesUp, handover } = data;
      this.parts.directory.learn(data.hosts);
      this.live = live;
      this.departed = departed;
      const { heartbeatIntervalMs } = this.parts.config;
      this.parts.paceHeartbeats(Math.max(heartbeatIntervalMs, data.memberCount * HEARTBEAT_MS_PER_MEMBER));
      this.expects = data.expects;
      logPhase(this.parts, 'assigned');
      const { revoked, added } = await this.assigned.apply(
        {
          active: this.known(data.active),
          standby: this.known(data.standby),
          warmup: this.known(data.warmup),
        },
        {
          source: `generation ${group.generationId}`,
          settle: async (added) => {
            // Later looks go by the newest assignment: who was gone may be back.
            await this.settler.settle(added, this.departed, () => this.live, this.parts.stopping);
            logPhase(this.parts, 'settled');
          },
          expects: data.expects,
          probeInMs: data.probeInMs,
        },
      );
      // Whose tasks have moved before it was known to be dead: nobody gains anything of it now. Beside the loop.
      if (departed.length > 0 && added.length === 0)
        this.settler.settle([], departed, () => this.live, this.parts.stopping).catch(this.parts.onFailed);
      // A static member may hear of what it is to give up only after a restart, and others wait for its word.
      const handsOver = revoked.length > 0 || givesUp.length > 0;
      if (handsOver) this.parts.requestRejoin('tasks were given up');
      // Once in a row: who was to give something up and has not is not asked over and over.
      else if (handover && !this.inHandover) this.parts.requestRejoin('tasks are being handed over');
      else this.beSeen(data.seen);
      this.inHandover = handover;
      this.settled = !handsOver && !handover;
    });
  }

  /**
   * The coordinator hands a static member that comes back what it had, and shows the leader nothing (KAFKA-12759). If it comes back
   * with another rack, another address, or another version of the application, the leader has to know. Once: a leader that reads less of our data
   * than there is never sees all.
   */
  private beSeen(seen: number | null): void {
    const { config, transactionalId, requestRejoin } = this.parts;
    if (config.groupInstanceId === null || seen === null || this.repeats > 0) return;
    const { rack, applicationServer } = config;
    const { shapes } = this;
    if (seen === identityOf({ transactionalId, rack, applicationServer, capacity: CAPACITY, shapes })) return;
    this.repeats++;
    requestRejoin('the leader knows this static member as it was before its restart');
  }

  onLost(reason: string): Promise<void> {
    const { insight, registry } = this.parts;
    return closeAfterLoss(this.parts, reason, () => {
      this.losses++;
      insight.lost(reason, registry.assignedNames);
      this.settled = false;
      this.expects = [];
    });
  }

  onFailed(error: Error): void {
    this.parts.onFatal(asError(error));
  }

  /** A leader of another version may know tasks that are none here. */
  private known(tasks: readonly TaskIdText[]): TaskIdText[] {
    const { layout, logger } = this.parts;
    const unknown = tasks.filter((task) => !layout.tasks.includes(task));
    if (unknown.length === 0) return [...tasks];
    logger.warn('The leader of the group assigned tasks that this version of the application has not', {
      tasks: unknown,
    });
    return tasks.filter((task) => layout.tasks.includes(task));
  }
}
