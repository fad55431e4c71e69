// libs/millrace: what users import. It wires the parts into a running application and knows nothing of NestJS.
export { StreamsApplication } from './streams-application.ts';
export type { ApplicationSnapshot } from './streams-application.ts';
export type { StateKind, StreamsApplicationOptions, TopologySource } from './options.ts';
export { createConsoleLogger } from './console-logger.ts';
export type { LogLevel } from './console-logger.ts';
export type { KafkaConnection } from './connect.ts';
export { SimulatedKafka } from './simulated-kafka.ts';
export type { SimulatedConnection, SimulatedHost, SimulatedRecord } from './simulated-kafka.ts';
export { readTopic } from './read-topic.ts';
export type { ReadTopicOptions, TopicRecord } from './read-topic.ts';

// How a topology is written.
export {
  Consumed,
  CountWindows,
  CumulativeWindows,
  EmitStrategy,
  Grouped,
  JoinWindows,
  Joined,
  KeyValue,
  Materialized,
  Named,
  OutputTag,
  Pattern,
  Produced,
  Repartitioned,
  SessionWindows,
  SlidingWindows,
  State,
  StreamJoined,
  StreamsBuilder,
  TimeWindows,
  UnlimitedWindows,
} from '#libs/topology';
export type {
  BranchedKStream,
  KGroupedStream,
  KStream,
  KTable,
  Predicate,
  Topology,
  TopologyFault,
} from '#libs/topology';
export { SchemaRegistryClient, Serdes, createSerde, createTextSerde } from '#libs/serde';
export type { RegistrySerdeOptions, SchemaRegistryOptions, Serde } from '#libs/serde';

// How an application runs and fails.
export { DEAD_LETTER_HEADERS, deadLetter, logAndContinue, logAndFail } from '#libs/runtime';
export type {
  ExceptionHandler,
  ExceptionHandlers,
  FailureResponse,
  FailureStage,
  LifecycleListener,
  LifecycleState,
  ProcessingGuarantee,
  RecordFailure,
  RestoreListener,
  RestoreProgress,
  WorkerFigures,
} from '#libs/runtime';
export {
  ERROR_CODES,
  EpochAbortedError,
  FatalError,
  MillraceError,
  RetriableError,
  TaskCorruptedError,
  TaskMigratedError,
  silentLogger,
} from '#libs/core';
export type { ErrorCode, LogFields, Logger, RecordHeader, RecordMetadata } from '#libs/core';
export type { KafkaConfig, OauthBearerToken, SaslConfig } from '#libs/kafka';
