// Owns the shape of a built topology as the runtime reads it: sub-topologies, their sources, sinks and stores.
import type { BinaryString, RecordHeader } from '#libs/core';
import type { Serde } from '#libs/serde';
import type { DescribedTopology } from './describe-graph.ts';
import type { FailurePolicy } from './options/failure-policy.ts';
import type { CompiledTask, RecordMetadata, TaskPorts } from './ports.ts';

/** Milliseconds since the epoch of a record; called with the decoded key and value and the record's own timestamp. */
export type TimestampExtractor = (
  value: unknown,
  key: unknown,
  recordTimestamp: number,
  partitionTime: number,
) => number;

/**
 * What a record of a source will look up, as far as its key's bytes and its timestamp say: read for a whole batch at once. Whatever is
 * not declared, or not in memory in time, costs its record a miss, nothing else.
 */
export type ReadAhead =
  /** The key's value in a key-value store. */
  | { readonly kind: 'key'; readonly store: string }
  /** Rows of the key's group in an ordered store, by suffix. */
  | {
      readonly kind: 'rows';
      readonly store: string;
      /** Appends the suffixes of the rows that a record of this timestamp looks up. */
      readonly suffixes: (timestamp: number, into: BinaryString[]) => void;
    }
  /** The rows of the key's group from a suffix on. */
  | {
      readonly kind: 'range';
      readonly store: string;
      readonly from: (timestamp: number) => BinaryString;
    };

/** Makes watermarks of the timestamps of one partition. One object per partition; what it says must not go back. */
export interface WatermarkGenerator {
  onRecord(timestamp: number): void;
  /** No record below this time is expected any more; -1: nothing is known yet. */
  watermark(): number;
}

export interface WatermarkSpec {
  /** `null`: stream time as in Kafka Streams, the highest timestamp of all partitions; only `quietAfterMs` is used then. */
  readonly generator: (() => WatermarkGenerator) | null;
  /** Without a record for so long (wall clock) a partition no longer holds the task's watermark back; `null`: it does for ever. */
  readonly idleAfterMs: number | null;
  /** When all inputs were quiet for so long (wall clock), event time moves on with the wall clock; `null`: it stands still. */
  readonly quietAfterMs: number | null;
}

/** What happens to a record whose timestamp is further ahead of the wall clock than `aheadMsMax`. It never moves time. */
export interface FutureTimestampSpec {
  readonly aheadMsMax: number;
  /** `fail`: a deserialization failure (MILLRACE_FUTURE_TIMESTAMP) for the exception handler. `clamp`: its timestamp is the wall clock's. */
  readonly policy: 'fail' | 'drop' | 'clamp';
}

export interface SourceSpec {
  readonly name: string;
  /**
   * For a repartition its name (`RepartitionSpec.name`): the topic is `<application.id>-<name>-repartition`. For a retry topic its name without
   * the prefix: `<application.id>-<topic>`.
   */
  readonly topic: string;
  /** Repartition and retry topics are created and trimmed by the runtime. */
  readonly kind: 'stream' | 'table' | 'repartition' | 'retry';
  /** Of a retry topic: whose records wait in it. */
  readonly retry?: RetryTopicSpec;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly timestampExtractor: TimestampExtractor | null;
  /** Where to start without a committed offset; `null`: the application's default. */
  readonly offsetReset: 'earliest' | 'latest' | null;
  /** What records look up on the way from this source by their own key and time. */
  readonly readAhead: readonly ReadAhead[];
  readonly watermarks: WatermarkSpec | null;
  readonly futureTimestamps: FutureTimestampSpec | null;
  /** Of records that fail here, and of its records that fail where nothing else is said. Left out: the application's handlers decide. */
  readonly failurePolicy?: FailurePolicy | null;
}

/** A topic that records of a source wait in before they are tried again. It has as many partitions as theirs. */
export interface RetryTopicSpec {
  /** The source, without `retry`. */
  readonly of: SourceSpec;
  /** 1 for the first topic. */
  readonly level: number;
  readonly delayMs: number;
}

/**
 * Chooses a partition, or several to write the record to each of them (KIP-837; none: it is not written). `null` leaves
 * it to the default: murmur2 of the key as Kafka's clients do, sticky without a key. To a repartition topic one partition, or `null`.
 */
export type StreamPartitioner = (
  topic: string,
  key: unknown,
  value: unknown,
  partitionCount: number,
  metadata: RecordMetadata,
) => number | readonly number[] | null;

/** What a record is written with instead of the headers of its source record. */
export type RecordHeadersFunction = (
  key: unknown,
  value: unknown,
  metadata: RecordMetadata,
) => readonly RecordHeader[];

