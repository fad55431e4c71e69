// Owns which broker coordinates which group or transactional id. It never retries.
import { refused } from '../protocol/errors.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import type { RpcPort } from '../rpc/index.ts';
import type { MetadataCache } from './metadata-cache.ts';
import { Again } from './retry.ts';

export type CoordinatorKind = 'group' | 'transaction';

export class CoordinatorCache {
  readonly #rpc: RpcPort;
  readonly #metadata: MetadataCache;
  readonly #known = new Map<string, number>();
  readonly #pending = new Map<string, Promise<number | Again>>();

  constructor(rpc: RpcPort, metadata: MetadataCache) {
    this.#rpc = rpc;
    this.#metadata = metadata;
  }

  /**
   * The coordinator's node id; `Again` when the cluster has none to name yet. Concurrent look-ups share one request.
   * @throws RpcFailure; MillraceError MILLRACE_AUTHORIZATION_FAILED, MILLRACE_REQUEST_FAILED.
   */
  find(kind: CoordinatorKind, key: string, timeoutMs: number): Promise<number | Again> {
    const id = `${kind}:${key}`;
    const known = this.#known.get(id);
    if (known !== undefined) return Promise.resolve(known);
    let pending = this.#pending.get(id);
    if (pending === undefined) {
      pending = this.#lookUp(kind, key, id, timeoutMs).finally(() => this.#pending.delete(id));
      this.#pending.set(id, pending);
    }
    return pending;
  }

  /** Forgets the coordinator if it still is `nodeId`: somebody else may have learnt the new one meanwhile. */
  forget(kind: CoordinatorKind, key: string, nodeId: number): void {
    const id = `${kind}:${key}`;
    if (this.#known.get(id) === nodeId) this.#known.delete(id);
  }

  async #lookUp(kind: CoordinatorKind, key: string, id: string, timeoutMs: number): Promise<number | Again> {
    const request = { keyType: kind, key } as const;
    const answer = await this.#rpc.call('bootstrap', 'FindCoordinator', request, { timeoutMs });
    if (answer.errorCode === KafkaError.NONE) {
      this.#metadata.learnNodes([{ nodeId: answer.nodeId, host: answer.host, port: answer.port }]);
      this.#known.set(id, answer.nodeId);
      return answer.nodeId;
    }
    if (isRetriable(classify(answer.errorCode))) {
      return new Again(`no coordinator for ${kind} "${key}" (${errorName(answer.errorCode)})`);
    }
    throw refused(
      `FindCoordinator for ${kind} "${key}"`,
      answer.errorCode,
      kind === 'group' ? { groupId: key } : { transactionalId: key },
      answer.errorMessage,
    );
  }
}
