// Owns Kafka's error codes as data: number, name and what a client must do about it. The one place that classifies.
// It never throws: turning a class into an error of ours is the business of errors.ts and of each state machine.

/**
 * What to do about an error code.
 *
 *   none               success
 *   retriable          the same request again after a pause
 *   stale-metadata     the same request again after the topic's metadata was refreshed
 *   stale-coordinator  the same request again after the coordinator was looked up
 *   concurrent         the same request again within milliseconds: the previous transaction is still ending
 *   duplicate          the batch had been written before: success
 *   abortable          the transaction cannot be committed any more: abandon it, re-initialise
 *   fenced             somebody newer, or the coordinator's timeout, holds the transactional id
 *   generation-lost    the group does not know the member or the generation any more
 *   instance-fenced    another process joined with the same group instance id
 *   rebalancing        the group is rebalancing: join again
 *   session            the fetch session is gone: start a new one
 *   too-large          the batch is larger than the topic takes
 *   unauthorized       an ACL forbids it
 *   fatal              nothing the client can do helps
 */
export type ErrorClass =
  | 'none'
  | 'retriable'
  | 'stale-metadata'
  | 'stale-coordinator'
  | 'concurrent'
  | 'duplicate'
  | 'abortable'
  | 'fenced'
  | 'generation-lost'
  | 'instance-fenced'
  | 'rebalancing'
  | 'session'
  | 'too-large'
  | 'unauthorized'
  | 'fatal';

