// Owns the incremental fetch session with one broker (KIP-227): what the broker already knows need not be said again.
// It never sends. Every answer, and every failure, must be told to it.
//
//   FULL (epoch 0) ──answer with session id──► INCREMENTAL (epoch 1, 2, …)
//     ▲                                             │
//     └── no session, session error, lost answer ◄──┤
//     └── a partition that is read anew ◄───────────┘
//
// A partition that is assigned anew at the offset it had would never hear its end offsets: a broker tells only what changed since it told
// them last, and neither naming the partition again nor forgetting it in the same request makes it tell them once more.
import type { FetchPartitionRequest, FetchRequest, TopicId } from '../rpc/index.ts';
import { KafkaError } from '../protocol/error-codes.ts';

const NO_SESSION = 0;
const EPOCH_NEW = 0;
const EPOCH_FINAL = -1;
const EPOCH_MAX = 0x7fffffff;

export interface SessionPartition {
  /** Whose answers they are: another object means that nothing the broker said so far has reached it. */
  readonly reading: object;
  readonly topic: string;
  readonly topicId: TopicId;
  readonly request: FetchPartitionRequest;
}

export type SessionRequest = Pick<FetchRequest, 'sessionId' | 'sessionEpoch' | 'topics' | 'forgottenTopics'>;

export class FetchSession {
  #sessionId = NO_SESSION;
  #epoch = EPOCH_NEW;
  /** What the broker holds, by `topicId:partition`. */
  #known = new Map<string, SessionPartition>();

  /** The request that makes the broker's session hold exactly `wanted`. */
  next(wanted: readonly SessionPartition[]): SessionRequest {
    if (wanted.some((partition) => this.#isReadAnew(partition))) this.#epoch = EPOCH_NEW;
    const full = this.#epoch === EPOCH_NEW;
    const known = new Map<string, SessionPartition>();
    const changed: SessionPartition[] = [];
    for (const partition of wanted) {
      const key = keyOf(partition);
      const before = this.#known.get(key);
      known.set(key, partition);
      if (full || before === undefined || !sameRequest(before.request, partition.request))
        changed.push(partition);
    }
    const forgotten: SessionPartition[] = [];
    if (!full) for (const [key, partition] of this.#known) if (!known.has(key)) forgotten.push(partition);
    this.#known = known;
    return {
      sessionId: this.#sessionId,
      sessionEpoch: this.#epoch,
      topics: byTopic(changed, (partition) => partition.request),
      forgottenTopics: byTopic(forgotten, (partition) => partition.request.partition),
    };
  }

  #isReadAnew(partition: SessionPartition): boolean {
    const before = this.#known.get(keyOf(partition));
    return before !== undefined && before.reading !== partition.reading;
  }

  /** Takes in an answer. False: nothing in it may be used. */
  onAnswer(errorCode: number, sessionId: number): boolean {
    if (errorCode !== KafkaError.NONE) {
      if (errorCode === KafkaError.FETCH_SESSION_ID_NOT_FOUND) this.#sessionId = NO_SESSION;
      this.#epoch = EPOCH_NEW;
      return false;
    }
    this.#sessionId = sessionId;
    if (sessionId === NO_SESSION) this.#epoch = EPOCH_NEW;
    else this.#epoch = this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1;
    return true;
  }

  /** Nobody knows what the broker's session holds: the next request replaces it. */
  onFailure(): void {
    this.#epoch = EPOCH_NEW;
  }

  /** The request that frees the broker's memory; undefined when it holds none. */
  closing(): SessionRequest | undefined {
    if (this.#sessionId === NO_SESSION) return undefined;
    return { sessionId: this.#sessionId, sessionEpoch: EPOCH_FINAL, topics: [], forgottenTopics: [] };
  }
}

function keyOf(partition: SessionPartition): string {
  return `${partition.topicId}:${partition.request.partition}`;
}

function sameRequest(a: FetchPartitionRequest, b: FetchPartitionRequest): boolean {
  return (
    a.fetchOffset === b.fetchOffset &&
    a.currentLeaderEpoch === b.currentLeaderEpoch &&
    a.partitionMaxBytes === b.partitionMaxBytes &&
    a.lastFetchedEpoch === b.lastFetchedEpoch &&
    a.logStartOffset === b.logStartOffset
  );
}

function byTopic<T>(
  partitions: readonly SessionPartition[],
  value: (partition: SessionPartition) => T,
): { readonly name: string; readonly topicId: TopicId; readonly partitions: readonly T[] }[] {
  const topics = new Map<TopicId, { name: string; topicId: TopicId; partitions: T[] }>();
  for (const partition of partitions) {
    const topic = topics.get(partition.topicId);
    if (topic !== undefined) topic.partitions.push(value(partition));
    else {
      const entry = { name: partition.topic, topicId: partition.topicId, partitions: [value(partition)] };
      topics.set(partition.topicId, entry);
    }
  }
  return [...topics.values()];
}
