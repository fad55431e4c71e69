// Owns which broker coordinates which group and which transactional id, as the partitions of Kafka's two internal topics do, and
// when a new coordinator is ready. What is coordinated is elsewhere.
import type { FindCoordinatorAnswer, RpcRequests } from '#libs/broker';
import type { ClusterCore } from './cluster-core.ts';
import { Errors } from './kafka-errors.ts';
import { elect, newLeadership } from './leadership.ts';
import type { Leadership } from './leadership.ts';

export type CoordinatorKind = 'group' | 'transaction';

/** Partitions of `__consumer_offsets` and of `__transaction_state`. */
const SHARES = 50;

interface Share {
  readonly leadership: Leadership;
  /** Monotonic milliseconds until which the coordinator still loads. */
  loadingUntil: number;
}

export class Coordinators {
  readonly #core: ClusterCore;
  readonly #shares: Readonly<Record<CoordinatorKind, Share[]>>;

  constructor(core: ClusterCore) {
    this.#core = core;
    const newShares = (first: number): Share[] =>
      Array.from({ length: SHARES }, (_, i) => ({
        leadership: newLeadership(core.nodes.place(first + i, core.settings.replicationFactor), () => true),
        loadingUntil: -1,
      }));
    this.#shares = { group: newShares(0), transaction: newShares(1) };
  }

  find({ keyType, key }: RpcRequests['FindCoordinator']): FindCoordinatorAnswer {
    const node = this.#core.nodes.get(this.#shareOf(keyType, key).leadership.leaderId);
    if (node === undefined) {
      const errorMessage = 'The coordinator is not available.';
      return { errorCode: Errors.COORDINATOR_NOT_AVAILABLE, errorMessage, nodeId: -1, host: '', port: -1 };
    }
    const { nodeId, host, port } = node;
    return { errorCode: Errors.NONE, errorMessage: null, nodeId, host, port };
  }

  /** Why `nodeId` cannot speak for `key`; NONE if it can. */
  refusal(kind: CoordinatorKind, key: string, nodeId: number): number {
    const share = this.#shareOf(kind, key);
    if (share.leadership.leaderId !== nodeId) return Errors.NOT_COORDINATOR;
    return this.#loads(share) ? Errors.COORDINATOR_LOAD_IN_PROGRESS : Errors.NONE;
  }

  /** Why no broker can speak for `key` now; NONE if one can. */
  outage(kind: CoordinatorKind, key: string): number {
    const share = this.#shareOf(kind, key);
    if (share.leadership.leaderId < 0) return Errors.COORDINATOR_NOT_AVAILABLE;
    return this.#loads(share) ? Errors.COORDINATOR_LOAD_IN_PROGRESS : Errors.NONE;
  }

  epoch(kind: CoordinatorKind, key: string): number {
    return this.#shareOf(kind, key).leadership.leaderEpoch;
  }

  /** Has the coordinator of `key` moved since the epoch? */
  share(kind: CoordinatorKind, key: string): Leadership {
    return this.#shareOf(kind, key).leadership;
  }

  /** Elects anew where it must; `onMoved` hears which share has a new coordinator, or none. */
  reelect(onMoved: (kind: CoordinatorKind, leadership: Leadership) => void): void {
    const until = this.#core.clock.monotonic() + this.#core.settings.coordinatorLoadMs;
    for (const kind of ['group', 'transaction'] as const) {
      for (const share of this.#shares[kind]) {
        if (!elect(share.leadership, (nodeId) => this.#core.nodes.isUp(nodeId))) continue;
        share.loadingUntil = until;
        onMoved(kind, share.leadership);
      }
    }
  }

  /** The coordinator of `key` loads for so long, as after it has moved. */
  load(kind: CoordinatorKind, key: string, durationMs: number): void {
    this.#shareOf(kind, key).loadingUntil = this.#core.clock.monotonic() + durationMs;
  }

  /** Does any share that `nodeId` coordinates load still? */
  isLoading(kind: CoordinatorKind, nodeId: number): boolean {
    return this.#shares[kind].some((share) => share.leadership.leaderId === nodeId && this.#loads(share));
  }

  /** The partition of the internal topic that stands for `key`. */
  shareNumber(key: string): number {
    let hash = 0;
    for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
    return (hash & 0x7fffffff) % SHARES;
  }

  #loads(share: Share): boolean {
    return this.#core.clock.monotonic() < share.loadingUntil;
  }

  #shareOf(kind: CoordinatorKind, key: string): Share {
    return this.#shares[kind][this.shareNumber(key)]!;
  }
}
