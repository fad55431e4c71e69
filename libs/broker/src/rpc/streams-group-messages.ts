// Owns the messages of the streams rebalance protocol (KIP-1071), in which the broker assigns tasks from a declared topology. Field
// names are those of Kafka's StreamsGroupHeartbeat and StreamsGroupDescribe.

/** Tasks of one sub-topology. */
export interface StreamsTaskIds {
  readonly subtopologyId: string;
  readonly partitions: readonly number[];
}

export interface StreamsKeyValue {
  readonly key: string;
  readonly value: string;
}

export interface StreamsEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface StreamsTaskOffset {
  readonly subtopologyId: string;
  readonly partition: number;
  readonly offset: number;
}

export interface StreamsTopicInfo {
  readonly name: string;
  /** 0: not fixed; always 0 for changelogs. */
  readonly partitions: number;
  /** 0: the broker's default. */
  readonly replicationFactor: number;
  readonly topicConfigs: readonly StreamsKeyValue[];
}

export interface StreamsSubtopology {
  readonly subtopologyId: string;
  readonly sourceTopics: readonly string[];
  readonly stateChangelogTopics: readonly StreamsTopicInfo[];
  readonly repartitionSinkTopics: readonly string[];
  readonly repartitionSourceTopics: readonly StreamsTopicInfo[];
  /** Indices into `sourceTopics` and `repartitionSourceTopics`. */
  readonly copartitionGroups: readonly {
    readonly sourceTopics: readonly number[];
    readonly repartitionSourceTopics: readonly number[];
  }[];
}

export interface StreamsTopology {
  readonly epoch: number;
  readonly subtopologies: readonly StreamsSubtopology[];
}

/** Optional fields are null where nothing changed since the last heartbeat. */
export interface StreamsGroupHeartbeatRequest {
  readonly groupId: string;
  readonly memberId: string;
  /** 0: join; -1: leave; -2: a static member leaves for a while. */
  readonly memberEpoch: number;
  readonly endpointInformationEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1: unchanged. */
  readonly rebalanceTimeoutMs: number;
  /** Only, and always, with epoch 0. */
  readonly topology: StreamsTopology | null;
  readonly activeTasks: readonly StreamsTaskIds[] | null;
  readonly standbyTasks: readonly StreamsTaskIds[] | null;
  readonly warmupTasks: readonly StreamsTaskIds[] | null;
  readonly processId: string | null;
  readonly userEndpoint: StreamsEndpoint | null;
  readonly clientTags: readonly StreamsKeyValue[] | null;
  readonly taskOffsets: readonly StreamsTaskOffset[] | null;
  readonly taskEndOffsets: readonly StreamsTaskOffset[] | null;
  readonly shutdownApplication: boolean;
}

export interface StreamsGroupStatus {
  readonly statusCode: number;
  readonly statusDetail: string;
}

export interface StreamsGroupHeartbeatAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  readonly acceptableRecoveryLag: number;
  readonly taskOffsetIntervalMs: number;
  readonly status: readonly StreamsGroupStatus[] | null;
  /** All three or none: the assignment, where it changed. */
  readonly activeTasks: readonly StreamsTaskIds[] | null;
  readonly standbyTasks: readonly StreamsTaskIds[] | null;
  readonly warmupTasks: readonly StreamsTaskIds[] | null;
  readonly endpointInformationEpoch: number;
  readonly partitionsByUserEndpoint:
    | readonly {
        readonly userEndpoint: StreamsEndpoint;
        readonly activePartitions: readonly StreamsTopicPartitions[];
        readonly standbyPartitions: readonly StreamsTopicPartitions[];
      }[]
    | null;
}

export interface StreamsTopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface StreamsGroupDescribeRequest {
  readonly groupIds: readonly string[];
}

export interface StreamsGroupAssignment {
  readonly activeTasks: readonly StreamsTaskIds[];
  readonly standbyTasks: readonly StreamsTaskIds[];
  readonly warmupTasks: readonly StreamsTaskIds[];
}

export interface StreamsGroupDescription {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly groupId: string;
  readonly groupState: string;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly topology: {
    readonly epoch: number;
    /** Null while topics are missing or do not fit. */
    readonly subtopologies: readonly Omit<StreamsSubtopology, 'copartitionGroups'>[] | null;
  } | null;
  readonly members: readonly {
    readonly memberId: string;
    readonly memberEpoch: number;
    readonly instanceId: string | null;
    readonly rackId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly topologyEpoch: number;
    readonly processId: string;
    readonly userEndpoint: StreamsEndpoint | null;
    readonly clientTags: readonly StreamsKeyValue[];
    readonly taskOffsets: readonly StreamsTaskOffset[];
    readonly taskEndOffsets: readonly StreamsTaskOffset[];
    readonly assignment: StreamsGroupAssignment;
    readonly targetAssignment: StreamsGroupAssignment;
    readonly isClassic: boolean;
  }[];
}

export interface StreamsGroupDescribeAnswer {
  readonly groups: readonly StreamsGroupDescription[];
}
