// Owns a Kafka cluster that is simulated in this process, as an application is pointed at it instead of at brokers: for demonstrations
// and for trying things out without a broker. It runs in real time and ends with the process. Tests have `millrace/testing`.
import { createBrokerClient, partitionForKey } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import { createMemoryCluster } from '#libs/broker-memory';
import type { MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import { formatTopicPartition, systemClock } from '#libs/core';
import type { Clock, Logger, RecordHeader } from '#libs/core';
import { binaryFromBytes } from '#libs/serde';

/** A record to be published: bytes, or text as UTF-8. */
export interface SimulatedRecord {
  readonly key: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  /** Milliseconds since the Unix epoch. Default now. */
  readonly timestamp?: number;
  readonly headers?: readonly RecordHeader[];
}

/** What a client on the cluster is made of. */
export interface SimulatedClientParts {
  readonly clientId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A cluster as the option `kafka` takes it. */
export interface SimulatedConnection {
  createClient(parts: SimulatedClientParts): BrokerClient;
}

/**
 * Where a copy of an application runs: give it `kafka` and `clock` as options, and it can be killed as a process can, without ending
 * this one.
 */
export interface SimulatedHost {
  readonly kafka: SimulatedConnection;
  readonly clock: Clock;
  /** As kill −9: nothing that runs here does anything again, and nobody is told. */
  kill(): void;
}

/** Event times are of any time, and stay. */
const TOPIC_DEFAULTS = {
  'retention.ms': '-1',
  'message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER),
};

export class SimulatedKafka implements SimulatedConnection {
  readonly #cluster: MemoryCluster;
  /** Partition for the next record without a key, by topic. */
  readonly #turns = new Map<string, number>();

  constructor() {
    this.#cluster = createMemoryCluster({ clock: systemClock, topicDefaults: TOPIC_DEFAULTS });
  }

  /** @throws MillraceError MILLRACE_REQUEST_FAILED what a broker would refuse too. */
  createTopic(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): void {
    this.#cluster.topics.create(name, partitions, configs);
  }

  /** Appends records, each to the partition of its key as Kafka's clients choose it; without a key the partitions take turns. */
  publish(topic: string, records: Iterable<SimulatedRecord>): void {
    const count = this.#cluster.inspect.partitionCount(topic);
    const byPartition = new Map<number, SimulatedRecord[]>();
    for (const record of records) {
      const partition = record.key === null ? this.#turn(topic, count) : partitionOf(record.key, count);
      const list = byPartition.get(partition);
      if (list === undefined) byPartition.set(partition, [record]);
      else list.push(record);
    }
    for (const [partition, list] of byPartition) this.#cluster.topics.append(topic, partition, list);
  }

  /** Records that an application has still to process: committed ones behind its committed offsets. */
  lag(applicationId: string, topics: readonly string[]): number {
    const { inspect } = this.#cluster;
    const committed = inspect.committedOffsets(applicationId);
    let lag = 0;
    for (const topic of topics) {
      for (let partition = 0; partition < inspect.partitionCount(topic); partition++) {
        const from = committed.get(formatTopicPartition(topic, partition))?.offset ?? 0;
        lag += inspect.records(topic, partition, 'read_committed', from).length;
      }
    }
    return lag;
  }

  /** A place to run a copy of an application in. */
  host(name: string): SimulatedHost {
    const process = this.#cluster.process(name);
    return {
      kafka: { createClient: ({ clock, logger }) => clientOf(process, clock, logger) },
      clock: process.clock,
      kill: () => process.kill(),
    };
  }

  createClient({ clientId, clock, logger }: SimulatedClientParts): BrokerClient {
    return clientOf(this.#cluster.process(clientId), clock, logger);
  }

  #turn(topic: string, count: number): number {
    const turn = this.#turns.get(topic) ?? 0;
    this.#turns.set(topic, (turn + 1) % count);
    return turn;
  }
}

export function isSimulated(kafka: unknown): kafka is SimulatedConnection {
  return typeof kafka === 'object' && kafka !== null && 'createClient' in kafka;
}

function clientOf(process: SimulatedProcess, clock: Clock, logger: Logger): BrokerClient {
  return createBrokerClient({ rpc: process.rpc(), clock, logger });
}

function partitionOf(key: string | Uint8Array, count: number): number {
  return partitionForKey(binaryFromBytes(typeof key === 'string' ? Buffer.from(key) : key), count);
}
