// libs/kafka: the RPC port of libs/broker on real sockets. Owns codecs, connections, TLS and SASL. Never decides what a
// broker's answer means: that is for the state machines of libs/broker.
export { createKafkaClient } from './kafka-client.ts';
export { createKafkaRpc, type KafkaDeps } from './kafka-rpc.ts';
export type { KafkaConfig, OauthBearerToken, SaslConfig } from './config.ts';
