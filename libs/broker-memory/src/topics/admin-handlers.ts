// Owns the answers about topics and brokers: metadata, creation, deletion, configurations, deleted records.
import type { CreateTopicsAnswer, MetadataAnswer, RpcAnswers, RpcRequests } from '#libs/broker';
import type { ClusterCore } from '../cluster-core.ts';
import { Errors } from '../kafka-errors.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { leaderRefusal } from './leader-check.ts';
import { configProblem } from './topic-config.ts';
import type { TopicState } from './topic-registry.ts';

const NAME_LENGTH_MAX = 249;
const LEGAL_NAME = /^[a-zA-Z0-9._-]+$/;
const NO_TOPIC_ID = '0'.repeat(32);
const DEFAULT_PARTITIONS = 1;
/** How DeleteRecords says: all that is there. */
const HIGH_WATERMARK = -1;

export class AdminHandlers {
  readonly #core: ClusterCore;
  /** Readers that wait for a topic are told that it is gone. */
  readonly #onDeleted: (topic: TopicState) => void;

  constructor(core: ClusterCore, onDeleted: (topic: TopicState) => void) {
    this.#core = core;
    this.#onDeleted = onDeleted;
  }

  metadata({ topics }: RpcRequests['Metadata']): MetadataAnswer {
    const { nodes } = this.#core;
    const found =
      topics === null
        ? [...this.#core.topics.all()].map(describe)
        : topics.map((name) => this.#describe(name));
    return {
      clusterId: 'simulated',
      controllerId: nodes.firstUp()?.nodeId ?? -1,
      brokers: nodes.all
        .filter((node) => node.up)
        .map(({ nodeId, host, port }) => ({ nodeId, host, port, rack: null })),
      topics: found,
    };
  }

  #describe(name: string): MetadataAnswer['topics'][number] {
    const topic = this.#core.topics.get(name);
    if (topic !== undefined) return describe(topic);
    const errorCode =
      nameProblem(name) === undefined ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.INVALID_TOPIC_EXCEPTION;
    return { errorCode, name, topicId: NO_TOPIC_ID, isInternal: false, partitions: [] };
  }

  createTopics(request: RpcRequests['CreateTopics']): CreateTopicsAnswer {
    return {
      topics: request.topics.map((topic) => {
        const [errorCode, errorMessage] = this.#create(topic, request.validateOnly);
        return { name: topic.name, errorCode, errorMessage };
      }),
    };
  }

  #create(
    { name, numPartitions, replicationFactor, configs }: RpcRequests['CreateTopics']['topics'][number],
    validateOnly: boolean,
  ): [errorCode: number, errorMessage: string | null] {
    const problem = nameProblem(name);
    if (problem !== undefined) return [Errors.INVALID_TOPIC_EXCEPTION, problem];
    if (this.#core.topics.get(name) !== undefined) {
      return [Errors.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`];
    }
    if (numPartitions === 0 || numPartitions < -1) {
      return [Errors.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.'];
    }
    const brokers = this.#core.nodes.all.length;
    if (replicationFactor === 0 || replicationFactor < -1 || replicationFactor > brokers) {
      return [
        Errors.INVALID_REPLICATION_FACTOR,
        `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ${replicationFactor} cannot be reached because only ${brokers} broker(s) are registered.`,
      ];
    }
    const own = new Map<string, string>();
    for (const config of configs) {
      const wrong = configProblem(config.name, config.value);
      if (wrong !== undefined) return [Errors.INVALID_CONFIG, wrong];
      own.set(config.name, config.value!);
    }
    if (!validateOnly) {
      this.#core.topics.create(
        name,
        numPartitions === -1 ? DEFAULT_PARTITIONS : numPartitions,
        replicationFactor === -1 ? this.#core.settings.replicationFactor : replicationFactor,
        own,
      );
    }
    return [Errors.NONE, null];
  }

  deleteTopics({ names }: RpcRequests['DeleteTopics']): RpcAnswers['DeleteTopics'] {
    return {
      topics: names.map((name) => {
        const topic = this.#core.topics.delete(name);
        if (topic === undefined) {
          return {
            name,
            errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION,
            errorMessage: 'This server does not host this topic-partition.',
          };
        }
        this.#onDeleted(topic);
        return { name, errorCode: Errors.NONE, errorMessage: null };
      }),
    };
  }

  describeConfigs({ topics }: RpcRequests['DescribeConfigs']): RpcAnswers['DescribeConfigs'] {
    return {
      topics: topics.map(({ name, keys }) => {
        const topic = this.#core.topics.get(name);
        if (topic === undefined) {
          return { name, errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: '', configs: [] };
        }
        return { name, errorCode: Errors.NONE, errorMessage: null, configs: topic.config.entries(keys) };
      }),
    };
  }

  deleteRecords({ topics }: RpcRequests['DeleteRecords'], nodeId: number): RpcAnswers['DeleteRecords'] {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition, offset }) => {
          const log = this.#core.topics.log(name, partition);
          const errorCode = this.#deleteRecords(log, name, offset, nodeId);
          return { partition, errorCode, lowWatermark: errorCode === Errors.NONE ? log!.logStartOffset : -1 };
        }),
      })),
    };
  }

  #deleteRecords(log: PartitionLog | undefined, topic: string, offset: number, nodeId: number): number {
    const refusal = leaderRefusal(log, nodeId, -1);
    if (refusal !== Errors.NONE) return refusal;
    if (!this.#core.topics.get(topic)!.config.deleted) return Errors.POLICY_VIOLATION;
    const before = offset === HIGH_WATERMARK ? log!.highWatermark : offset;
    if (before < 0 || before > log!.highWatermark) return Errors.OFFSET_OUT_OF_RANGE;
    log!.deleteBefore(before);
    log!.notify();
    return Errors.NONE;
  }
}

function describe(topic: TopicState): MetadataAnswer['topics'][number] {
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: false,
    partitions: topic.logs.map(({ partition, leadership }) => ({
      errorCode: leadership.leaderId < 0 ? Errors.LEADER_NOT_AVAILABLE : Errors.NONE,
      partition,
      leaderId: leadership.leaderId,
      leaderEpoch: leadership.leaderEpoch,
      replicaNodes: leadership.replicas,
      isrNodes: leadership.replicas,
    })),
  };
}

function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return `Topic name is invalid: '${name}'`;
  if (name.length > NAME_LENGTH_MAX)
    return `Topic name is invalid: the length is longer than ${NAME_LENGTH_MAX}`;
  return LEGAL_NAME.test(name) ? undefined : `Topic name is invalid: '${name}' contains illegal characters`;
}
