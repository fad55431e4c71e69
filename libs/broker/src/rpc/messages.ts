// Owns the typed requests and answers of the RPC port, one pair per Kafka API that Millrace uses. Field names are
// those of Kafka's protocol guide. Versions are chosen below this port; a field that a version lacks is dropped or
// answered with Kafka's default.
import type {
  StreamsGroupDescribeAnswer,
  StreamsGroupDescribeRequest,
  StreamsGroupHeartbeatAnswer,
  StreamsGroupHeartbeatRequest,
} from './streams-group-messages.ts';

export type ApiName = keyof RpcRequests;

/** 16 bytes as 32 lower-case hex digits; all zeros: none. */
export type TopicId = string;

// --- cluster -------------------------------------------------------------------------------------------------

export interface MetadataRequest {
  /** `null`: every topic. */
  readonly topics: readonly string[] | null;
}

export interface MetadataAnswer {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly { nodeId: number; host: string; port: number; rack: string | null }[];
  readonly topics: readonly {
    errorCode: number;
    name: string;
    topicId: TopicId;
    isInternal: boolean;
    partitions: readonly {
      errorCode: number;
      partition: number;
      leaderId: number;
      leaderEpoch: number;
      replicaNodes: readonly number[];
      isrNodes: readonly number[];
    }[];
  }[];
}

export interface FindCoordinatorRequest {
  readonly keyType: 'group' | 'transaction';
  readonly key: string;
}

export interface FindCoordinatorAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

// --- transactions --------------------------------------------------------------------------------------------

export interface ProducerIdentity {
  /** An int64; kept as bigint because ids are opaque and may use all bits. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface InitProducerIdRequest extends ProducerIdentity {
  /** `null`: idempotence without transactions. */
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
}

export interface InitProducerIdAnswer extends ProducerIdentity {
  readonly errorCode: number;
}

export interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly acks: -1 | 0 | 1;
  readonly timeoutMs: number;
  readonly topics: readonly {
    readonly name: string;
    readonly topicId?: TopicId;
    readonly partitions: readonly {
      readonly partition: number;
      /** Stamped record batches; written to the socket without a copy, so unchanged until the call settles. */
      readonly records: readonly Uint8Array[];
    }[];
  }[];
  /** Ask for the version that adds partitions to the transaction implicitly (v12, transaction version 2). */
  readonly transactionVersion2: boolean;
}

export interface ProduceAnswer {
  readonly topics: readonly {
    name: string;
    partitions: readonly {
      partition: number;
      errorCode: number;
      errorMessage: string | null;
      baseOffset: number;
      logAppendTimeMs: number;
      logStartOffset: number;
      recordErrors: readonly { batchIndex: number; message: string | null }[];
      currentLeader?: { leaderId: number; leaderEpoch: number };
    }[];
  }[];
  readonly throttleTimeMs: number;
}

export interface AddPartitionsToTxnRequest extends ProducerIdentity {
  readonly transactionalId: string;
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[];
}

export interface AddPartitionsToTxnAnswer {
  readonly errorCode: number;
  readonly topics: readonly {
    name: string;
    partitions: readonly { partition: number; errorCode: number }[];
  }[];
}

export interface AddOffsetsToTxnRequest extends ProducerIdentity {
  readonly transactionalId: string;
  readonly groupId: string;
}

export interface AddOffsetsToTxnAnswer {
  readonly errorCode: number;
}

export interface DescribeTransactionsRequest {
  /** Of one coordinator. */
  readonly transactionalIds: readonly string[];
}

export interface DescribeTransactionsAnswer {
  readonly transactions: readonly (ProducerIdentity & {
    errorCode: number;
    transactionalId: string;
    /** As Kafka's coordinator names it: `Ongoing`, `PrepareCommit`, … */
    state: string;
    timeoutMs: number;
    /** -1: none is open. */
    startTimeMs: number;
    /** What an open one has reached, of one that is being ended what has no marker yet; only what the caller may describe. */
    topics: readonly { name: string; partitions: readonly number[] }[];
  })[];
}

/** Of the broker asked: each lists what it coordinates. */
export interface ListTransactionsRequest {
  /** As Kafka's coordinator names them; none: all. */
  readonly states: readonly string[];
  /** A regular expression (RE2) that the whole id matches; `null`: all. Below version 2 (Kafka 4.1, KIP-1152) it is not sent. */
  readonly transactionalIdPattern: string | null;
}

/** Only ids that the caller may describe. */
export interface ListTransactionsAnswer {
  readonly errorCode: number;
  readonly transactions: readonly { transactionalId: string; producerId: bigint; state: string }[];
}

export interface OffsetCommitPartition {
  readonly partition: number;
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string | null;
}

