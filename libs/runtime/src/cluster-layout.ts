// Owns a topology laid out on a cluster: real topic names, partition counts, the list of tasks, what each task reads.
// Built once at start, read by everybody.
import { formatTaskId, parseTaskId } from '#libs/core';
import type { TaskId, TaskIdText, TopicPartition } from '#libs/core';
import { deadLetterTopics, isInternalSource } from '#libs/topology';
import type { SinkSpec, SourceSpec, StoreSpec, SubTopology, Topology } from '#libs/topology';
import type { RuntimeConfig } from './config.ts';
import { changelogTopic, repartitionTopic, sourceTopic } from './names.ts';

/** What a store is restored from. */
export interface StoreChangelog extends TopicPartition {
  readonly store: string;
  /** Not `null`: the topic is that of a source, read up to its committed offset. */
  readonly source: SourceSpec | null;
}

export class ClusterLayout {
  readonly applicationId: string;
  readonly topology: Topology;
  /** By real topic name. */
  readonly partitionCounts: ReadonlyMap<string, number>;
  /** Identities of the topics stores are restored from, by real name: a topic created anew under the old name is another. */
  readonly changelogTopicIds = new Map<string, string>();
  /** All tasks, stateful ones first, then in order of sub-topology and partition. */
  readonly tasks: readonly TaskIdText[];
  /** How many of them keep state. */
  readonly statefulTaskCount: number;

  private readonly offsetReset: RuntimeConfig['autoOffsetReset'];

  constructor(
    applicationId: string,
    topology: Topology,
    partitionCounts: ReadonlyMap<string, number>,
    offsetReset: RuntimeConfig['autoOffsetReset'],
  ) {
    this.offsetReset = offsetReset;
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
    return sourceTopic(this.applicationId, source);
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

  /**
   * The source whose topic is the store's changelog; `null`: it has one of its own, or none. Only where the topic alone says what
   * the store held: not where records were left out by the clock, or the reading began at the topic's end.
   */
  sourceOfStore(sub: SubTopology, store: StoreSpec): SourceSpec | null {
    if (store.kind !== 'keyValue' || !store.logged) return null;
    if (store.sourceTopic === undefined || store.sourceTopic === null) return null;
    const source = sub.sources.find((spec) => !isInternalSource(spec) && spec.topic === store.sourceTopic);
    if (source === undefined || source.futureTimestamps !== null) return null;
    return (source.offsetReset ?? this.offsetReset) === 'latest' ? null : source;
  }

  /** The topic that is written for a store; `null`: none is. */
  changelogTopic(sub: SubTopology, store: StoreSpec): string | null {
    if (!store.logged || this.sourceOfStore(sub, store) !== null) return null;
    return changelogTopic(this.applicationId, store.name);
  }

  /** What a task's stores are restored from. */
  changelogs(task: TaskIdText): StoreChangelog[] {
    const id = parseTaskId(task);
    const sub = this.subTopology(id);
    return sub.stores
      .filter((store) => store.logged)
      .map((store) => {
        const source = this.sourceOfStore(sub, store);
        const topic = source === null ? changelogTopic(this.applicationId, store.name) : source.topic;
        return { store: store.name, topic, partition: id.partition, source };
      });
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

  /** Where policies send failed records: retry topics, and dead-letter topics. */
  get failureTopics(): ReadonlySet<string> {
    const topics = new Set(deadLetterTopics(this.topology));
    for (const { sources } of this.topology.subTopologies)
      for (const source of sources) if (source.kind === 'retry') topics.add(this.sourceTopic(source));
    return topics;
  }

  /** Inputs that the application writes itself: repartition and retry topics. */
  get internalInputs(): ReadonlySet<string> {
    const topics = new Set<string>();
    for (const { sources } of this.topology.subTopologies)
      for (const source of sources) if (isInternalSource(source)) topics.add(this.sourceTopic(source));
    return topics;
  }
}