/** Numbers and names from Kafka's protocol guide, classes ours. */
const TABLE = [
  [-1, 'UNKNOWN_SERVER_ERROR', 'abortable'],
  [0, 'NONE', 'none'],
  [1, 'OFFSET_OUT_OF_RANGE', 'fatal'],
  [2, 'CORRUPT_MESSAGE', 'retriable'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'stale-metadata'],
  [4, 'INVALID_FETCH_SIZE', 'fatal'],
  [5, 'LEADER_NOT_AVAILABLE', 'stale-metadata'],
  [6, 'NOT_LEADER_OR_FOLLOWER', 'stale-metadata'],
  [7, 'REQUEST_TIMED_OUT', 'retriable'],
  [8, 'BROKER_NOT_AVAILABLE', 'stale-metadata'],
  [9, 'REPLICA_NOT_AVAILABLE', 'stale-metadata'],
  [10, 'MESSAGE_TOO_LARGE', 'too-large'],
  [11, 'STALE_CONTROLLER_EPOCH', 'retriable'],
  [12, 'OFFSET_METADATA_TOO_LARGE', 'fatal'],
  [13, 'NETWORK_EXCEPTION', 'stale-metadata'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'retriable'],
  [15, 'COORDINATOR_NOT_AVAILABLE', 'stale-coordinator'],
  [16, 'NOT_COORDINATOR', 'stale-coordinator'],
  [17, 'INVALID_TOPIC_EXCEPTION', 'fatal'],
  [18, 'RECORD_LIST_TOO_LARGE', 'too-large'],
  [19, 'NOT_ENOUGH_REPLICAS', 'retriable'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retriable'],
  [21, 'INVALID_REQUIRED_ACKS', 'fatal'],
  [22, 'ILLEGAL_GENERATION', 'generation-lost'],
  [23, 'INCONSISTENT_GROUP_PROTOCOL', 'fatal'],
  [24, 'INVALID_GROUP_ID', 'fatal'],
  [25, 'UNKNOWN_MEMBER_ID', 'generation-lost'],
  [26, 'INVALID_SESSION_TIMEOUT', 'fatal'],
  [27, 'REBALANCE_IN_PROGRESS', 'rebalancing'],
  [28, 'INVALID_COMMIT_OFFSET_SIZE', 'fatal'],
  [29, 'TOPIC_AUTHORIZATION_FAILED', 'unauthorized'],
  [30, 'GROUP_AUTHORIZATION_FAILED', 'unauthorized'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', 'unauthorized'],
  [32, 'INVALID_TIMESTAMP', 'fatal'],
  [33, 'UNSUPPORTED_SASL_MECHANISM', 'fatal'],
  [34, 'ILLEGAL_SASL_STATE', 'fatal'],
  [35, 'UNSUPPORTED_VERSION', 'fatal'],
  [36, 'TOPIC_ALREADY_EXISTS', 'fatal'],
  [37, 'INVALID_PARTITIONS', 'fatal'],
  [38, 'INVALID_REPLICATION_FACTOR', 'fatal'],
  [39, 'INVALID_REPLICA_ASSIGNMENT', 'fatal'],
  [40, 'INVALID_CONFIG', 'fatal'],
  [41, 'NOT_CONTROLLER', 'retriable'],
  [42, 'INVALID_REQUEST', 'fatal'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'fatal'],
  [44, 'POLICY_VIOLATION', 'fatal'],
  [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'abortable'],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', 'duplicate'],
  [47, 'INVALID_PRODUCER_EPOCH', 'fenced'],
  [48, 'INVALID_TXN_STATE', 'abortable'],
  [49, 'INVALID_PRODUCER_ID_MAPPING', 'abortable'],
  [50, 'INVALID_TRANSACTION_TIMEOUT', 'fatal'],
  [51, 'CONCURRENT_TRANSACTIONS', 'concurrent'],
  [52, 'TRANSACTION_COORDINATOR_FENCED', 'abortable'],
  [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'unauthorized'],
  [54, 'SECURITY_DISABLED', 'fatal'],
  [55, 'OPERATION_NOT_ATTEMPTED', 'retriable'],
  [56, 'KAFKA_STORAGE_ERROR', 'stale-metadata'],
  [57, 'LOG_DIR_NOT_FOUND', 'fatal'],
  [58, 'SASL_AUTHENTICATION_FAILED', 'fatal'],
  [59, 'UNKNOWN_PRODUCER_ID', 'abortable'],
  [60, 'REASSIGNMENT_IN_PROGRESS', 'retriable'],
  [68, 'NON_EMPTY_GROUP', 'fatal'],
  // OffsetCommit from version 9 on answers it where older ones answer ILLEGAL_GENERATION (KIP-848).
  [69, 'GROUP_ID_NOT_FOUND', 'generation-lost'],
  [70, 'FETCH_SESSION_ID_NOT_FOUND', 'session'],
  [71, 'INVALID_FETCH_SESSION_EPOCH', 'session'],
  [72, 'LISTENER_NOT_FOUND', 'stale-metadata'],
  [73, 'TOPIC_DELETION_DISABLED', 'fatal'],
  [74, 'FENCED_LEADER_EPOCH', 'stale-metadata'],
  [75, 'UNKNOWN_LEADER_EPOCH', 'retriable'],
  [76, 'UNSUPPORTED_COMPRESSION_TYPE', 'fatal'],
  [77, 'STALE_BROKER_EPOCH', 'retriable'],
  [78, 'OFFSET_NOT_AVAILABLE', 'stale-metadata'],
  [79, 'MEMBER_ID_REQUIRED', 'retriable'],
  [80, 'PREFERRED_LEADER_NOT_AVAILABLE', 'stale-metadata'],
  [81, 'GROUP_MAX_SIZE_REACHED', 'fatal'],
  [82, 'FENCED_INSTANCE_ID', 'instance-fenced'],
  [83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'stale-metadata'],
  [87, 'INVALID_RECORD', 'fatal'],
  [88, 'UNSTABLE_OFFSET_COMMIT', 'retriable'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', 'retriable'],
  [90, 'PRODUCER_FENCED', 'fenced'],
  [91, 'RESOURCE_NOT_FOUND', 'fatal'],
  [100, 'UNKNOWN_TOPIC_ID', 'stale-metadata'],
  [103, 'INCONSISTENT_TOPIC_ID', 'stale-metadata'],
  [105, 'TRANSACTIONAL_ID_NOT_FOUND', 'abortable'],
  [106, 'FETCH_SESSION_TOPIC_ID_ERROR', 'session'],
  [109, 'OFFSET_MOVED_TO_TIERED_STORAGE', 'fatal'],
  [110, 'FENCED_MEMBER_EPOCH', 'generation-lost'],
  [111, 'UNRELEASED_INSTANCE_ID', 'retriable'],
  [113, 'STALE_MEMBER_EPOCH', 'generation-lost'],
  [120, 'TRANSACTION_ABORTABLE', 'abortable'],
  [129, 'REBOOTSTRAP_REQUIRED', 'stale-metadata'],
  [130, 'STREAMS_INVALID_TOPOLOGY', 'fatal'],
  [131, 'STREAMS_INVALID_TOPOLOGY_EPOCH', 'fatal'],
  [132, 'STREAMS_TOPOLOGY_FENCED', 'fatal'],
] as const satisfies readonly (readonly [number, string, ErrorClass])[];

/** The codes that state machines test by name. */
export const KafkaError = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_REQUEST: 42,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  GROUP_ID_NOT_FOUND: 69,
  FETCH_SESSION_ID_NOT_FOUND: 70,
  INVALID_FETCH_SESSION_EPOCH: 71,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  UNSTABLE_OFFSET_COMMIT: 88,
  TRANSACTIONAL_ID_NOT_FOUND: 105,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
  FENCED_MEMBER_EPOCH: 110,
  TRANSACTION_ABORTABLE: 120,
  STREAMS_INVALID_TOPOLOGY: 130,
  STREAMS_INVALID_TOPOLOGY_EPOCH: 131,
  STREAMS_TOPOLOGY_FENCED: 132,
} as const satisfies Partial<Record<(typeof TABLE)[number][1], number>>;

const CLASSES = new Map<number, ErrorClass>(TABLE.map(([code, , kind]) => [code, kind]));
const NAMES = new Map<number, string>(TABLE.map(([code, name]) => [code, name]));

/** What to do about `code`. A code this table lacks is `fatal`: guessing would risk data. */
export function classify(code: number): ErrorClass {
  return CLASSES.get(code) ?? 'fatal';
}

/** The protocol guide's name of `code`, or `ERROR_<code>`. */
export function errorName(code: number): string {
  return NAMES.get(code) ?? `ERROR_${code}`;
}

/** True where the identical request may simply be sent again. */
export function isRetriable(kind: ErrorClass): boolean {
  return (
    kind === 'retriable' || kind === 'stale-metadata' || kind === 'stale-coordinator' || kind === 'concurrent'
  );
}
