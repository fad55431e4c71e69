// Owns logs that answer Fetch requests as a broker does: sessions, offsets, limits, long polls. Errors and odd answers are
// scripted per partition.
import { readRecordBatches } from '../../src/record-batch/index.ts';
import type { AbortedTransaction, FetchAnswer, FetchRequest } from '../../src/rpc/index.ts';
import type { FakeClock } from './fake-clock.ts';
import { topicIdOf } from './scripted-rpc.ts';

type PartitionAnswer = FetchAnswer['topics'][number]['partitions'][number];

interface Stored {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

interface Log {
  readonly batches: Stored[];
  /** `lastOffset`: where the marker lies; the broker lists a transaction only for fetches up to there. */
  aborted: (AbortedTransaction & { readonly lastOffset?: number })[];
  /** Read-committed fetches see nothing from here on; undefined: no open transaction. */
  lastStableOffset: number | undefined;
  logStartOffset: number;
}

interface SessionPartition {
  readonly topicId: string;
  readonly partition: number;
  fetchOffset: number;
  maxBytes: number;
}

export class FakeLogs {
  readonly #clock: FakeClock;
  readonly #logs = new Map<string, Log>();
  readonly #sessions = new Map<number, { epoch: number; partitions: Map<string, SessionPartition> }>();
  readonly #oddities = new Map<string, Partial<PartitionAnswer>[]>();
  #nextSession = 100;
  /** How many session partitions each answered request had. */
  readonly partitionsAsked: number[] = [];
  topLevelErrors: number[] = [];
  sessionsOff = false;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  log(topic: string, partition: number): Log {
    const key = `${topicIdOf(topic)}:${partition}`;
    let log = this.#logs.get(key);
    if (log === undefined) {
      log = { batches: [], aborted: [], lastStableOffset: undefined, logStartOffset: 0 };
      this.#logs.set(key, log);
    }
    return log;
  }

  append(topic: string, partition: number, ...batches: Buffer[]): void {
    for (const bytes of batches) {
      const [view] = readRecordBatches(bytes, { checkCrc: false });
      this.log(topic, partition).batches.push({
        baseOffset: view!.baseOffset,
        lastOffset: view!.lastOffset,
        bytes,
      });
    }
  }

  /** The next answers about a partition have these fields instead of a normal answer's. */
  odd(topic: string, partition: number, ...answers: Partial<PartitionAnswer>[]): void {
    const key = `${topicIdOf(topic)}:${partition}`;
    this.#oddities.set(key, [...(this.#oddities.get(key) ?? []), ...answers]);
  }

  readonly fetch = async (request: FetchRequest): Promise<FetchAnswer> => {
    const topLevel = this.topLevelErrors.shift();
    if (topLevel !== undefined) return answer(topLevel, 0, []);
    const session = this.#sessionFor(request);
    if (session === undefined) return answer(71, 0, []);
    this.partitionsAsked.push(session.partitions.size);
    const parts = this.#collect(request, session.partitions);
    if (parts.length > 0) return answer(0, session.id, parts);
    await new Promise<void>((resolve) => this.#clock.schedule(request.maxWaitMs, resolve));
    return answer(0, session.id, this.#collect(request, session.partitions));
  };

  #sessionFor(request: FetchRequest): { id: number; partitions: Map<string, SessionPartition> } | undefined {
    if (request.sessionEpoch <= 0) {
      this.#sessions.delete(request.sessionId);
      const partitions = new Map<string, SessionPartition>();
      update(partitions, request);
      if (this.sessionsOff) return { id: 0, partitions };
      const id = this.#nextSession++;
      this.#sessions.set(id, { epoch: 1, partitions });
      return { id, partitions };
    }
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined || session.epoch !== request.sessionEpoch) return undefined;
    session.epoch++;
    update(session.partitions, request);
    return { id: request.sessionId, partitions: session.partitions };
  }

  #collect(
    request: FetchRequest,
    partitions: Map<string, SessionPartition>,
  ): (PartitionAnswer & { topicId: string })[] {
    const parts: (PartitionAnswer & { topicId: string })[] = [];
    for (const [key, asked] of partitions) {
      const odd = this.#oddities.get(key)?.shift();
      const normal = this.#answerOf(request, asked);
      if (odd !== undefined) parts.push({ ...normal, topicId: asked.topicId, ...odd });
      else if (normal.records !== null) parts.push({ ...normal, topicId: asked.topicId });
    }
    return parts;
  }

  #answerOf(request: FetchRequest, asked: SessionPartition): PartitionAnswer {
    const log = this.#logs.get(`${asked.topicId}:${asked.partition}`);
    const end = log?.batches.at(-1)?.lastOffset ?? -1;
    const highWatermark = end + 1;
    const lastStableOffset = log?.lastStableOffset ?? highWatermark;
    const bound = request.isolation === 'read_committed' ? lastStableOffset : highWatermark;
    const chosen: Stored[] = [];
    let bytes = 0;
    for (const batch of log?.batches ?? []) {
      if (batch.lastOffset < asked.fetchOffset || batch.baseOffset >= bound) continue;
      if (chosen.length > 0 && bytes + batch.bytes.length > asked.maxBytes) break;
      chosen.push(batch);
      bytes += batch.bytes.length;
    }
    const last = chosen.at(-1)?.lastOffset ?? -1;
    return {
      partition: asked.partition,
      errorCode: 0,
      highWatermark,
      lastStableOffset,
      logStartOffset: log?.logStartOffset ?? 0,
      // As the broker: every aborted transaction that overlaps what was asked for, in no particular order.
      abortedTransactions: (log?.aborted ?? [])
        .filter(
          ({ firstOffset, lastOffset = Infinity }) => firstOffset <= last && lastOffset >= asked.fetchOffset,
        )
        .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
        .reverse(),
      preferredReadReplica: -1,
      records: chosen.length === 0 ? null : Buffer.concat(chosen.map((batch) => batch.bytes)),
    };
  }
}

function update(partitions: Map<string, SessionPartition>, request: FetchRequest): void {
  for (const topic of request.forgottenTopics) {
    for (const partition of topic.partitions) partitions.delete(`${topic.topicId}:${partition}`);
  }
  for (const topic of request.topics) {
    for (const { partition, fetchOffset, partitionMaxBytes } of topic.partitions) {
      const entry = { topicId: topic.topicId, partition, fetchOffset, maxBytes: partitionMaxBytes };
      partitions.set(`${topic.topicId}:${partition}`, entry);
    }
  }
}

function answer(
  errorCode: number,
  sessionId: number,
  parts: (PartitionAnswer & { topicId: string })[],
): FetchAnswer {
  const topics = new Map<string, PartitionAnswer[]>();
  for (const { topicId, ...part } of parts) topics.set(topicId, [...(topics.get(topicId) ?? []), part]);
  return {
    errorCode,
    sessionId,
    throttleTimeMs: 0,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    nodeEndpoints: [],
  };
}
