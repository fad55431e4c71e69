// Owns the one fetch under way with a broker: its session, its request, its failure. What an answer means for a partition
// is the business of fetch-answer.ts; which partitions are asked for is the reader's.
import type { Cluster } from '../cluster/index.ts';
import { Backoff } from '../cluster/index.ts';
import { isRpcFailure } from '../protocol/errors.ts';
import type { FetchAnswer, FetchRequest } from '../rpc/index.ts';
import { FetchSession } from './fetch-session.ts';
import type { SessionPartition } from './fetch-session.ts';
import type { PartitionReading } from './partition-reading.ts';

export interface WantedPartition extends SessionPartition {
  readonly reading: PartitionReading;
}

export type FetchLimits = Pick<FetchRequest, 'maxWaitMs' | 'minBytes' | 'maxBytes' | 'isolation' | 'rackId'>;

export interface FetchOutcome {
  readonly node: number;
  /** By `topicId:partition`: the objects as they were when the request left. */
  readonly wanted: ReadonlyMap<string, WantedPartition>;
  /** Wall clock as the request left. */
  readonly askedAt: number;
  readonly answer: FetchAnswer | undefined;
  /** Set when there is no answer to use. */
  readonly error: Error | undefined;
}

export class BrokerFetches {
  readonly node: number;
  readonly #cluster: Cluster;
  readonly #session = new FetchSession();
  readonly #backoff: Backoff;
  inFlight = false;
  /** Monotonic milliseconds before which nothing is asked. */
  notBefore = 0;

  constructor(cluster: Cluster, node: number) {
    this.#cluster = cluster;
    this.node = node;
    this.#backoff = new Backoff(cluster.clock);
  }

  async fetch(wanted: readonly WantedPartition[], limits: FetchLimits): Promise<FetchOutcome> {
    const byKey = new Map<string, WantedPartition>();
    for (const partition of wanted) {
      partition.reading.inFlight = true;
      byKey.set(`${partition.topicId}:${partition.request.partition}`, partition);
    }
    this.inFlight = true;
    const asked = { node: this.node, wanted: byKey, askedAt: this.#cluster.clock.now() };
    try {
      const request: FetchRequest = { ...limits, ...this.#session.next(wanted) };
      const timeoutMs = limits.maxWaitMs + this.#cluster.requestTimeoutMs;
      const answer = await this.#cluster.call(this.node, 'Fetch', request, timeoutMs, 'fetch');
      if (this.#session.onAnswer(answer.errorCode, answer.sessionId)) this.#backoff.reset();
      else this.#pause();
      return { ...asked, answer, error: undefined };
    } catch (error) {
      if (!isRpcFailure(error)) return { ...asked, answer: undefined, error: error as Error };
      this.#session.onFailure();
      this.#pause();
      return { ...asked, answer: undefined, error };
    } finally {
      this.inFlight = false;
      for (const { reading } of wanted) reading.inFlight = false;
    }
  }

  /** Frees the broker's session; nobody waits for the answer. */
  close(limits: FetchLimits): void {
    const closing = this.#session.closing();
    if (closing === undefined) return;
    const request: FetchRequest = { ...limits, maxWaitMs: 0, ...closing };
    this.#cluster
      .call(this.node, 'Fetch', request, this.#cluster.requestTimeoutMs, 'fetch')
      .catch(() => undefined);
  }

  #pause(): void {
    this.notBefore = this.#cluster.clock.monotonic() + this.#backoff.next('normal');
  }
}
