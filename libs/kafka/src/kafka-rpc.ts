// Owns the RPC port on sockets: which connection a call takes. Holds the addresses of nodes and one set of channels for
// each (target, lane). No retries, no metadata, no policy.
import {
  RpcFailure,
  type ApiName,
  type ClusterFeatures,
  type RpcAnswers,
  type RpcLane,
  type RpcOptions,
  type RpcPort,
  type RpcRequests,
  type RpcTarget,
} from '#libs/broker';
import { MillraceError, type Clock, type Logger } from '#libs/core';
import { CODECS, type Codec } from './codecs/index.ts';
import { parseKafkaConfig, type KafkaConfig, type KafkaSettings } from './config.ts';
import { formatBrokerAddress, type BrokerAddress } from './connection/address.ts';
import { Channel } from './connection/channel.ts';
import { ConnectionFault } from './connection/faults.ts';

export interface KafkaDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Calls that the broker may leave unanswered for long. It serves a connection's requests one by one, so nothing is sent
 * behind one of these: a second reader's fetch, or the heartbeat of another member, takes a connection of its own.
 */
const SLOW_APIS: ReadonlySet<ApiName> = new Set([
  'Fetch',
  'JoinGroup',
  'SyncGroup',
  'CreateTopics',
  'DeleteTopics',
  'DeleteRecords',
]);

/** Connections of one lane to one node; beyond them calls queue behind slow ones. */
const CHANNELS_PER_LANE_MAX = 32;

interface LaneChannel {
  readonly channel: Channel;
  slowCalls: number;
}

/**
 * The RPC port of libs/broker on real sockets. Nothing is opened before the first call.
 * @throws FatalError MILLRACE_INVALID_CONFIG
 */
export function createKafkaRpc(config: KafkaConfig, deps: KafkaDeps): RpcPort {
  return new KafkaRpc(parseKafkaConfig(config), deps);
}

class KafkaRpc implements RpcPort {
  readonly #settings: KafkaSettings;
  readonly #deps: KafkaDeps;
  readonly #nodes = new Map<number, BrokerAddress>();
  readonly #lanes = new Map<`${RpcTarget}/${RpcLane}`, LaneChannel[]>();
  #features: Promise<ClusterFeatures> | null = null;
  #closed = false;

  constructor(settings: KafkaSettings, deps: KafkaDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async call<K extends ApiName>(
    target: RpcTarget,
    api: K,
    request: RpcRequests[K],
    options: RpcOptions = {},
  ): Promise<RpcAnswers[K]> {
    if (this.#closed) throw new RpcFailure('not-sent', target, api, new Error('the client is closed'));
    if (target !== 'bootstrap' && !this.#nodes.has(target)) {
      throw new RpcFailure('not-sent', target, api, new Error(`no address of broker ${target} is known`));
    }
    const slow = SLOW_APIS.has(api);
    const lane = this.#channelFor(target, options.lane ?? 'control');
    if (slow) lane.slowCalls += 1;
    try {
      const codec = CODECS[api] as Codec<RpcRequests[K], RpcAnswers[K]>;
      return await lane.channel.call(
        api,
        codec,
        request,
        options.timeoutMs ?? this.#settings.requestTimeoutMs,
      );
    } finally {
      if (slow) lane.slowCalls -= 1;
    }
  }

  features(): Promise<ClusterFeatures> {
    this.#features ??= this.#askFeatures().catch((error: unknown) => {
      this.#features = null;
      throw error;
    });
    return this.#features;
  }

  learnNodes(
    nodes: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
  ): void {
    for (const { nodeId, host, port } of nodes) {
      if (nodeId < 0 || host === '' || port < 1) continue;
      const known = this.#nodes.get(nodeId);
      if (known !== undefined && known.host === host && known.port === port) continue;
      this.#nodes.set(nodeId, { host, port });
      if (known !== undefined) this.#retire(nodeId);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const cause = new ConnectionFault('the client is closed');
    for (const channels of this.#lanes.values()) {
      for (const { channel } of channels) channel.close(cause);
    }
    this.#lanes.clear();
  }

  #channelFor(target: RpcTarget, lane: RpcLane): LaneChannel {
    const key = `${target}/${lane}` as const;
    let channels = this.#lanes.get(key);
    if (channels === undefined) {
      channels = [];
      this.#lanes.set(key, channels);
    }
    const free = channels.find((candidate) => candidate.slowCalls === 0);
    if (free !== undefined) return free;
    if (channels.length >= CHANNELS_PER_LANE_MAX) {
      return channels.reduce((least, candidate) =>
        candidate.slowCalls < least.slowCalls ? candidate : least,
      );
    }
    const addresses =
      target === 'bootstrap' ? () => this.#bootstrap() : () => Promise.resolve([this.#nodes.get(target)!]);
    const added = {
      channel: new Channel(target, addresses, { settings: this.#settings, ...this.#deps }),
      slowCalls: 0,
    };
    channels.push(added);
    return added;
  }

  /** The configured brokers; behind them what was learnt, should the configured ones be gone. */
  async #bootstrap(): Promise<readonly BrokerAddress[]> {
    const configured = await this.#settings.bootstrap();
    const seen = new Set(configured.map(formatBrokerAddress));
    const learnt = [...this.#nodes.values()].filter((address) => !seen.has(formatBrokerAddress(address)));
    return [...configured, ...learnt];
  }

  async #askFeatures(): Promise<ClusterFeatures> {
    if (this.#closed)
      throw new RpcFailure('not-sent', 'bootstrap', 'Metadata', new Error('the client is closed'));
    try {
      const { versions } = await this.#channelFor('bootstrap', 'control').channel.connected();
      const { transactionVersion, streamsVersion, highest } = versions;
      return { transactionVersion, streamsVersion, apiVersions: highest };
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw new RpcFailure('not-sent', 'bootstrap', 'Metadata', error);
    }
  }

  #retire(nodeId: number): void {
    const cause = new ConnectionFault(`broker ${nodeId} has moved`);
    for (const lane of ['control', 'fetch', 'produce', 'group'] as const) {
      const key = `${nodeId}/${lane}` as const;
      for (const { channel } of this.#lanes.get(key) ?? []) channel.retire(cause);
      this.#lanes.delete(key);
    }
  }
}
