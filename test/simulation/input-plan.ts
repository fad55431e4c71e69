// Owns the input of a seed: every record, in which batch it comes and when, and which transactions upstream aborts. All of it is known
// before anything runs, so that the model is too.
import type { MemoryCluster, NewRecord, VirtualClock } from '#libs/broker-memory';
import type { Scenario } from './scenario.ts';
import type { InputRecord } from './topologies/topology-under-test.ts';

/** Ids that no coordinator gives out. */
const UPSTREAM_PRODUCER_ID = 1_000_000;
const BATCH_RECORDS_MAX = 12;
/** Between two records. */
const STEP_MS = 40;
/** How far a record may lie behind the one before. */
const DISORDER_MS = 300;
const MARKER_DELAY_MS_MAX = 500;
const START_MS = Date.UTC(2024, 0, 1);

interface PlannedBatch {
  readonly atMs: number;
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly InputRecord[];
  /** Outside transactions: -1. */
  readonly markerAfterMs: number;
  /** Its records are none of the input. */
  readonly isAborted: boolean;
}

export class InputPlan {
  /** What counts, by partition in order. */
  readonly records: InputRecord[] = [];
  abortedUpstream = 0;
  readonly #scenario: Scenario;
  readonly #batches: PlannedBatch[] = [];
  #nextProducerId = UPSTREAM_PRODUCER_ID;
  #unended = 0;
  #id = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const random = scenario.random.fork();
    const { topology, partitions, keys, upstreamTransactions, spanMs } = scenario;
    let atMs = 0;
    while (this.records.length < scenario.records) {
      const topic = topology.inputs[random.chance(0.75) ? 0 : topology.inputs.length - 1]!;
      const partition = random.integer(0, partitions - 1);
      const isAborted = random.chance(upstreamTransactions / 3);
      const inTransaction = isAborted || random.chance(upstreamTransactions);
      const records = this.#make(topic, partition, random.integer(1, BATCH_RECORDS_MAX), keys, random);
      if (isAborted) this.abortedUpstream++;
      else this.records.push(...records);
      this.#batches.push({
        atMs,
        topic,
        partition,
        records,
        isAborted,
        markerAfterMs: inTransaction ? random.integer(0, MARKER_DELAY_MS_MAX) : -1,
      });
      // In bursts and with pauses between them.
      if (random.chance(0.6)) atMs += random.integer(1, 200);
    }
    // Over the whole span, whatever was drawn.
    const stretch = spanMs / Math.max(1, atMs);
    this.#batches = this.#batches.map((batch) => ({ ...batch, atMs: Math.floor(batch.atMs * stretch) }));
  }

  get isComplete(): boolean {
    return this.#unended === 0;
  }

  #make(
    topic: string,
    partition: number,
    count: number,
    keys: number,
    random: Scenario['random'],
  ): InputRecord[] {
    const { partitions } = this.#scenario;
    return Array.from({ length: count }, () => {
      const id = this.#id++;
      // Each key has one partition.
      const key = `k${partition + partitions * random.integer(0, Math.ceil(keys / partitions) - 1)}`;
      const timestamp = START_MS + id * STEP_MS - random.integer(0, DISORDER_MS);
      return { id, topic, partition, key, timestamp, n: random.integer(1, 100), offset: -1 };
    });
  }

  schedule(cluster: MemoryCluster, clock: VirtualClock): void {
    for (const batch of this.#batches) {
      this.#unended++;
      clock.schedule(batch.atMs, () => this.#append(cluster, clock, batch));
    }
  }

  #append(cluster: MemoryCluster, clock: VirtualClock, batch: PlannedBatch): void {
    const { topic, partition, records, markerAfterMs, isAborted } = batch;
    const contents = records.map(({ id, n, key, timestamp }): NewRecord => ({
      key,
      value: JSON.stringify({ id, n }),
      timestamp,
    }));
    const producer = { producerId: this.#nextProducerId++, baseSequence: 0 };
    const first =
      markerAfterMs < 0
        ? cluster.topics.append(topic, partition, contents)
        : cluster.topics.appendTransactional(topic, partition, contents, producer);
    if (!isAborted) for (const [i, record] of records.entries()) record.offset = first + i;
    if (markerAfterMs < 0) {
      this.#unended--;
      return;
    }
    // An aborted transaction goes on, beside what others write and end meanwhile.
    if (isAborted) {
      clock.schedule(markerAfterMs / 2, () => {
        const more = { ...producer, baseSequence: contents.length };
        cluster.topics.appendTransactional(topic, partition, contents, more);
      });
    }
    clock.schedule(markerAfterMs, () => {
      cluster.topics.endTransaction(topic, partition, producer, !isAborted);
      this.#unended--;
    });
  }
}
