// Owns what the leader of the group does: reads what the members say, finds out how far behind their copies are, has the tasks spread,
// and writes each member's answer in words it understands. How they are spread is assignor/assign-tasks.ts.
import type { Assignment, BrokerAdmin, MemberSubscription } from '#libs/broker';
import { asError, formatTopicPartition, parseTaskId, within } from '#libs/core';
import type { Clock, Logger, TaskIdText, TopicPartition } from '#libs/core';
import { assignableTask, assignTasks } from './assignor/assign-tasks.ts';
import type { AssignableMember, MemberCopies } from './assignor/contract.ts';
import { decodeMemberData, encodeAssignmentData, identityOf } from './assignor/group-data.ts';
import type { DecodedMemberData } from './assignor/group-data.ts';
import { topologyShapes } from './assignor/topology-shape.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { HostTasks } from './queries/host-directory.ts';

/** Ids of all members are told to each only while they are few characters in all: the broker keeps everybody's answer in one record. */
const LIVE_CHARACTERS_MAX = 1_024;
/** The group waits for the answer: without it in time, copies count as behind. */
const END_OFFSETS_MS = 2_000;

/** Everybody is told of everybody, so that this grows with the square of the group; the broker keeps it in one record of 1 MB. */
const HOSTS_BYTES_MAX = 256 * 1_024;

interface Member {
  readonly subscription: MemberSubscription;
  readonly data: DecodedMemberData;
  /** Sub-topologies of ours that it can run; `null`: all. */
  readonly runs: ReadonlySet<number> | null;
}

export class GroupLeader {
  private readonly config: RuntimeConfig;
  private readonly layout: ClusterLayout;
  private readonly admin: BrokerAdmin;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly shapes: ReadonlyMap<number, number>;
  private readonly ownId: string;
  /** Transactional ids of the generation this leader assigned last. */
  private assigned: readonly string[] = [];

  constructor(
    config: RuntimeConfig,
    layout: ClusterLayout,
    admin: BrokerAdmin,
    ownId: string,
    clock: Clock,
    logger: Logger,
  ) {
    this.config = config;
    this.layout = layout;
    this.admin = admin;
    this.ownId = ownId;
    this.clock = clock;
    this.logger = logger;
    this.shapes = topologyShapes(layout);
  }

  /** `known`: transactional ids of the generation before, as far as this member was told of them. */
  async assign(
    subscriptions: readonly MemberSubscription[],
    known: readonly string[],
  ): Promise<ReadonlyMap<string, Assignment>> {
    const { layout, config } = this;
    const members = subscriptions.map((subscription) => this.read(subscription));
    const ends = await this.endPositions(members);
    const {
      members: answers,
      withheld,
      warmingUp,
    } = assignTasks(
      members.map((member) => this.assignable(member, ends)),
      layout.tasks.map((task) =>
        assignableTask(task, layout.inputs(task).length, layout.changelogs(task).length),
      ),
      config,
    );
    if (withheld.length > 0) {
      this.logger.info(`${withheld.length} task(s) wait for their present owner to give them up`, {
        tasks: withheld,
      });
    }
    if (warmingUp.length > 0) {
      this.logger.info(`${warmingUp.length} task(s) move once their copies have caught up`, {
        tasks: warmingUp,
      });
    }
    const live = members.map(({ data }) => data.transactionalId);
    const departed = [...new Set([...known, ...this.assigned])].filter((id) => !live.includes(id));
    this.assigned = live;
    const isSmall = live.reduce((sum, id) => sum + id.length, 0) <= LIVE_CHARACTERS_MAX;
    const isHandover = [...answers.values()].some(({ givesUp }) => givesUp.length > 0);
    const hosts = this.hostTasks(members, answers);
    const assignments = new Map<string, Assignment>();
    for (const { subscription, data } of members) {
      const answer = answers.get(subscription.memberId)!;
      const gains = answer.active.some((task) => !data.tasks.includes(task));
      // One at least hears of them: nobody need gain of whom was still counted among the living when its tasks moved.
      const settles = gains || data.transactionalId === this.ownId;
      const userData = encodeAssignmentData(
        {
          ...answer,
          // Version 1 fences whom it is not told to be alive.
          live: isSmall || data.version < 2 ? live : [],
          departed: settles ? departed : [],
          handover: isHandover,
          memberCount: members.length,
          seen: identityOf(data),
          hosts,
          probeInMs: warmingUp.length > 0 ? config.probingRebalanceIntervalMs : null,
        },
        data.version,
      );
      assignments.set(subscription.memberId, { partitions: this.partitionsOf(answer.active), userData });
    }
    return assignments;
  }

