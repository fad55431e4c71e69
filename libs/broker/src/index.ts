// libs/broker: what the runtime asks of a Kafka cluster (contracts), the state machines that give it (retries, sequences,
// fencing, rejoin) and the RPC port they run on. It opens no sockets.
export * from './contracts/index.ts';
export * from './rpc/index.ts';
export * from './record-batch/index.ts';
export * from './compression/index.ts';
export { createBrokerClient } from './client.ts';
export type { BrokerClientOptions } from './client.ts';
export { classify, errorName, isRetriable, KafkaError } from './protocol/error-codes.ts';
export type { ErrorClass } from './protocol/error-codes.ts';
export { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './group/index.ts';
export type { DecodedSubscription } from './group/index.ts';
export { HeartbeatStandIn, lookIntervalMs } from './group/index.ts';
export type { StandInParts, StandInSignals } from './group/index.ts';
