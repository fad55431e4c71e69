// Owns the answer to Fetch: what there is at once, or what came within the wait. A fetch that waits watches its partitions; what
// wakes it is new data, a marker, a new leader, a deleted record.
import type { FetchAnswer, FetchRequest } from '#libs/broker';
import type { Timer } from '#libs/core';
import type { ClusterCore } from '../cluster-core.ts';
import { Errors } from '../kafka-errors.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { currentLeader, leaderRefusal } from '../topics/leader-check.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { FetchedPartition, FetchScope } from './fetch-sessions.ts';

type PartitionAnswer = FetchAnswer['topics'][number]['partitions'][number];
type Reply = (answer: FetchAnswer) => void;

export class FetchHandler {
  readonly #core: ClusterCore;
  /** By node. */
  readonly #sessions = new Map<number, FetchSessions>();
  #nextSessionId = 1;

  constructor(core: ClusterCore) {
    this.#core = core;
  }

  forgetSessions(nodeId: number): void {
    this.#sessions.get(nodeId)?.clear();
  }

  fetch(request: FetchRequest, nodeId: number, reply: Reply): void {
    let sessions = this.#sessions.get(nodeId);
    if (sessions === undefined)
      this.#sessions.set(nodeId, (sessions = new FetchSessions(() => this.#nextSessionId++)));
    const scope = sessions.scope(request);
    if (scope.errorCode !== Errors.NONE || scope.partitions.size === 0) {
      reply(answerOf(scope, []));
      return;
    }
    const fetch = new PendingFetch(this.#core, request, nodeId, scope, reply);
    fetch.start();
  }
}

class PendingFetch {
  readonly #core: ClusterCore;
  readonly #request: FetchRequest;
  readonly #nodeId: number;
  readonly #scope: FetchScope;
  readonly #reply: Reply;
  readonly #watched: PartitionLog[] = [];
  #timer: Timer | undefined;

  constructor(core: ClusterCore, request: FetchRequest, nodeId: number, scope: FetchScope, reply: Reply) {
    this.#core = core;
    this.#request = request;
    this.#nodeId = nodeId;
    this.#scope = scope;
    this.#reply = reply;
  }