export interface TxnOffsetCommitRequest extends ProducerIdentity {
  readonly transactionalId: string;
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly OffsetCommitPartition[];
  }[];
  /** Version 5: the group's partition joins the transaction implicitly. */
  readonly transactionVersion2: boolean;
}

export interface OffsetCommitAnswer {
  readonly topics: readonly {
    name: string;
    partitions: readonly { partition: number; errorCode: number }[];
  }[];
}

export interface EndTxnRequest extends ProducerIdentity {
  readonly transactionalId: string;
  readonly committed: boolean;
  /** Version 5: the answer carries the identity of the next transaction. */
  readonly transactionVersion2: boolean;
}

export interface EndTxnAnswer extends ProducerIdentity {
  readonly errorCode: number;
}

// --- reading -------------------------------------------------------------------------------------------------

export interface FetchPartitionRequest {
  readonly partition: number;
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: number;
  readonly lastFetchedEpoch: number;
  readonly logStartOffset: number;
  readonly partitionMaxBytes: number;
}

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolation: 'read_uncommitted' | 'read_committed';
  /** 0 and epoch 0: a new session; 0 and epoch -1: none. */
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: readonly {
    readonly name: string;
    readonly topicId: TopicId;
    readonly partitions: readonly FetchPartitionRequest[];
  }[];
  readonly forgottenTopics: readonly {
    readonly name: string;
    readonly topicId: TopicId;
    readonly partitions: readonly number[];
  }[];
  readonly rackId: string;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface FetchAnswer {
  readonly errorCode: number;
  readonly sessionId: number;
  readonly throttleTimeMs: number;
  readonly topics: readonly {
    topicId: TopicId;
    partitions: readonly {
      partition: number;
      errorCode: number;
      highWatermark: number;
      lastStableOffset: number;
      logStartOffset: number;
      divergingEpoch?: { epoch: number; endOffset: number };
      currentLeader?: { leaderId: number; leaderEpoch: number };
      abortedTransactions: readonly AbortedTransaction[];
      preferredReadReplica: number;
      /** Concatenated record batches, the last possibly truncated. A view on the answer's own buffer. */
      records: Buffer | null;
    }[];
  }[];
  /** Leaders named by `currentLeader`, version 16 up. */
  readonly nodeEndpoints: readonly { nodeId: number; host: string; port: number }[];
}

export interface ListOffsetsRequest {
  readonly isolation: 'read_uncommitted' | 'read_committed';
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly currentLeaderEpoch: number;
      /** -1 latest, -2 earliest, otherwise milliseconds. */
      readonly timestamp: number;
    }[];
  }[];
}

export interface ListOffsetsAnswer {
  readonly topics: readonly {
    name: string;
    partitions: readonly {
      partition: number;
      errorCode: number;
      timestamp: number;
      offset: number;
      leaderEpoch: number;
    }[];
  }[];
}

export interface OffsetForLeaderEpochRequest {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly currentLeaderEpoch: number;
      readonly leaderEpoch: number;
    }[];
  }[];
}

export interface OffsetForLeaderEpochAnswer {
  readonly topics: readonly {
    name: string;
    partitions: readonly { partition: number; errorCode: number; leaderEpoch: number; endOffset: number }[];
  }[];
}

// --- groups --------------------------------------------------------------------------------------------------

export interface JoinGroupRequest {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[];
  readonly reason: string | null;
}

export interface JoinGroupAnswer {
  readonly errorCode: number;
  readonly generationId: number;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly memberId: string;
  readonly skipAssignment: boolean;
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[];
}

export interface SyncGroupRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocolName: string;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface SyncGroupAnswer {
  readonly errorCode: number;
  readonly assignment: Buffer;
}

export interface HeartbeatRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface HeartbeatAnswer {
  readonly errorCode: number;
}

export interface LeaveGroupRequest {
  readonly groupId: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly reason: string | null;
  }[];
}

export interface LeaveGroupAnswer {
  readonly errorCode: number;
  readonly members: readonly { memberId: string; errorCode: number }[];
}

export interface OffsetFetchRequest {
  readonly groupId: string;
  /** `null`: every partition the group has offsets of. */
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[] | null;
  /** Offsets of a transaction still pending answer UNSTABLE_OFFSET_COMMIT instead of the older value. */
  readonly requireStable: boolean;
}

export interface OffsetFetchAnswer {
  readonly errorCode: number;
  readonly topics: readonly {
    name: string;
    partitions: readonly {
      partition: number;
      errorCode: number;
      /** -1: none committed. */
      committedOffset: number;
      committedLeaderEpoch: number;
      metadata: string | null;
    }[];
  }[];
}

export interface OffsetCommitRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly OffsetCommitPartition[];
  }[];
}

export interface DescribeGroupsRequest {
  readonly groupIds: readonly string[];
}

