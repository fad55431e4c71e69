// Owns a topology laid out on a cluster: real topic names, partition counts, the list of tasks, what each task reads.
// Built once at start, read by everybody.
import { formatTaskId, parseTaskId } from '#libs/core';
import type { TaskId, TaskIdText, TopicPartition } from '#libs/core';
import type { SinkSpec, SourceSpec, SubTopology, Topology } from '#libs/topology';
import { changelogTopic, repartitionTopic } from './names.ts';

export class ClusterLayout {
  readonly applicationId: string;
  readonly topology: Topology;
  /** By real topic name. */
  readonly partitionCounts: ReadonlyMap<string, number>;
  /** Identities of the changelog topics, by real name: a topic created anew under the old name is another. */
  readonly changelogTopicIds = new Map<string, string>();
  /** All tasks, stateful ones first, then in order of sub-topology and partition. */
  readonly tasks: readonly TaskIdText[];
  /** How many of them keep state. */
  readonly statefulTaskCount: number;

  constructor(applicationId: string, topology: Topology, partitionCounts: ReadonlyMap<string, number>) {
    this.applicationId = applicationId;
    this.topology = topology;
    this.partitionCounts = partitionCounts;
    const stateful: TaskIdText[] = [];
    const stateless: TaskIdText[] = [];
    for (const sub of topology.subTopologies) {
      const list = sub.stores.length > 0 ? stateful : stateless;
      for (let partition = 0; partition < this.taskCount(sub); partition++) {
        list.push(formatTaskId({ subTopology: sub.id, partition }));
      }
    }
    this.tasks = [...stateful, ...stateless];
    this.statefulTaskCount = stateful.length;
  }

  subTopology(id: TaskId): SubTopology {
    return this.topology.subTopologies.find((sub) => sub.id === id.subTopology)!;
  }

  /** As many as the source topic with the most partitions has. */
  taskCount(sub: SubTopology): number {
    return Math.max(
      0,
      ...sub.sources.map((source) => this.partitionCounts.get(this.sourceTopic(source)) ?? 0),
    );
  }

  sourceTopic(source: SourceSpec): string {
    return source.kind === 'repartition' ? repartitionTopic(this.applicationId, source.topic) : source.topic;
  }

  /** `null`: chosen record by record. */
  sinkTopic(sink: SinkSpec): string | null {
    if (typeof sink.topic !== 'string') return null;
    return sink.kind === 'repartition' ? repartitionTopic(this.applicationId, sink.topic) : sink.topic;
  }

  /** What a task reads. */
  inputs(task: TaskIdText): TopicPartition[] {
    const id = parseTaskId(task);
    const inputs: TopicPartition[] = [];
    for (const source of this.subTopology(id).sources) {
      const topic = this.sourceTopic(source);
      if (id.partition < (this.partitionCounts.get(topic) ?? 0))
        inputs.push({ topic, partition: id.partition });
    }
    return inputs;
  }

  /** Changelog partitions of a task's logged stores. */
  changelogs(task: TaskIdText): (TopicPartition & { readonly store: string })[] {
    const id = parseTaskId(task);
    return this.subTopology(id)
      .stores.filter((store) => store.logged)
      .map((store) => ({
        store: store.name,
        topic: changelogTopic(this.applicationId, store.name),
        partition: id.partition,
      }));
  }

  /** By store: which topics a task's state goes back to. */
  changelogIdentity(task: TaskIdText): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.changelogs(task).map(({ store, topic }) => [store, this.changelogTopicIds.get(topic) ?? '']),
    );
  }

  /** Every topic the group subscribes to. */
  subscribedTopics(): string[] {
    const topics = new Set<string>();
    for (const sub of this.topology.subTopologies)
      for (const source of sub.sources) topics.add(this.sourceTopic(source));
    return [...topics];
  }

  isRepartition(topic: string): boolean {
    return this.topology.repartitions.some(
      (spec) => repartitionTopic(this.applicationId, spec.name) === topic,
    );
  }
}
