// Owns what is known of topics: ids, partition counts, leaders and their epochs. Filled on demand, one request at a time.
// It never retries: whoever needs fresher metadata asks again after its own pause.
//
// 1. A partition's leader epoch never goes backwards while its topic id stays the same: an answer of a broker that lags
//    behind is not believed (KIP-320).
// 2. Requests for metadata that arrive while one is under way share the next one.
import type { Clock, Logger } from '#libs/core';
import type { MetadataAnswer, RpcPort } from '../rpc/index.ts';
import { KafkaError } from '../protocol/error-codes.ts';

export interface PartitionLeader {
  /** -1: no leader at the moment. */
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

export interface TopicMetadata {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  /** Indexed by partition. */
  readonly partitions: PartitionLeader[];
  /** Monotonic clock, milliseconds. */
  readonly fetchedAt: number;
}

/** Why a topic has no metadata: the error code of the last answer about it, and since when it has been that. */
export interface TopicAbsence {
  readonly errorCode: number;
  readonly since: number;
}

interface Round {
  readonly topics: Set<string>;
  readonly done: Promise<void>;
}

export class MetadataCache {
  readonly #rpc: RpcPort;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #topics = new Map<string, TopicMetadata>();
  readonly #absences = new Map<string, TopicAbsence>();
  readonly #nodes = new Set<number>();
  readonly #timeoutMs: number;
  #running: Round | undefined;
  #next: Round | undefined;

  constructor(rpc: RpcPort, clock: Clock, logger: Logger, timeoutMs: number) {
    this.#rpc = rpc;
    this.#clock = clock;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name);
  }

  absence(name: string): TopicAbsence | undefined {
    return this.#absences.get(name);
  }

  /** True when the last answers, for at least `graceMs`, said that the topic does not exist. */
  isMissing(name: string, graceMs: number): boolean {
    const absence = this.#absences.get(name);
    return (
      absence !== undefined &&
      absence.errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION &&
      this.#clock.monotonic() - absence.since >= graceMs
    );
  }

  /** The leader, or undefined when none is known or elected. */
  leader(topic: string, partition: number): PartitionLeader | undefined {
    const known = this.#topics.get(topic)?.partitions[partition];
    return known === undefined || known.leaderId < 0 ? undefined : known;
  }

  knowsNode(nodeId: number): boolean {
    return this.#nodes.has(nodeId);
  }

  /** Forgets who leads: the next use refreshes. The epoch is kept, so that an older answer is still not believed. */
  forgetLeader(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic)?.partitions;
    const known = partitions?.[partition];
    if (partitions !== undefined && known !== undefined) {
      partitions[partition] = { leaderId: -1, leaderEpoch: known.leaderEpoch };
    }
  }

  /** A leader that an answer named in passing (KIP-951). True when it is news. */
  learnLeader(topic: string, partition: number, leader: PartitionLeader): boolean {
    const partitions = this.#topics.get(topic)?.partitions;
    const known = partitions?.[partition];
    if (partitions === undefined || known === undefined || leader.leaderId < 0) return false;
    if (leader.leaderEpoch <= known.leaderEpoch || !this.#nodes.has(leader.leaderId)) return false;
    partitions[partition] = { leaderId: leader.leaderId, leaderEpoch: leader.leaderEpoch };
    return true;
  }

  learnNodes(
    nodes: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
  ): void {
    if (nodes.length === 0) return;
    this.#rpc.learnNodes(nodes);
    for (const node of nodes) this.#nodes.add(node.nodeId);
  }

  /**
   * Asks the cluster about `topics`. Resolves when an answer to a request sent after this call, or shared with one that
   * already covers them, has been taken in. @throws RpcFailure, MillraceError of the RPC port.
   */
  refresh(topics: readonly string[]): Promise<void> {
    const running = this.#running;
    if (running !== undefined) {
      if (topics.every((topic) => running.topics.has(topic))) return running.done;
      return this.#joinNext(running, topics);
    }
    return this.#start(new Set(topics));
  }

  #joinNext(running: Round, topics: readonly string[]): Promise<void> {
    if (this.#next === undefined) {
      const wanted = new Set<string>();
      const done = running.done.then(
        () => this.#startNext(wanted),
        () => this.#startNext(wanted),
      );
      this.#next = { topics: wanted, done };
    }
    for (const topic of topics) this.#next.topics.add(topic);
    return this.#next.done;
  }

  #startNext(wanted: Set<string>): Promise<void> {
    this.#next = undefined;
    return this.#start(wanted);
  }

  #start(topics: Set<string>): Promise<void> {
    const done = this.#request([...topics]).finally(() => {
      if (this.#running?.done === done) this.#running = undefined;
    });
    this.#running = { topics, done };
    return done;
  }

  async #request(topics: readonly string[]): Promise<void> {
    const answer = await this.#rpc.call('bootstrap', 'Metadata', { topics }, { timeoutMs: this.#timeoutMs });
    this.absorb(answer);
  }

  /** Takes in an answer about some or all topics. */
  absorb(answer: MetadataAnswer): void {
    this.learnNodes(answer.brokers);
    for (const topic of answer.topics) {
      if (topic.errorCode !== KafkaError.NONE && topic.partitions.length === 0) {
        this.#absent(topic.name, topic.errorCode);
        continue;
      }
      this.#absences.delete(topic.name);
      this.#topics.set(topic.name, this.#merge(topic));
    }
  }

  #absent(name: string, errorCode: number): void {
    const before = this.#absences.get(name);
    if (before?.errorCode === errorCode) return;
    this.#absences.set(name, { errorCode, since: this.#clock.monotonic() });
    if (errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(name);
  }

  #merge(topic: MetadataAnswer['topics'][number]): TopicMetadata {
    const before = this.#topics.get(topic.name);
    const sameTopic = before !== undefined && before.topicId === topic.topicId;
    const partitions: PartitionLeader[] = [];
    for (const answer of topic.partitions) {
      const known = sameTopic ? before.partitions[answer.partition] : undefined;
      if (known !== undefined && answer.leaderEpoch < known.leaderEpoch) {
        this.#logger.debug('An older leader epoch was not believed', {
          topic: topic.name,
          partition: answer.partition,
          known: known.leaderEpoch,
          answered: answer.leaderEpoch,
        });
        partitions[answer.partition] = known;
      } else {
        partitions[answer.partition] = { leaderId: answer.leaderId, leaderEpoch: answer.leaderEpoch };
      }
    }
    return {
      name: topic.name,
      topicId: topic.topicId,
      isInternal: topic.isInternal,
      partitions,
      fetchedAt: this.#clock.monotonic(),
    };
  }
}
