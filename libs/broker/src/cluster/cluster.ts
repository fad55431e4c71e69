// Owns what all state machines share: the port, the clock, the caches, and the way to ask a coordinator or a leader.
// It holds no state of any machine.
import { MillraceError } from '#libs/core';
import { DECOMPRESSED_BYTES_MAX } from '../compression/index.ts';
import type { Clock, Logger } from '#libs/core';
import { finalRpcError, isRpcFailure } from '../protocol/errors.ts';
import type { ApiName, RpcAnswers, RpcLane, RpcPort, RpcRequests, RpcTarget } from '../rpc/index.ts';
import { CoordinatorCache } from './coordinator-cache.ts';
import type { CoordinatorKind } from './coordinator-cache.ts';
import { MetadataCache } from './metadata-cache.ts';
import { Again } from './retry.ts';

export interface ClusterOptions {
  readonly rpc: RpcPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest wait for one answer, milliseconds. Long polls add their own wait. */
  readonly requestTimeoutMs: number;
  /** What a fetched batch may unfold to. Default 64 MiB. */
  readonly decompressedBytesMax?: number;
}

export class Cluster {
  readonly rpc: RpcPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly requestTimeoutMs: number;
  readonly decompressedBytesMax: number;
  readonly metadata: MetadataCache;
  readonly coordinators: CoordinatorCache;
  #closed = false;

  constructor(options: ClusterOptions) {
    this.rpc = options.rpc;
    this.clock = options.clock;
    this.logger = options.logger;
    this.requestTimeoutMs = options.requestTimeoutMs;
    this.decompressedBytesMax = options.decompressedBytesMax ?? DECOMPRESSED_BYTES_MAX;
    this.metadata = new MetadataCache(options.rpc, options.clock, options.logger, options.requestTimeoutMs);
    this.coordinators = new CoordinatorCache(options.rpc, this.metadata);
  }

  /** Ends every retry at its next try: no call is made any more. */
  close(): void {
    this.#closed = true;
  }

  #refuseWhenClosed(): void {
    if (!this.#closed) return;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: 'The broker client was closed while something was still asked of it.',
      remedy: 'Stop what uses the client before closing it.',
    });
  }

  /** One call. @throws RpcFailure when there is no answer, otherwise a FatalError. */
  async call<K extends ApiName>(
    target: RpcTarget,
    api: K,
    request: RpcRequests[K],
    timeoutMs: number,
    lane: RpcLane = 'control',
  ): Promise<RpcAnswers[K]> {
    this.#refuseWhenClosed();
    try {
      return await this.rpc.call(target, api, request, { timeoutMs, lane });
    } catch (error) {
      throw isRpcFailure(error) ? error : finalRpcError(error);
    }
  }

  /**
   * One call to the coordinator of `key`. A lost answer forgets the coordinator, since it may have moved.
   * @throws RpcFailure, FatalError.
   */
  async callCoordinator<K extends ApiName>(
    kind: CoordinatorKind,
    key: string,
    api: K,
    request: RpcRequests[K],
    timeoutMs: number,
    lane: RpcLane = 'control',
  ): Promise<{ readonly answer: RpcAnswers[K]; readonly nodeId: number } | Again> {
    const nodeId = await this.findCoordinator(kind, key, timeoutMs);
    if (nodeId instanceof Again) return nodeId;
    this.#refuseWhenClosed();
    try {
      return { answer: await this.rpc.call(nodeId, api, request, { timeoutMs, lane }), nodeId };
    } catch (error) {
      this.coordinators.forget(kind, key, nodeId);
      throw isRpcFailure(error) ? error : finalRpcError(error);
    }
  }

  /** Asks about `topics`. @throws RpcFailure, FatalError. */
  async refreshMetadata(topics: readonly string[]): Promise<void> {
    this.#refuseWhenClosed();
    try {
      await this.metadata.refresh(topics);
    } catch (error) {
      throw isRpcFailure(error) ? error : finalRpcError(error);
    }
  }

  async findCoordinator(kind: CoordinatorKind, key: string, timeoutMs: number): Promise<number | Again> {
    this.#refuseWhenClosed();
    try {
      return await this.coordinators.find(kind, key, timeoutMs);
    } catch (error) {
      throw isRpcFailure(error) ? error : finalRpcError(error);
    }
  }
}
