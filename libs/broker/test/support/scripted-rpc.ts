// Owns an RPC port that answers as a spec scripts it: a standing answer per API, and one-shot answers before it.
// It records every call with the bytes as they were at that moment.
import { RpcFailure } from '../../src/rpc/index.ts';
import type {
  ApiName,
  ClusterFeatures,
  MetadataAnswer,
  RpcAnswers,
  RpcFailureKind,
  RpcOptions,
  RpcPort,
  RpcRequests,
  RpcTarget,
} from '../../src/rpc/index.ts';
import type { FakeClock } from './fake-clock.ts';

export interface RecordedCall<K extends ApiName = ApiName> {
  readonly api: K;
  readonly target: RpcTarget;
  readonly request: RpcRequests[K];
  readonly options: RpcOptions | undefined;
  /** Virtual time of the call. */
  readonly at: number;
  /** For Produce: a copy of each batch, by `topic-partition`. */
  readonly batches: ReadonlyMap<string, Buffer>;
}

/** An answer; `lost` and `unreachable` reject, `silent` rejects once the call's timeout passed. */
export type Scripted<K extends ApiName> =
  | RpcAnswers[K]
  | Error
  | 'lost'
  | 'unreachable'
  | 'silent'
  | ((
      request: RpcRequests[K],
      target: RpcTarget,
    ) => RpcAnswers[K] | Promise<RpcAnswers[K]> | 'lost' | 'silent');

const FEATURES: ClusterFeatures = { transactionVersion: 2, apiVersions: {} };

export class ScriptedRpc implements RpcPort {
  readonly calls: RecordedCall[] = [];
  readonly nodes = new Set<number>();
  features_: ClusterFeatures = FEATURES;
  closed = false;
  readonly #clock: FakeClock;
  readonly #standing = new Map<ApiName, Scripted<ApiName>>();
  readonly #queued = new Map<ApiName, Scripted<ApiName>[]>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** The standing answer to `api`. */
  on<K extends ApiName>(api: K, answer: Scripted<K>): this {
    this.#standing.set(api, answer as Scripted<ApiName>);
    return this;
  }

  /** The next answers to `api`, before the standing one. */
  next<K extends ApiName>(api: K, ...answers: Scripted<K>[]): this {
    const queue = this.#queued.get(api) ?? [];
    queue.push(...(answers as Scripted<ApiName>[]));
    this.#queued.set(api, queue);
    return this;
  }

  callsOf<K extends ApiName>(api: K): RecordedCall<K>[] {
    return this.calls.filter((call) => call.api === api) as RecordedCall<K>[];
  }

  async call<K extends ApiName>(
    target: RpcTarget,
    api: K,
    request: RpcRequests[K],
    options?: RpcOptions,
  ): Promise<RpcAnswers[K]> {
    if (typeof target === 'number' && !this.nodes.has(target))
      throw new Error(`Node ${target} was never learnt`);
    this.calls.push({
      api,
      target,
      request,
      options,
      at: this.#clock.monotonic(),
      batches: batchesOf(api, request),
    });
    let scripted = (this.#queued.get(api)?.shift() ?? this.#standing.get(api)) as Scripted<K> | undefined;
    if (scripted === undefined) throw new Error(`No answer is scripted for ${api}`);
    await Promise.resolve();
    if (typeof scripted === 'function') scripted = await scripted(request, target);
    if (scripted instanceof Error) throw scripted;
    if (scripted === 'lost') throw failure('unknown', target, api);
    if (scripted === 'unreachable') throw failure('not-sent', target, api);
    if (scripted === 'silent') return this.#silence(target, api, options?.timeoutMs ?? 30_000);
    return scripted;
  }

  #silence<K extends ApiName>(target: RpcTarget, api: K, timeoutMs: number): Promise<RpcAnswers[K]> {
    return new Promise((_, reject) => {
      this.#clock.schedule(timeoutMs, () => reject(failure('unknown', target, api)));
    });
  }

  features(): Promise<ClusterFeatures> {
    return Promise.resolve(this.features_);
  }

  learnNodes(nodes: readonly { readonly nodeId: number }[]): void {
    for (const node of nodes) this.nodes.add(node.nodeId);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function failure(kind: RpcFailureKind, target: RpcTarget, api: ApiName): RpcFailure {
  return new RpcFailure(kind, target, api, new Error('scripted'));
}

function batchesOf<K extends ApiName>(api: K, request: RpcRequests[K]): ReadonlyMap<string, Buffer> {
  const batches = new Map<string, Buffer>();
  if (api !== 'Produce') return batches;
  for (const topic of (request as RpcRequests['Produce']).topics) {
    for (const partition of topic.partitions) {
      batches.set(`${topic.name}-${partition.partition}`, Buffer.concat(partition.records));
    }
  }
  return batches;
}

/** Answers every request for metadata from one small cluster of nodes 1 and 2. `leaders[topic][partition]` is a node id. */
export function metadataOf(
  leaders: Readonly<Record<string, readonly number[]>>,
  leaderEpoch = 5,
): (request: RpcRequests['Metadata']) => MetadataAnswer {
  return (request) => ({
    clusterId: 'test',
    controllerId: 1,
    brokers: [1, 2].map((nodeId) => ({ nodeId, host: 'localhost', port: 9000 + nodeId, rack: null })),
    topics: (request.topics ?? Object.keys(leaders)).map((name) => {
      const nodes = leaders[name];
      return {
        errorCode: nodes === undefined ? 3 : 0,
        name,
        topicId: topicIdOf(name),
        isInternal: false,
        partitions: (nodes ?? []).map((leaderId, partition) => ({
          errorCode: leaderId < 0 ? 5 : 0,
          partition,
          leaderId,
          leaderEpoch,
          replicaNodes: [1, 2],
          isrNodes: [1, 2],
        })),
      };
    }),
  });
}

export function topicIdOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
}

/** `kind` coordinators: transactions on node 1, groups on node 2. */
export function coordinators(request: RpcRequests['FindCoordinator']): RpcAnswers['FindCoordinator'] {
  const nodeId = request.keyType === 'transaction' ? 1 : 2;
  return { errorCode: 0, errorMessage: null, nodeId, host: 'localhost', port: 9000 + nodeId };
}
