// Owns the wiring of a broker client on sockets: the RPC port of this library under the state machines of libs/broker.
import { createBrokerClient, type BrokerClient } from '#libs/broker';
import type { KafkaConfig } from './config.ts';
import { HeartbeatThread } from './heartbeat/heartbeat-thread.ts';
import { createKafkaRpc, type KafkaDeps } from './kafka-rpc.ts';

/**
 * A client for exactly-once work on a Kafka cluster. Nothing is opened before it is used; `close` ends its connections, and the
 * thread that sends the heartbeats of its group members while the event loop is blocked.
 * @throws FatalError MILLRACE_INVALID_CONFIG
 */
export function createKafkaClient(config: KafkaConfig, deps: KafkaDeps): BrokerClient {
  const rpc = createKafkaRpc(config, deps);
  for (const warning of exposures(config)) deps.logger.warn(warning);
  return createBrokerClient({
    rpc,
    clock: deps.clock,
    logger: deps.logger,
    heartbeatGuard: new HeartbeatThread(config, deps),
    ...(config.maxDecompressedBytes === undefined
      ? {}
      : { decompressedBytesMax: config.maxDecompressedBytes }),
    ...(config.requestTimeout === undefined ? {} : { requestTimeoutMs: config.requestTimeout }),
  });
}

/** What the configuration lets strangers see or do, and nobody means to in production. */
function exposures({ ssl, sasl }: KafkaConfig): string[] {
  const isOpen = ssl === undefined || ssl === false;
  const warnings: string[] = [];
  if (typeof ssl === 'object' && ssl.rejectUnauthorized === false)
    warnings.push('kafka.ssl.rejectUnauthorized is false: whoever is on the way may pass for a broker');
  if (isOpen && (sasl?.mechanism === 'plain' || sasl?.mechanism === 'oauthbearer'))
    warnings.push(
      `kafka.sasl goes by ${sasl.mechanism} without kafka.ssl: whoever is on the way reads the secret`,
    );
  return warnings;
}