  start(): void {
    const { maxWaitMs } = this.#request;
    if (maxWaitMs <= 0 || this.#isSatisfied()) {
      this.#finish();
      return;
    }
    for (const { topicId, partition } of this.#scope.partitions.values()) {
      const log = this.#core.topics.byId(topicId)?.logs[partition];
      if (log === undefined) continue;
      log.watch(this.#onChange);
      this.#watched.push(log);
    }
    this.#timer = this.#core.clock.schedule(maxWaitMs, () => this.#finish(), true);
  }

  readonly #onChange = (): void => {
    if (this.#isSatisfied()) this.#finish();
  };

  /** Is there enough to read, or anything that the reader must hear of at once? */
  #isSatisfied(): boolean {
    const { minBytes, isolation } = this.#request;
    let bytes = 0;
    for (const asked of this.#scope.partitions.values()) {
      const log = this.#core.topics.byId(asked.topicId)?.logs[asked.partition];
      if (this.#refusal(log, asked) !== Errors.NONE) return true;
      bytes += log!.readableBytes(asked.fetchOffset, log!.bound(isolation), minBytes - bytes);
      if (bytes >= minBytes) return true;
    }
    return false;
  }

  #refusal(log: PartitionLog | undefined, asked: FetchedPartition): number {
    if (log === undefined) {
      const known = this.#core.topics.byId(asked.topicId) !== undefined;
      return known ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.UNKNOWN_TOPIC_ID;
    }
    const unled = leaderRefusal(log, this.#nodeId, asked.currentLeaderEpoch);
    if (unled !== Errors.NONE) return unled;
    const inLog = asked.fetchOffset >= log.logStartOffset && asked.fetchOffset <= log.endOffset;
    return inLog ? Errors.NONE : Errors.OFFSET_OUT_OF_RANGE;
  }

  #finish(): void {
    this.#timer?.cancel();
    for (const log of this.#watched) log.unwatch(this.#onChange);
    const { isolation, maxBytes } = this.#request;
    const parts: { topicId: string; part: PartitionAnswer }[] = [];
    const served: string[] = [];
    let left = maxBytes;
    let any = false;
    for (const [key, asked] of this.#scope.partitions) {
      const log = this.#core.topics.byId(asked.topicId)?.logs[asked.partition];
      const errorCode = this.#refusal(log, asked);
      if (errorCode !== Errors.NONE) {
        parts.push({ topicId: asked.topicId, part: refusedPart(asked.partition, errorCode, log) });
        continue;
      }
      const bound = log!.bound(isolation);
      // One batch at least, however large, or nobody would ever get past it (KIP-74).
      const records = log!.read(asked.fetchOffset, bound, Math.min(left, asked.maxBytes), !any);
      if (records !== null) {
        any = true;
        left = Math.max(0, left - records.length);
        served.push(key);
      }
      if (this.#scope.incremental && records === null && !isNews(log!, asked)) continue;
      asked.toldHighWatermark = log!.highWatermark;
      asked.toldLogStartOffset = log!.logStartOffset;
      parts.push({ topicId: asked.topicId, part: readPart(log!, asked, records, bound, isolation) });
    }
    this.#rotate(served);
    this.#reply(answerOf(this.#scope, parts));
  }

  /** Whoever was served is asked last the next time: no partition starves another. */
  #rotate(served: readonly string[]): void {
    const partitions = this.#scope.partitions as Map<string, FetchedPartition>;
    if (partitions.size < 2) return;
    for (const key of served) {
      const asked = partitions.get(key);
      if (asked === undefined) continue;
      partitions.delete(key);
      partitions.set(key, asked);
    }
  }
}

function isNews(log: PartitionLog, asked: FetchedPartition): boolean {
  return log.highWatermark !== asked.toldHighWatermark || log.logStartOffset !== asked.toldLogStartOffset;
}

function readPart(
  log: PartitionLog,
  asked: FetchedPartition,
  records: Buffer | null,
  bound: number,
  isolation: FetchRequest['isolation'],
): PartitionAnswer {
  const aborted = isolation === 'read_committed' && records !== null && log.aborted.length > 0;
  return {
    partition: asked.partition,
    errorCode: Errors.NONE,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.logStartOffset,
    abortedTransactions: aborted
      ? log
          .abortedBetween(asked.fetchOffset, bound)
          .map(({ producerId, firstOffset }) => ({ producerId: BigInt(producerId), firstOffset }))
      : [],
    preferredReadReplica: -1,
    records,
  };
}

function refusedPart(partition: number, errorCode: number, log: PartitionLog | undefined): PartitionAnswer {
  const tellsLeader =
    log !== undefined &&
    (errorCode === Errors.NOT_LEADER_OR_FOLLOWER || errorCode === Errors.FENCED_LEADER_EPOCH);
  return {
    partition,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: log?.logStartOffset ?? -1,
    abortedTransactions: [],
    preferredReadReplica: -1,
    records: null,
    ...(tellsLeader ? { currentLeader: currentLeader(log) } : {}),
  };
}

function answerOf(
  scope: FetchScope,
  parts: readonly { topicId: string; part: PartitionAnswer }[],
): FetchAnswer {
  const topics = new Map<string, PartitionAnswer[]>();
  for (const { topicId, part } of parts) {
    const list = topics.get(topicId);
    if (list === undefined) topics.set(topicId, [part]);
    else list.push(part);
  }
  return {
    errorCode: scope.errorCode,
    sessionId: scope.sessionId,
    throttleTimeMs: 0,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    nodeEndpoints: [],
  };
}
