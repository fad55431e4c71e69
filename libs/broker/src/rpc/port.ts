// Owns the RPC port: typed requests and answers between the state machines of libs/broker and a cluster.
// libs/kafka implements it on sockets, libs/broker-memory on a simulated cluster. It holds no policy: no retries,
// no routing, no metadata. Offsets and timestamps are numbers; -1 means what Kafka means by it.
import type { ApiName, RpcAnswers, RpcRequests } from './messages.ts';

/** A broker by node id, or `bootstrap`: any broker that answers, tried in turn. */
export type RpcTarget = number | 'bootstrap';

export interface RpcOptions {
  /** Milliseconds until the call rejects with outcome `unknown` (or `not-sent`, if it never left). */
  readonly timeoutMs?: number;
  /** Connections are keyed by (node, lane): long polls (`fetch`, `join`) never delay a heartbeat or a commit. */
  readonly lane?: RpcLane;
}

export type RpcLane = 'control' | 'fetch' | 'produce' | 'group';

/**
 * What happened to a call that has no answer.
 * `not-sent`: the broker cannot have seen it. `unknown`: it may have been applied.
 */
export type RpcFailureKind = 'not-sent' | 'unknown';

/** Rejection of `RpcPort.call` for anything that is not an answer of the broker. */
export class RpcFailure extends Error {
  readonly kind: RpcFailureKind;
  readonly target: RpcTarget;
  readonly api: ApiName;

  constructor(kind: RpcFailureKind, target: RpcTarget, api: ApiName, cause: unknown) {
    const broker = target === 'bootstrap' ? 'a bootstrap broker' : `broker ${target}`;
    const why = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
    super(`${api} to ${broker} has no answer (${kind})${why}`, { cause });
    this.name = 'RpcFailure';
    this.kind = kind;
    this.target = target;
    this.api = api;
  }
}

/** What a cluster can do, from ApiVersions. */
export interface ClusterFeatures {
  /** Finalised level of `transaction.version` (KIP-890): 2 means implicit partition adds and epoch bump per transaction. */
  readonly transactionVersion: number;
  /** Finalised level of `streams.version` (KIP-1071): from 1 on the broker assigns tasks. Absent: 0. */
  readonly streamsVersion?: number;
  /** Highest version both sides speak, by API. Absent: the broker lacks it. */
  readonly apiVersions: Readonly<Partial<Record<ApiName, number>>>;
}

export interface RpcPort {
  /**
   * One request, one answer. Calls of one lane to one node are sent in call order.
   * Answers carry Kafka error codes as numbers; classifying them is the caller's business.
   * @throws RpcFailure no answer. MillraceError for authentication, TLS, version and protocol faults, which are final.
   */
  call<K extends ApiName>(
    target: RpcTarget,
    api: K,
    request: RpcRequests[K],
    options?: RpcOptions,
  ): Promise<RpcAnswers[K]>;
  /** Asked once per cluster and cached. @throws MillraceError MILLRACE_BROKER_TOO_OLD below Kafka 3.9. */
  features(): Promise<ClusterFeatures>;
  /** Addresses learnt from Metadata; a node id must be known here before it is called. */
  learnNodes(
    nodes: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
  ): void;
  close(): Promise<void>;
}
