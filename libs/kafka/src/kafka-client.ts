// Owns the broker client on real sockets: the state machines of libs/broker over this library's RPC port.
import { createBrokerClient } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import type { KafkaConfig } from './config.ts';
import { createKafkaRpc } from './kafka-rpc.ts';
import type { KafkaDeps } from './kafka-rpc.ts';

/** Opens no connection yet. Closing the client closes its connections. @throws MillraceError MILLRACE_INVALID_CONFIG */
export function createKafkaClient(config: KafkaConfig, deps: KafkaDeps): BrokerClient {
  return createBrokerClient({
    rpc: createKafkaRpc(config, deps),
    clock: deps.clock,
    logger: deps.logger,
    ...(config.requestTimeout === undefined ? {} : { requestTimeoutMs: config.requestTimeout }),
  });
}