export interface SinkSpec {
  readonly name: string;
  /** Fixed, or chosen by record. For a repartition its name, as in SourceSpec. */
  readonly topic: string | ((key: unknown, value: unknown, metadata: RecordMetadata) => string);
  readonly kind: 'topic' | 'repartition';
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly partitioner: StreamPartitioner | null;
  /** The key is that of the source record, unchanged, with the same serde: its bytes are copied. Holds on every path to the sink. */
  readonly keyIsSourceKey: boolean;
  /**
   * Bytes at the end of the encoded key that have no say in the default partition: the window of a windowed key, so that all windows of a
   * key are in its partition (Kafka Streams' WindowedStreamPartitioner). Left out: 0.
   */
  readonly keySuffixBytes?: number;
  /**
   * The value is what this store was last set to, with the same serde: its encoding is reused when it is the same object. Named only
   * where no function of the user's runs between the set and the sink, since it might change the object.
   */
  readonly valueFromStore: string | null;
}

interface StoreSpecCommon {
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly logged: boolean;
  /** Extra configuration of the changelog topic. */
  readonly changelogConfig: Readonly<Record<string, string>>;
  /** `memory`: not kept on disk, restored whole from its changelog at every start. */
  readonly persistence: 'default' | 'memory';
  /**
   * What the store is besides its serdes, such as `window(60000)`: state written under another one is refused. Left out: it is a
   * plain key-value store.
   */
  readonly layout?: string;
  /** Serdes of what else is in its rows, where the store's own do not tell: they are prepared like these. */
  readonly inside?: readonly InsideStore[];
}

export interface InsideStore {
  readonly serde: Serde<unknown>;
  /** `key`: rows are found by its bytes. */
  readonly part: 'key' | 'value';
  readonly role: string;
}

export interface KeyValueStoreSpec extends StoreSpecCommon {
  readonly kind: 'keyValue';
  /** Objects decoded for one record are given to later ones too: the user promises not to share them. Default false. */
  readonly reuseDecoded?: boolean;
  /**
   * The table's source topic is its changelog: nothing is written for it, and it is restored from the topic, up to the committed
   * input offset (KAFKA-8755). Default: a changelog of its own.
   */
  readonly sourceTopic?: string | null;
}

/** Rows in groups, see `OrderedStorePort`. `keySerde` is that of the group. */
export interface OrderedStoreSpec extends StoreSpecCommon {
  readonly kind: 'ordered';
  /** True: all rows are in memory as long as the task is open, and no look-up misses. For buffers and timers. */
  readonly resident: boolean;
  /**
   * Suffixes begin with a time (`orderedTime`). Rows whose time is below that of the named operator's clock less `retentionMs` are
   * dropped some time after, without a changelog record. Who reads must pass over them by that rule: dropping only frees space.
   */
  readonly expiry: { readonly clock: string; readonly retentionMs: number } | null;
}

export type StoreSpec = KeyValueStoreSpec | OrderedStoreSpec;

/** A topic that every instance reads whole, all partitions, before its tasks run. */
export interface GlobalStoreSpec {
  readonly name: string;
  readonly topic: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
}

/** Nodes connected without a topic between them. Its tasks are numbered by partition. */
export interface SubTopology {
  readonly id: number;
  readonly sources: readonly SourceSpec[];
  readonly sinks: readonly SinkSpec[];
  readonly stores: readonly StoreSpec[];
  /** By the names of sources, operators and sinks that have one of their own. Left out: none has. */
  readonly failurePolicies?: ReadonlyMap<string, FailurePolicy>;
  /** Folds the graph into closures for one task. */
  compile(ports: TaskPorts): CompiledTask;
}

/** A repartition topic to be created: `<application.id>-<name>-repartition`. */
export interface RepartitionSpec {
  readonly name: string;
  /** `null`: as many partitions as the co-partitioned or upstream topics have, decided when topics are known. */
  readonly partitionCount: number | null;
}

/** Topics that must have the same number of partitions because one operator reads them together. */
export interface CoPartitionGroup {
  readonly operator: string;
  /** Of the user's. */
  readonly topics: readonly string[];
  /** By name, as in RepartitionSpec. */
  readonly repartitions: readonly string[];
}

export interface Topology {
  readonly subTopologies: readonly SubTopology[];
  readonly repartitions: readonly RepartitionSpec[];
  readonly coPartitionGroups: readonly CoPartitionGroup[];
  readonly globalStores: readonly GlobalStoreSpec[];
  /** Text in the layout of Kafka Streams' `TopologyDescription`. */
  describe(): string;
  /** The same as a Mermaid flowchart. */
  describeAsMermaid(): string;
  /** The same as data. */
  describeAsGraph(): DescribedTopology;
}

/** Is the topic one that the runtime creates? */
export function isInternalSource({ kind }: Pick<SourceSpec, 'kind'>): boolean {
  return kind === 'repartition' || kind === 'retry';
}
