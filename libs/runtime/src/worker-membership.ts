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
import type { Logger, TaskIdText, TopicPartition } from '#libs/core';
import type { StateBackend } from '#libs/state';
import type { AssignedTasks } from './assigned-tasks.ts';
import { assignableTask, assignTasks } from './assignor/assign-tasks.ts';
import {
  decodeAssignmentData,
  decodeMemberData,
  encodeAssignmentData,
  encodeMemberData,
} from './assignor/group-data.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import { PredecessorSettler } from './predecessor-settler.ts';
import type { TaskRegistry } from './task-registry.ts';

export interface MembershipParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly logger: Logger;
  readonly transactionalId: string;
  readonly controls: ControlQueue;
  readonly registry: TaskRegistry;
  readonly assigned: AssignedTasks;
  readonly epochs: EpochCoordinator;
  /** Drops the open epoch and closes all tasks dirty. */
  readonly abandon: () => Promise<void>;
  readonly requestRejoin: (reason: string) => void;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
  /** The membership itself has ended: nothing to recover. */
  readonly onFatal: (error: unknown) => void;
}

export class WorkerMembership implements GroupMemberHandler {
  private readonly parts: MembershipParts;
  private readonly settler: PredecessorSettler;
  private readonly assigned: AssignedTasks;
  /** Transactional ids of the generation this worker was last assigned in. */
  private live: readonly string[] = [];
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
      parts.logger,
    );
    this.assigned = parts.assigned;
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
  beforeJoin(): Promise<Subscription> {
    const { controls, epochs, registry, layout, config, backend } = this.parts;
    return controls.post(async () => {
      this.settled = false;
      const tasks = registry.assignedNames;
      await epochs.settledBeyond(tasks);
      return {
        topics: layout.subscribedTopics(),
        ownedPartitions: this.partitionsOf(tasks),
        userData: encodeMemberData({
          transactionalId: this.parts.transactionalId,
          instanceId: config.instanceId,
          tasks,
          localTasks: (await backend.localTasks(config.applicationId)) as TaskIdText[],
        }),
      };
    });
  }

  /** On the leader. */
  assign(members: readonly MemberSubscription[]): Promise<ReadonlyMap<string, Assignment>> {
    const data = members.map((member) => ({
      member,
      data: decodeMemberData(member.memberId, member.userData),
    }));
    const { layout, config } = this.parts;
    const { members: assigned, withheld } = assignTasks(
      data.map(({ member, data: own }) => ({
        memberId: member.memberId,
        processId: own.instanceId,
        rack: null,
        capacity: 1,
        owned: own.tasks,
        generationId: member.generationId,
        expects: [],
        standbys: [],
        lags: new Map(own.localTasks.map((task) => [task, config.acceptableRecoveryLag])),
        runs: null,
        keepsCopies: false,
      })),
      layout.tasks.map((task) =>
        assignableTask(task, layout.inputs(task).length, layout.changelogs(task).length),
      ),
      config,
    );
    if (withheld.length > 0) {
      this.parts.logger.info(`${withheld.length} task(s) wait for their present owner to give them up`, {
        tasks: withheld,
      });
    }
    const live = data.map(({ data: own }) => own.transactionalId);
    const departed = this.live.filter((id) => !live.includes(id));
    const assignments = new Map<string, Assignment>();
    for (const [memberId, { active: tasks, givesUp }] of assigned) {
      assignments.set(memberId, {
        partitions: this.partitionsOf(tasks),
        userData: encodeAssignmentData({ tasks, live, departed, givesUp, handover: withheld.length > 0 }),
      });
    }
    return Promise.resolve(assignments);
  }

  onAssigned(assignment: Assignment, group: GroupMetadata): Promise<void> {
    const { controls } = this.parts;
    return controls.post(async () => {
      const { tasks, live, departed, givesUp, handover } = decodeAssignmentData(assignment.userData);
      this.live = live;
      const { revoked } = await this.assigned.apply(
        { active: tasks, standby: [], warmup: [] },
        {
          source: `generation ${group.generationId}`,
          settle: (added) => this.settler.settle(added, departed, () => this.live),
        },
      );
      // A static member may hear of what it is to give up only after a restart, and others wait for its word.
      const handsOver = revoked.length > 0 || givesUp.length > 0;
      if (handsOver) this.parts.requestRejoin('tasks were given up');
      // Once in a row: who was to give something up and has not is not asked over and over.
      else if (handover && !this.inHandover) this.parts.requestRejoin('tasks are being handed over');
      this.inHandover = handover;
      this.settled = !handsOver && !handover;
    });
  }

  onLost(reason: string): Promise<void> {
    const { controls, logger } = this.parts;
    return controls.post(async () => {
      this.losses++;
      logger.warn('The worker lost its place in the group; its tasks are closed without a commit', {
        reason,
      });
      this.settled = false;
      await this.guarded(() => this.parts.abandon());
    });
  }

  onFailed(error: Error): void {
    this.parts.onFatal(asError(error));
  }

  /** A failure in here is the loop's to recover from, in its next turn; the group member knows nothing of it. */
  private async guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.parts.onFailed(error);
    }
  }

  private partitionsOf(tasks: readonly TaskIdText[]): TopicPartition[] {
    return tasks.flatMap((task) => this.parts.layout.inputs(task));
  }
}