export interface DescribeGroupsAnswer {
  readonly groups: readonly {
    errorCode: number;
    groupId: string;
    groupState: string;
    protocolType: string;
    protocolName: string;
    members: readonly {
      memberId: string;
      groupInstanceId: string | null;
      clientId: string;
      clientHost: string;
      metadata: Buffer;
      assignment: Buffer;
    }[];
  }[];
}

// --- topics --------------------------------------------------------------------------------------------------

export interface CreateTopicsRequest {
  readonly timeoutMs: number;
  readonly validateOnly: boolean;
  readonly topics: readonly {
    readonly name: string;
    readonly numPartitions: number;
    /** -1: the broker's default. */
    readonly replicationFactor: number;
    readonly configs: readonly { readonly name: string; readonly value: string | null }[];
  }[];
}

export interface CreateTopicsAnswer {
  readonly topics: readonly { name: string; errorCode: number; errorMessage: string | null }[];
}

export interface DeleteTopicsRequest {
  readonly timeoutMs: number;
  readonly names: readonly string[];
}

export interface DeleteTopicsAnswer {
  readonly topics: readonly { name: string | null; errorCode: number; errorMessage: string | null }[];
}

export interface DeleteRecordsRequest {
  readonly timeoutMs: number;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  }[];
}

export interface DeleteRecordsAnswer {
  readonly topics: readonly {
    name: string;
    partitions: readonly { partition: number; lowWatermark: number; errorCode: number }[];
  }[];
}

export interface DescribeConfigsRequest {
  /** Topic resources only. */
  readonly topics: readonly { readonly name: string; readonly keys: readonly string[] | null }[];
}

export interface DescribeConfigsAnswer {
  readonly topics: readonly {
    name: string;
    errorCode: number;
    errorMessage: string | null;
    configs: readonly { name: string; value: string | null; isDefault: boolean }[];
  }[];
}

// --- the table -----------------------------------------------------------------------------------------------

export interface RpcRequests {
  Metadata: MetadataRequest;
  FindCoordinator: FindCoordinatorRequest;
  InitProducerId: InitProducerIdRequest;
  Produce: ProduceRequest;
  AddPartitionsToTxn: AddPartitionsToTxnRequest;
  AddOffsetsToTxn: AddOffsetsToTxnRequest;
  TxnOffsetCommit: TxnOffsetCommitRequest;
  EndTxn: EndTxnRequest;
  DescribeTransactions: DescribeTransactionsRequest;
  ListTransactions: ListTransactionsRequest;
  Fetch: FetchRequest;
  ListOffsets: ListOffsetsRequest;
  OffsetForLeaderEpoch: OffsetForLeaderEpochRequest;
  JoinGroup: JoinGroupRequest;
  SyncGroup: SyncGroupRequest;
  Heartbeat: HeartbeatRequest;
  LeaveGroup: LeaveGroupRequest;
  OffsetFetch: OffsetFetchRequest;
  OffsetCommit: OffsetCommitRequest;
  DescribeGroups: DescribeGroupsRequest;
  StreamsGroupHeartbeat: StreamsGroupHeartbeatRequest;
  StreamsGroupDescribe: StreamsGroupDescribeRequest;
  CreateTopics: CreateTopicsRequest;
  DeleteTopics: DeleteTopicsRequest;
  DeleteRecords: DeleteRecordsRequest;
  DescribeConfigs: DescribeConfigsRequest;
}

export interface RpcAnswers {
  Metadata: MetadataAnswer;
  FindCoordinator: FindCoordinatorAnswer;
  InitProducerId: InitProducerIdAnswer;
  Produce: ProduceAnswer;
  AddPartitionsToTxn: AddPartitionsToTxnAnswer;
  AddOffsetsToTxn: AddOffsetsToTxnAnswer;
  TxnOffsetCommit: OffsetCommitAnswer;
  EndTxn: EndTxnAnswer;
  DescribeTransactions: DescribeTransactionsAnswer;
  ListTransactions: ListTransactionsAnswer;
  Fetch: FetchAnswer;
  ListOffsets: ListOffsetsAnswer;
  OffsetForLeaderEpoch: OffsetForLeaderEpochAnswer;
  JoinGroup: JoinGroupAnswer;
  SyncGroup: SyncGroupAnswer;
  Heartbeat: HeartbeatAnswer;
  LeaveGroup: LeaveGroupAnswer;
  OffsetFetch: OffsetFetchAnswer;
  OffsetCommit: OffsetCommitAnswer;
  DescribeGroups: DescribeGroupsAnswer;
  StreamsGroupHeartbeat: StreamsGroupHeartbeatAnswer;
  StreamsGroupDescribe: StreamsGroupDescribeAnswer;
  CreateTopics: CreateTopicsAnswer;
  DeleteTopics: DeleteTopicsAnswer;
  DeleteRecords: DeleteRecordsAnswer;
  DescribeConfigs: DescribeConfigsAnswer;
}
