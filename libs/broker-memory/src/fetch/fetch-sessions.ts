// Owns fetch sessions (KIP-227): which partitions a reader asks a broker for, so that a request names only what changed, and what
// the reader was told last, so that an answer does. A broker that restarts has forgotten them.
import type { FetchRequest } from '#libs/broker';
import { Errors } from '../kafka-errors.ts';

const NO_SESSION = 0;
const EPOCH_NEW = 0;
const EPOCH_FINAL = -1;
const EPOCH_MAX = 0x7fffffff;
/** `max.incremental.fetch.session.cache.slots`; beyond it the oldest session is forgotten. */
const SESSIONS_MAX = 1_000;

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  currentLeaderEpoch: number;
  fetchOffset: number;
  maxBytes: number;
  /** As last answered; -1: not yet. */
  toldHighWatermark: number;
  toldLogStartOffset: number;
}

export interface FetchSession {
  readonly sessionId: number;
  epoch: number;
  readonly partitions: Map<string, FetchedPartition>;
}

export interface FetchScope {
  readonly errorCode: number;
  readonly sessionId: number;
  readonly partitions: ReadonlyMap<string, FetchedPartition>;
  /** Only what changed is answered. */
  readonly incremental: boolean;
}

export class FetchSessions {
  readonly #newId: () => number;
  /** Oldest first. */
  readonly #sessions = new Map<number, FetchSession>();

  constructor(newId: () => number) {
    this.#newId = newId;
  }

  get size(): number {
    return this.#sessions.size;
  }

  clear(): void {
    this.#sessions.clear();
  }

  /** What a request asks for in all, and in which session. */
  scope(request: FetchRequest): FetchScope {
    const { sessionId, sessionEpoch } = request;
    if (sessionEpoch === EPOCH_NEW || sessionEpoch === EPOCH_FINAL) {
      this.#sessions.delete(sessionId);
      const partitions = new Map<string, FetchedPartition>();
      change(partitions, request);
      if (sessionEpoch === EPOCH_FINAL)
        return { errorCode: Errors.NONE, sessionId: NO_SESSION, partitions, incremental: false };
      const session: FetchSession = { sessionId: this.#newId(), epoch: 1, partitions };
      this.#keep(session);
      return { errorCode: Errors.NONE, sessionId: session.sessionId, partitions, incremental: false };
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return refused(Errors.FETCH_SESSION_ID_NOT_FOUND);
    if (session.epoch !== sessionEpoch) return refused(Errors.INVALID_FETCH_SESSION_EPOCH);
    session.epoch = session.epoch === EPOCH_MAX ? 1 : session.epoch + 1;
    change(session.partitions, request);
    this.#keep(session);
    return { errorCode: Errors.NONE, sessionId, partitions: session.partitions, incremental: true };
  }

  #keep(session: FetchSession): void {
    this.#sessions.delete(session.sessionId);
    this.#sessions.set(session.sessionId, session);
    if (this.#sessions.size <= SESSIONS_MAX) return;
    for (const oldest of this.#sessions.keys()) {
      this.#sessions.delete(oldest);
      return;
    }
  }
}

function refused(errorCode: number): FetchScope {
  return { errorCode, sessionId: NO_SESSION, partitions: new Map(), incremental: false };
}

function change(partitions: Map<string, FetchedPartition>, request: FetchRequest): void {
  for (const { topicId, partitions: forgotten } of request.forgottenTopics) {
    for (const partition of forgotten) partitions.delete(`${topicId}:${partition}`);
  }
  for (const { topicId, partitions: asked } of request.topics) {
    for (const { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes } of asked) {
      const key = `${topicId}:${partition}`;
      const known = partitions.get(key);
      if (known === undefined) {
        partitions.set(key, {
          topicId,
          partition,
          currentLeaderEpoch,
          fetchOffset,
          maxBytes: partitionMaxBytes,
          toldHighWatermark: -1,
          toldLogStartOffset: -1,
        });
      } else {
        known.currentLeaderEpoch = currentLeaderEpoch;
        known.fetchOffset = fetchOffset;
        known.maxBytes = partitionMaxBytes;
      }
    }
  }
}