  /** Who has what, for queries: of those that have said where they are. Nothing of it in a group so large that the broker could not keep it. */
  private hostTasks(
    members: readonly Member[],
    answers: ReadonlyMap<string, MemberCopies>,
  ): readonly HostTasks[] {
    const byHost = new Map<string, { active: TaskIdText[]; standby: TaskIdText[] }>();
    for (const { subscription, data } of members) {
      const { applicationServer: host } = data;
      if (host === null) continue;
      const { active, standby, warmup } = answers.get(subscription.memberId)!;
      const known = byHost.get(host) ?? { active: [], standby: [] };
      known.active.push(...active);
      known.standby.push(...standby, ...warmup);
      byHost.set(host, known);
    }
    const hosts = [...byHost].map(([host, tasks]) => ({ host, ...tasks }));
    const characters = hosts.reduce(
      (sum, { host, active, standby }) => sum + host.length + 2 * (active.length + standby.length),
      0,
    );
    if (characters * members.length <= HOSTS_BYTES_MAX) return hosts;
    this.logger.warn(
      'The group is too large to tell each member who has which task; queries are not routed',
      {
        members: members.length,
        bytes: characters * members.length,
      },
    );
    return [];
  }

  private read(subscription: MemberSubscription): Member {
    const data = decodeMemberData(subscription.memberId, subscription.userData);
    const topics = new Set(subscription.topics);
    const runs = new Set<number>();
    for (const sub of this.layout.topology.subTopologies) {
      const isSame =
        data.shapes === null
          ? sub.sources.every((source) => topics.has(this.layout.sourceTopic(source)))
          : data.shapes.get(sub.id) === this.shapes.get(sub.id);
      if (isSame) runs.add(sub.id);
    }
    const isWhole = runs.size === this.layout.topology.subTopologies.length;
    return { subscription, data, runs: isWhole ? null : runs };
  }

  private assignable(
    { subscription, data, runs }: Member,
    ends: ReadonlyMap<TaskIdText, number>,
  ): AssignableMember {
    const { acceptableRecoveryLag } = this.config;
    const knows = (task: TaskIdText): boolean => runs === null || runs.has(parseTaskId(task).subTopology);
    const owned = data.tasks.filter(knows);
    // What it numbers otherwise it owns by the partitions it reads.
    if (runs !== null)
      owned.push(...this.tasksReading(subscription.ownedPartitions).filter((task) => !owned.includes(task)));
    const lags = new Map<TaskIdText, number>();
    // It does not say how far its state reaches: better than none, and no more is known.
    for (const task of data.localTasks) if (knows(task)) lags.set(task, acceptableRecoveryLag + 1);
    for (const [task, position] of data.positions) {
      if (!knows(task)) continue;
      const end = ends.get(task);
      lags.set(task, end === undefined ? acceptableRecoveryLag + 1 : Math.max(0, end - position));
    }
    for (const task of data.tasks) lags.delete(task);
    return {
      memberId: subscription.memberId,
      processId: data.instanceId,
      rack: data.rack,
      capacity: data.capacity,
      owned,
      generationId: subscription.generationId,
      expects: data.expects.filter(knows),
      standbys: data.standbys.filter(knows),
      lags,
      runs,
      keepsCopies: data.version >= 2,
    };
  }

  private tasksReading(partitions: readonly TopicPartition[]): TaskIdText[] {
    const read = new Set(partitions.map(({ topic, partition }) => formatTopicPartition(topic, partition)));
    return this.layout.tasks.filter((task) =>
      this.layout
        .inputs(task)
        .some(({ topic, partition }) => read.has(formatTopicPartition(topic, partition))),
    );
  }

  /** Sums of the changelogs' end offsets, for the tasks that somebody has state of who does not run them. Nothing is asked otherwise. */
  private async endPositions(members: readonly Member[]): Promise<ReadonlyMap<TaskIdText, number>> {
    const known = new Set(this.layout.tasks);
    const tasks = new Set(
      members.flatMap(({ data }) => [...data.positions.keys()].filter((task) => known.has(task))),
    );
    const ends = new Map<TaskIdText, number>();
    if (tasks.size === 0) return ends;
    const offsets = await within(this.clock, END_OFFSETS_MS, this.endOffsets([...tasks])).catch(
      (error: unknown) => {
        this.logger.warn('The ends of changelogs are not known: copies of tasks count as behind', {
          error: asError(error).message,
        });
        return null;
      },
    );
    if (offsets === null) return ends;
    for (const task of tasks) {
      let sum = 0;
      for (const { topic, partition } of this.layout.changelogs(task)) {
        sum += offsets.get(formatTopicPartition(topic, partition)) ?? 0;
      }
      ends.set(task, sum);
    }
    return ends;
  }

  /** Of a source topic that is a store's changelog as well, the end is what the group has committed: a copy goes no further. */
  private async endOffsets(tasks: readonly TaskIdText[]): Promise<ReadonlyMap<string, number>> {
    const changelogs = tasks.flatMap((task) => this.layout.changelogs(task));
    const own = changelogs.filter(({ source }) => source === null);
    const sources = changelogs.filter(({ source }) => source !== null);
    const [written, committed] = await Promise.all([
      own.length === 0 ? new Map<string, number>() : this.admin.offsets(own, 'latest', 'read_uncommitted'),
      sources.length === 0
        ? new Map<string, { readonly offset: number }>()
        : this.admin.committedOffsets(this.config.applicationId, sources, { requireStable: false }),
    ]);
    return new Map([...written, ...[...committed].map(([key, { offset }]) => [key, offset] as const)]);
  }

  private partitionsOf(tasks: readonly TaskIdText[]): TopicPartition[] {
    return tasks.flatMap((task) => this.layout.inputs(task));
  }
}
