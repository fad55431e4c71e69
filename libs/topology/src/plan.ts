// Owns the shape of a built topology as the runtime reads it: sub-topologies, their sources, sinks and stores.
import type { Serde } from '#libs/serde';
import type { CompiledTask, TaskPorts } from './ports.ts';

/** Milliseconds since the epoch of a record; called with the decoded key and value and the record's own timestamp. */
export type TimestampExtractor = (
  value: unknown,
  key: unknown,
  recordTimestamp: number,
  partitionTime: number,
) => number;

export interface SourceSpec {
  readonly name: string;
  /** For a repartition its name (`RepartitionSpec.name`): the topic is `<application.id>-<name>-repartition`. */
  readonly topic: string;
  /** Repartition topics are created and trimmed by the runtime. */
  readonly kind: 'stream' | 'table' | 'repartition';
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly timestampExtractor: TimestampExtractor | null;
  /** Where to start without a committed offset; `null`: the application's default. */
  readonly offsetReset: 'earliest' | 'latest' | null;
  /** Stores looked up by the record's own key on the way from this source: read ahead for a whole batch. */
  readonly readAhead: readonly string[];
}

/** Chooses a partition; `null` leaves it to the default: murmur2 of the key as Kafka's clients do, sticky without a key. */
export type StreamPartitioner = (
  topic: string,
  key: unknown,
  value: unknown,
  partitionCount: number,
) => number | null;

export interface SinkSpec {
  readonly name: string;
  /** Fixed, or chosen by record. For a repartition its name, as in SourceSpec. */
  readonly topic: string | ((key: unknown, value: unknown) => string);
  readonly kind: 'topic' | 'repartition';
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly partitioner: StreamPartitioner | null;
  /** The key is that of the source record, unchanged, with the same serde: its bytes are copied. Holds on every path to the sink. */
  readonly keyIsSourceKey: boolean;
  /**
   * The value is what this store was last set to, with the same serde: its encoding is reused when it is the same object. Named only
   * where no function of the user's runs between the set and the sink, since it might change the object.
   */
  readonly valueFromStore: string | null;
}

export interface StoreSpec {
  readonly kind: 'keyValue';
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly logged: boolean;
  /** Extra configuration of the changelog topic. */
  readonly changelogConfig: Readonly<Record<string, string>>;
  /** `memory`: not kept on disk, restored whole from its changelog at every start. */
  readonly persistence: 'default' | 'memory';
  /** Objects decoded for one record are given to later ones too: the user promises not to share them. Default false. */
  readonly reuseDecoded?: boolean;
}

/** Nodes connected without a topic between them. Its tasks are numbered by partition. */
export interface SubTopology {
  readonly id: number;
  readonly sources: readonly SourceSpec[];
  readonly sinks: readonly SinkSpec[];
  readonly stores: readonly StoreSpec[];
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
  /** Text in the layout of Kafka Streams' `TopologyDescription`. */
  describe(): string;
  /** The same as a Mermaid flowchart. */
  describeAsMermaid(): string;
}
