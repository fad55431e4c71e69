// Owns what partition counts mean for a topology: which topics are missing, which counts do not match, how many partitions each
// repartition topic gets and how many tasks each sub-topology has. A pure function of counts; it asks no broker.
import { FatalError } from '#libs/core';
import { deadLetterTopicOf } from './options/failure-policy.ts';
import { isInternalSource } from './plan.ts';
import type { CoPartitionGroup, SubTopology, Topology } from './plan.ts';

export interface PartitionPlan {
  /** By the name of the repartition, without application id and suffix. */
  readonly repartitionCounts: ReadonlyMap<string, number>;
  /** By sub-topology id: its tasks are the partitions 0 to count - 1. */
  readonly taskCounts: readonly number[];
}

/** Topics of the user's that must exist: those read, and those written whose names are fixed. Sorted, each once. */
export function userTopics(topology: Topology): readonly string[] {
  const topics = new Set<string>();
  for (const { sources, sinks } of topology.subTopologies) {
    for (const source of sources) if (!isInternalSource(source)) topics.add(source.topic);
    for (const { kind, topic } of sinks) if (kind === 'topic' && typeof topic === 'string') topics.add(topic);
  }
  for (const topic of deadLetterTopics(topology)) topics.add(topic);
  for (const { topic } of topology.globalStores) topics.add(topic);
  return [...topics].sort();
}

/** The dead-letter topics that policies name, of sources, operators and sinks; not those that an exception handler may choose record by record. */
export function deadLetterTopics({ subTopologies }: Topology): ReadonlySet<string> {
  const topics = new Set<string>();
  for (const { failurePolicies } of subTopologies) {
    for (const policy of failurePolicies?.values() ?? []) {
      const topic = deadLetterTopicOf(policy);
      if (topic !== null) topics.add(topic);
    }
  }
  return topics;
}

/**
 * Decides all partition counts from those of the user's topics (`userTopics`). A repartition topic has the count it was given,
 * else that of the topics it must be co-partitioned with, else the highest of the topics upstream: Kafka Streams' rule.
 * @throws FatalError MILLRACE_TOPIC_MISSING listing every missing topic, MILLRACE_PARTITIONS_MISMATCH listing every mismatch.
 */
export function checkPartitions(
  topology: Topology,
  partitionCounts: ReadonlyMap<string, number>,
): PartitionPlan {
  const missing = userTopics(topology).filter((topic) => !partitionCounts.has(topic));
  if (missing.length > 0) {
    const list = missing.map((topic) => `"${topic}"`).join(', ');
    throw new FatalError({
      code: 'MILLRACE_TOPIC_MISSING',
      message: `topics of the topology do not exist: ${list}.`,
      remedy: 'Create them; Millrace creates only topics of its own.',
      context: { topics: missing },
    });
  }
  const classes = coPartitionClasses(topology);
  const mismatches = classes.flatMap((members) => mismatchOf(members, topology, partitionCounts));
  if (mismatches.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_PARTITIONS_MISMATCH',
      message: mismatches.map(({ text }) => text).join(' '),
      remedy:
        'Give the topics the same number of partitions, or send one of them through repartition(…) with that number.',
      context: { groups: mismatches.map(({ counts }) => counts) },
    });
  }

  const counts = new RepartitionCounts(topology, partitionCounts, classes);
  return {
    repartitionCounts: new Map(topology.repartitions.map(({ name }) => [name, counts.of(name)])),
    taskCounts: topology.subTopologies.map((subTopology) => counts.highestSource(subTopology)),
  };
}

/** Topics that must have equal counts, over all operators that read them together. */
interface CoPartitionClass {
  readonly operators: string[];
  readonly topics: Set<string>;
  readonly repartitions: Set<string>;
}

