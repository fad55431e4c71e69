// libs/broker: what the runtime asks of a Kafka cluster (contracts), the state machines that give it (retries, sequences,
// fencing, rejoin) and the RPC port they run on. It opens no sockets.
export * from './contracts/index.ts';
export * from './rpc/index.ts';
export * from './record-batch/index.ts';
export * from './compression/index.ts';
