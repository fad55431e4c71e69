// Owns what an application connects to: Kafka's brokers, or a cluster simulated in this process.
import type { BrokerClient } from '#libs/broker';
import type { Clock, Logger } from '#libs/core';
import { createKafkaClient } from '#libs/kafka';
import type { KafkaConfig } from '#libs/kafka';
import { isSimulated } from './simulated-kafka.ts';
import type { SimulatedConnection } from './simulated-kafka.ts';

/** How to reach Kafka, in KafkaJS's shape; or a `SimulatedKafka`. */
export type KafkaConnection = KafkaConfig | SimulatedConnection;

/** `clientId` is used where the configuration names none. @throws FatalError MILLRACE_INVALID_CONFIG */
export function connect(
  kafka: KafkaConnection,
  clientId: string,
  parts: { readonly clock: Clock; readonly logger: Logger },
): BrokerClient {
  if (isSimulated(kafka)) return kafka.createClient({ clientId, ...parts });
  return createKafkaClient({ clientId, ...kafka }, parts);
}