function coPartitionClasses(topology: Topology): CoPartitionClass[] {
  let classes: CoPartitionClass[] = [];
  for (const group of topology.coPartitionGroups) {
    const merged: CoPartitionClass = {
      operators: [group.operator],
      topics: new Set(group.topics),
      repartitions: new Set(group.repartitions),
    };
    const apart: CoPartitionClass[] = [];
    for (const existing of classes) {
      if (!overlaps(existing, group)) {
        apart.push(existing);
        continue;
      }
      merged.operators.unshift(...existing.operators);
      for (const topic of existing.topics) merged.topics.add(topic);
      for (const name of existing.repartitions) merged.repartitions.add(name);
    }
    classes = [...apart, merged];
  }
  return classes;
}

function overlaps(existing: CoPartitionClass, group: CoPartitionGroup): boolean {
  return (
    group.topics.some((topic) => existing.topics.has(topic)) ||
    group.repartitions.some((name) => existing.repartitions.has(name))
  );
}

interface Mismatch {
  readonly text: string;
  readonly counts: Readonly<Record<string, number>>;
}

function mismatchOf(
  { operators, topics, repartitions }: CoPartitionClass,
  topology: Topology,
  partitionCounts: ReadonlyMap<string, number>,
): Mismatch[] {
  const counts: Record<string, number> = {};
  for (const topic of topics) counts[topic] = partitionCounts.get(topic)!;
  for (const { name, partitionCount } of topology.repartitions) {
    if (repartitions.has(name) && partitionCount !== null) counts[`${name}-repartition`] = partitionCount;
  }
  if (new Set(Object.values(counts)).size <= 1) return [];
  const list = Object.entries(counts).map(([topic, count]) => `"${topic}" has ${count}`);
  const readers = operators.map((operator) => `"${operator}"`).join(', ');
  return [
    { text: `${readers} must read topics with equal partition counts, but ${list.join(', ')}.`, counts },
  ];
}

class RepartitionCounts {
  readonly #topology: Topology;
  readonly #userCounts: ReadonlyMap<string, number>;
  readonly #classes: readonly CoPartitionClass[];
  readonly #decided = new Map<string, number>();
  /** Repartitions whose upstream is being looked at: one of a class may feed another of the same class. */
  readonly #open = new Set<string>();

  constructor(
    topology: Topology,
    userCounts: ReadonlyMap<string, number>,
    classes: readonly CoPartitionClass[],
  ) {
    this.#topology = topology;
    this.#userCounts = userCounts;
    this.#classes = classes;
  }

  of(name: string): number {
    const decided = this.#decided.get(name);
    if (decided !== undefined) return decided;
    const members = this.#classes.find(({ repartitions }) => repartitions.has(name));
    const count = members === undefined ? this.#alone(name) : this.#together(members);
    if (this.#open.size === 0) this.#decided.set(name, count);
    return count;
  }

  highestSource({ sources }: SubTopology): number {
    let highest = 0;
    for (const { kind, topic } of sources) {
      // A retry topic has as many partitions as the topic whose records wait in it.
      if (kind === 'retry') continue;
      if (kind !== 'repartition') highest = Math.max(highest, this.#userCounts.get(topic)!);
      else if (!this.#open.has(topic)) highest = Math.max(highest, this.of(topic));
    }
    return highest;
  }

  #given(name: string): number | null {
    return (
      this.#topology.repartitions.find((repartition) => repartition.name === name)?.partitionCount ?? null
    );
  }

  #alone(name: string): number {
    const given = this.#given(name);
    if (given !== null) return given;
    this.#open.add(name);
    let highest = 0;
    for (const subTopology of this.#topology.subTopologies) {
      const feeds = subTopology.sinks.some(({ kind, topic }) => kind === 'repartition' && topic === name);
      if (feeds) highest = Math.max(highest, this.highestSource(subTopology));
    }
    this.#open.delete(name);
    return highest;
  }

  #together({ topics, repartitions }: CoPartitionClass): number {
    for (const topic of topics) return this.#userCounts.get(topic)!;
    for (const name of repartitions) {
      const given = this.#given(name);
      if (given !== null) return given;
    }
    let highest = 0;
    for (const name of repartitions) {
      if (!this.#open.has(name)) highest = Math.max(highest, this.#alone(name));
    }
    return highest;
  }
}
