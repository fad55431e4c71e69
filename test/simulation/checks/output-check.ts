// Owns the comparison of committed output with the model, and of committed offsets with committed output. Incremental: each record is
// looked at once, when the transaction that wrote it is decided and its marker is there.
import type { MemoryCluster } from '#libs/broker-memory';
import { decodeOffsetMetadata } from '#libs/runtime';
import { APPLICATION } from '../scenario.ts';
import type { InputRecord, OutputModel, TopologyUnderTest } from '../topologies/topology-under-test.ts';
import { Violation } from '../violation.ts';

interface Watched {
  readonly topic: string;
  readonly partition: number;
  position: number;
}

/** The records of an input partition that count, in order, and how many of them are in the output. */
interface Progress {
  readonly records: InputRecord[];
  processed: number;
}

export class OutputCheck {
  outputs = 0;
  readonly #cluster: MemoryCluster;
  readonly #model: OutputModel;
  /** Watched topics that are not there yet. */
  readonly #missing: Set<string>;
  /** By input partition, of any input: the last record. */
  readonly #ends = new Map<string, InputRecord>();
  readonly #watched: Watched[] = [];
  readonly #progress = new Map<string, Progress>();
  /** By input partition: offset and epoch id that were committed last. */
  readonly #committed = new Map<string, { offset: number; epochId: number; order: number }>();

  constructor(
    cluster: MemoryCluster,
    topology: TopologyUnderTest,
    inputs: readonly InputRecord[],
    partitions: number,
  ) {
    this.#cluster = cluster;
    this.#missing = new Set(topology.watched);
    this.#model = topology.model(inputs);
    for (let partition = 0; partition < partitions; partition++) {
      this.#progress.set(`${topology.inputs[0]!}-${partition}`, { records: [], processed: 0 });
    }
    for (const record of inputs) {
      this.#progress.get(partitionOf(record))?.records.push(record);
      this.#ends.set(partitionOf(record), record);
    }
  }

  get model(): OutputModel {
    return this.#model;
  }

  /** All output is there, and all input is committed. */
  get isComplete(): boolean {
    if (this.outputs < this.#model.expectedOutputs) return false;
    for (const [key, { offset }] of this.#ends) {
      if ((this.#committed.get(key)?.offset ?? 0) <= offset) return false;
    }
    return true;
  }

  /** Whatever was decided since the last look. @throws Violation */
  look(): void {
    const { inspect } = this.#cluster;
    if (this.#missing.size > 0) this.#findTopics();
    for (const watched of this.#watched) {
      const { topic, partition } = watched;
      const end = inspect.ends(topic, partition).lastStableOffset;
      if (end <= watched.position) continue;
      for (const { key, value, offset } of inspect.records(
        topic,
        partition,
        'read_committed',
        watched.position,
      )) {
        if (key === null || value === null)
          throw new Violation(`${topic}-${partition} has a record without key or value at ${offset}.`);
        const record = { partition, key: key.toString(), value: value.toString() };
        const processed = this.#model.observe(topic, record);
        if (topic === 'out') this.outputs++;
        if (processed !== null) this.#advance(processed);
      }
      watched.position = end;
    }
  }

  /** Topics between sub-topologies are there once the application has started. */
  #findTopics(): void {
    const { inspect } = this.#cluster;
    for (const topic of this.#missing) {
      const count = inspect.partitionCount(topic);
      for (let partition = 0; partition < count; partition++)
        this.#watched.push({ topic, partition, position: 0 });
      if (count > 0) this.#missing.delete(topic);
    }
  }

  #advance(record: InputRecord): void {
    const progress = this.#progress.get(partitionOf(record));
    if (progress !== undefined) progress.processed++;
  }

  /** Offsets only ever go on, and with each commit the epoch of its task. @throws Violation */
  lookAtOffsets(): void {
    for (const [key, { offset, metadata, order }] of this.#cluster.inspect.committedOffsets(APPLICATION)) {
      const before = this.#committed.get(key);
      if (before?.order === order) continue;
      const epochId = decodeOffsetMetadata(metadata)?.epochId ?? -1;
      if (before !== undefined && offset < before.offset)
        throw new Violation(`The committed offset of ${key} went back from ${before.offset} to ${offset}.`);
      if (before !== undefined && epochId <= before.epochId) {
        throw new Violation(
          `Epoch ${epochId} of ${key} was committed after epoch ${before.epochId}: two workers count the same task, or an abandoned epoch was committed.`,
        );
      }
      this.#committed.set(key, { offset, epochId, order });
    }
  }

  /** While no transaction is open or being ended, offsets and output say the same. @throws Violation */
  compareOffsetsWithOutput(): void {
    for (const [key, { records, processed }] of this.#progress) {
      const offset = this.#committed.get(key)?.offset ?? 0;
      const next = records[processed];
      if (processed > 0 && records[processed - 1]!.offset >= offset) {
        throw new Violation(
          `Output of ${key} up to offset ${records[processed - 1]!.offset} is committed, its offset only up to ${offset}: it will be processed again.`,
        );
      }
      if (next !== undefined && next.offset >= 0 && next.offset < offset) {
        throw new Violation(
          `Offset ${offset} of ${key} is committed, its output only up to record ${next.id} at ${next.offset}: what lies between is lost.`,
        );
      }
    }
  }
}

function partitionOf({ topic, partition }: InputRecord): string {
  return `${topic}-${partition}`;
}
