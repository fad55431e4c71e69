// libs/topology: builder → frozen nodes → checks → sub-topologies → compiled operator chains. It runs nothing.
export * from './plan.ts';
export * from './ports.ts';
export type {
  DescribedNode,
  DescribedStore,
  DescribedSubTopology,
  DescribedTopology,
} from './describe-graph.ts';
export * from './options.ts';
export * from './options/windows.ts';
export * from './options/suppressed.ts';
export { JoinWindows } from './options/join-windows.ts';
export { StreamJoined } from './options/stream-joined.ts';
export { TableJoined } from './options/table-joined.ts';
export type { Versioned } from './options/versioned.ts';
export * from './streams-builder.ts';
export * from './topology-builder.ts';
export * from './partitions.ts';
export type { BranchedKStream, KGroupedStream, KStream, KTable, Predicate } from './dsl/types.ts';
export type { GlobalKTable } from './dsl/global-table.ts';
export type { TopologyFault } from './faults.ts';
export type { AsyncCall, AsyncOptions, AsyncRetries } from './async/async-options.ts';
export { Pattern } from './cep/pattern.ts';
export type { Condition, Contiguity, Taken } from './cep/pattern.ts';
export type { Match, MatchInfo, MatchOptions } from './cep/pattern-process.ts';
export { State } from './keyed/state-descriptors.ts';
export type * from './keyed/state-descriptors.ts';
export type { ConnectedKGroupedStreams, ConnectedProcessFunction } from './dsl/connected-types.ts';
export { OutputTag } from './keyed/keyed-process.ts';
export type {
  BroadcastState,
  EmitOptions,
  FiredTimer,
  KeyedContext,
  KeyedProcessFunction,
  Timers,
} from './keyed/keyed-process.ts';
export type { KGroupedTable } from './dsl/grouped-table-types.ts';
export type { SessionWindowedKStream, TimeWindowedKStream } from './dsl/windowed-types.ts';
export { Stores } from './options/stores.ts';
export type * from './options/stores.ts';
export type * from './options/processing.ts';
export type * from './dsl/cogrouped-types.ts';
export { FailurePolicy } from './options/failure-policy.ts';
export type {
  DeadLetterPolicy,
  Delay,
  FailPolicy,
  FailureOptions,
  FinalPolicy,
  RetryOn,
  RetryOptions,
  RetryPolicy,
  RetryTopicsOptions,
  RetryTopicsPolicy,
  SkipPolicy,
} from './options/failure-policy.ts';
export { WatermarkStrategy } from './options/watermarks.ts';
export type { ConsumedTime } from './options/watermarks.ts';
export { Optimization } from './options/optimization.ts';
export type { OptimizationName, StreamsBuilderOptions } from './options/optimization.ts';
