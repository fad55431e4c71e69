// Owns the RPC port of one client on the simulated cluster: time-outs, and what a call without an answer means. No retries, no
// metadata, no policy.
import { RpcFailure } from '#libs/broker';
import type {
  ApiName,
  ClusterFeatures,
  RpcAnswers,
  RpcFailureKind,
  RpcOptions,
  RpcPort,
  RpcRequests,
  RpcTarget,
} from '#libs/broker';
import type { ClusterCore } from '../cluster-core.ts';
import type { AnyAnswer, Call, Connection } from './connection.ts';
import { copyOfProduce, Network } from './network.ts';
import type { Lanes } from './network.ts';
import type { ClientProcess } from './process.ts';

/** What a current client and a current broker have in common. */
const API_VERSIONS: ClusterFeatures['apiVersions'] = {
  Metadata: 12,
  FindCoordinator: 6,
  InitProducerId: 5,
  Produce: 12,
  AddPartitionsToTxn: 5,
  AddOffsetsToTxn: 4,
  TxnOffsetCommit: 5,
  EndTxn: 5,
  DescribeTransactions: 0,
  ListTransactions: 2,
  Fetch: 17,
  ListOffsets: 9,
  OffsetForLeaderEpoch: 4,
  JoinGroup: 9,
  SyncGroup: 5,
  Heartbeat: 4,
  LeaveGroup: 5,
  OffsetFetch: 9,
  OffsetCommit: 9,
  DescribeGroups: 5,
  StreamsGroupHeartbeat: 0,
  StreamsGroupDescribe: 0,
  CreateTopics: 7,
  DeleteTopics: 6,
  DeleteRecords: 2,
  DescribeConfigs: 4,
};

export class MemoryRpc implements RpcPort {
  readonly #core: ClusterCore;
  readonly #network: Network;
  readonly #process: ClientProcess;
  readonly #lanes: Lanes = new Map();
  readonly #nodes = new Set<number>();
  readonly #onClosed: () => void;
  #closed = false;

  constructor(
    core: ClusterCore,
    network: Network,
    process: ClientProcess,
    onClosed: () => void = () => undefined,
  ) {
    this.#core = core;
    this.#network = network;
    this.#process = process;
    this.#onClosed = onClosed;
  }

  call<K extends ApiName>(
    target: RpcTarget,
    api: K,
    request: RpcRequests[K],
    options: RpcOptions = {},
  ): Promise<RpcAnswers[K]> {
    if (this.#closed) return Promise.reject(notSent(target, api, 'the client is closed'));
    if (target !== 'bootstrap' && !this.#nodes.has(target)) {
      return Promise.reject(notSent(target, api, `no address of broker ${target} is known`));
    }
    const nodeId = this.#network.resolve(target);
    if (nodeId === undefined) return this.#refused(target, api);
    const timeoutMs = options.timeoutMs ?? this.#core.settings.requestTimeoutMs;
    return new Promise((resolve, reject) => {
      let settled = false;
      /** True once. */
      const settle = (): boolean => {
        if (settled) return false;
        settled = true;
        call.timer?.cancel();
        return true;
      };
      const call: Call = {
        target,
        api,
        request: api === 'Produce' ? copyOfProduce(request as RpcRequests['Produce']) : request,
        process: this.#process,
        slow: Network.isSlow(api),
        timer: undefined,
        answered: (answer: AnyAnswer) =>
          this.#process.whenRunning(() => {
            if (!settle()) return;
            this.#core.trace.note('answer', `${this.#process.clientId} ${api}`, nodeId);
            resolve(answer as RpcAnswers[K]);
          }),
        failed: (kind: RpcFailureKind, why: string) =>
          this.#process.whenRunning(() => {
            if (settle()) reject(new RpcFailure(kind, target, api, new Error(why)));
          }),
      };
      const connection = this.#network.send(call, nodeId, options.lane ?? 'control', this.#lanes);
      call.timer = this.#process.clock.schedule(
        timeoutMs,
        () => this.#expire(connection, call, timeoutMs),
        true,
      );
    });
  }

  /** Nobody can say what becomes of a connection that left one call unanswered: it is not used again. */
  #expire(connection: Connection, call: Call, timeoutMs: number): void {
    this.#core.trace.note('timeout', `${this.#process.clientId} ${call.api}`, connection.nodeId);
    connection.forget(call);
    call.failed('unknown', `no answer within ${timeoutMs} ms`);
    connection.close(`${call.api} had no answer within ${timeoutMs} ms`);
  }

  #refused<T>(target: RpcTarget, api: ApiName): Promise<T> {
    return new Promise((_, reject) => {
      this.#process.clock.defer(() => reject(notSent(target, api, 'the connection was refused')));
    });
  }

  features(): Promise<ClusterFeatures> {
    if (this.#network.resolve('bootstrap') === undefined) return this.#refused('bootstrap', 'Metadata');
    return Promise.resolve({
      transactionVersion: this.#core.settings.transactionVersion,
      streamsVersion: this.#core.settings.streamsGroups === null ? 0 : 1,
      apiVersions: API_VERSIONS,
    });
  }

  learnNodes(nodes: readonly { readonly nodeId: number }[]): void {
    for (const { nodeId } of nodes) if (nodeId >= 0) this.#nodes.add(nodeId);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const connections of this.#lanes.values()) {
      for (const connection of connections) connection.close('the client is closed');
    }
    this.#lanes.clear();
    this.#onClosed();
    return Promise.resolve();
  }
}

function notSent(target: RpcTarget, api: ApiName, why: string): RpcFailure {
  return new RpcFailure('not-sent', target, api, new Error(why));
}
