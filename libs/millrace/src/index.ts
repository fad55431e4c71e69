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
  BufferConfig,
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
  Optimization,
  OutputTag,
  Pattern,
  Produced,
  Repartitioned,
  SessionWindows,
  SlidingWindows,
  State,
  Stores,
  StreamJoined,
  StreamsBuilder,
  Suppressed,
  TableJoined,
  TimeWindows,
  TopologyBuilder,
  UnlimitedWindows,
  WatermarkStrategy,
  days,
  hours,
  minutes,
  seconds,
} from '#libs/topology';
export type {
  AsyncCall,
  AsyncOptions,
  AsyncRetries,
  BranchedKStream,
  BroadcastState,
  Cancellable,
  CogroupedKStream,
  ConsumedTime,
  EmitOptions,
  FiredTimer,
  FixedKeyProcessor,
  FixedKeyProcessorContext,
  FixedKeyRecord,
  ForwardedRecord,
  FutureTimestampSpec,
  GlobalKTable,
  KGroupedStream,
  KGroupedTable,
  KStream,
  KTable,
  KeyValueStore,
  KeyedContext,
  KeyedProcessFunction,
  Match,
  MatchInfo,
  MatchOptions,
  OrderedKeyValueStore,
  Predicate,
  Processor,
  ProcessorContext,
  ProcessorRecord,
  PunctuationType,
  Punctuator,
  ReadOnlyKeyValueStore,
  SessionStore,
  SessionWindowedKStream,
  StateDescriptors,
  StateStore,
  StoreBuilder,
  StreamsBuilderOptions,
  TimeWindowedKStream,
  Timers,
  Topology,
  TopologyFault,
  VersionedKeyValueStore,
  WatermarkGenerator,
  WindowStore,
} from '#libs/topology';
export {
  SchemaRegistryClient,
  SerdeError,
  Serdes,
  TimeWindow,
  WindowedSerdes,
  createSerde,
  createTextSerde,
} from '#libs/serde';
export type { RegistrySerdeOptions, SchemaRegistryOptions, Serde, Windowed } from '#libs/serde';

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
