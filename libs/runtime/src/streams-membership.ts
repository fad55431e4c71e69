// Owns what a group asks of a worker whose tasks the broker assigns (KIP-1071): what is told of the topology, what an assignment means,
// and which transactions of departed members are settled before their tasks are opened. It runs in the loop (through the control
// queue), never beside a record.
//
// The broker revokes first: an assignment without a task has it committed and closed here, the member says so, and only then does
// the task's next owner hear of it. There is no leader to remember who has gone; so each worker publishes its transactional id in its
// client tags, and a new owner asks the group who is in it.
import type {
  BrokerClient,
  GroupMetadata,
  StreamsEndpointPartitions,
  StreamsGroupMember,
  StreamsGroupMemberHandler,
  StreamsTasks,
} from '#libs/broker';
import { asError } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { AssignedTasks } from './assigned-tasks.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import { parseHost } from './config.ts';
import type { RuntimeConfig } from './config.ts';
import type { ControlQueue } from './control-queue.ts';
import type { InsightLog } from './insight/insight-log.ts';
import type { HostDirectory } from './queries/host-directory.ts';
import { closeAfterLoss } from './lost-membership.ts';
import { PredecessorSettler } from './predecessor-settler.ts';
import { streamsTopology } from './streams-topology.ts';

/** The client tag that names the transactional id a member writes under. */
export const TRANSACTIONAL_ID_TAG = 'millrace.transactional.id';

export interface StreamsMembershipParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transactionalId: string;
  readonly controls: ControlQueue;
  readonly assigned: AssignedTasks;
  readonly directory: HostDirectory;
  readonly insight: InsightLog;
  /** The group has taken the worker in, under this id. */
  readonly onMember: (memberId: string) => void;
  /** The worker is to stop. */
  readonly stopping: AbortSignal;
  /** Drops the open epoch and closes all tasks dirty. */
  readonly abandon: () => Promise<void>;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
  /** The membership itself has ended: nothing to recover. */
  readonly onFatal: (error: unknown) => void;
}

export class StreamsMembership implements StreamsGroupMemberHandler {
  private readonly parts: StreamsMembershipParts;
  private readonly settler: PredecessorSettler;
  private assignedOnce = false;
  private ready = true;
  /** How often the group gave this worker's tasks away without asking. */
  losses = 0;

  constructor(parts: StreamsMembershipParts) {
    this.parts = parts;
    const { client, config, layout, transactionalId, clock, logger } = parts;
    this.settler = new PredecessorSettler(client, config, layout, transactionalId, clock, logger);
  }

  /** The member of the group that this is the handler of. */
  createMember(): StreamsGroupMember {
    const { client, config, layout, transactionalId } = this.parts;
    return client.createStreamsGroupMember(
      {
        groupId: config.applicationId,
        // Coordinators know no static members as yet. One that comes back under its own id takes its own place all the same.
        ...(config.groupInstanceId === null ? {} : { memberId: config.groupInstanceId }),
        processId: config.instanceId,
        topology: streamsTopology(layout),
        rebalanceTimeoutMs: config.rebalanceTimeoutMs,
        sessionTimeoutMs: config.sessionTimeoutMs,
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        maxBlockedMs: config.maxBlockedMs,
        rackId: config.rack,
        userEndpoint: parseHost(config.applicationServer),
        clientTags: { [TRANSACTIONAL_ID_TAG]: transactionalId },
      },
      this,
    );
  }

  /** Assigned, by a group that is ready to assign. More may come: the broker says nothing of what waits for others. */
  get isSettled(): boolean {
    return this.assignedOnce && this.ready;
  }

  /** The assignment is void until the next one. */
  reset(): void {
    this.assignedOnce = false;
  }

  onAssigned(tasks: StreamsTasks, group: GroupMetadata): Promise<void> {
    this.parts.onMember(group.memberId);
    return this.parts.controls.post(async () => {
      await this.parts.assigned.apply(tasks, {
        source: `member epoch ${group.generationId}`,
        settle: (added) => this.settler.settle(added, [], () => this.live(), this.parts.stopping),
      });
      this.assignedOnce = true;
    });
  }

  onLost(reason: string, asked: boolean): Promise<void> {
    const { assigned, insight } = this.parts;
    return closeAfterLoss(this.parts, reason, () => {
      this.assignedOnce = false;
      if (asked) return;
      this.losses++;
      insight.lost(reason, assigned.names);
    });
  }

  /** The broker names partitions: a task is where one of its inputs is. */
  onEndpoints(endpoints: readonly StreamsEndpointPartitions[]): void {
    const { directory, layout } = this.parts;
    const tasksOf = (topics: StreamsEndpointPartitions['active']): TaskIdText[] => {
      const read = new Set(topics.flatMap(({ topic, partitions }) => partitions.map((p) => `${topic}-${p}`)));
      return layout.tasks.filter((task) =>
        layout.inputs(task).some(({ topic, partition }) => read.has(`${topic}-${partition}`)),
      );
    };
    directory.learn(
      endpoints.map(({ endpoint: { host, port }, active, standby }) => ({
        host: `${host.includes(':') ? `[${host}]` : host}:${port}`,
        active: tasksOf(active),
        standby: tasksOf(standby),
      })),
    );
  }

  onReady(ready: boolean): void {
    this.ready = ready;
  }

  onFailed(error: Error): void {
    this.parts.onFatal(asError(error));
  }

  /** Transactional ids of all that the group knows: never to be fenced by a successor. */
  private async live(): Promise<readonly string[]> {
    const group = await this.parts.client.admin.describeStreamsGroup(this.parts.config.applicationId);
    const ids = group?.members.map(({ clientTags }) => clientTags[TRANSACTIONAL_ID_TAG] ?? null) ?? [];
    return ids.filter((id) => id !== null);
  }
}
