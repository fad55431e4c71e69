// libs/runtime: the worker that runs tasks. The way of a record through these files:
//   input-router → record-queue → partition-group → task → (operator chain, state) → sink → partition-output
//   → output-collector → epoch-commit
export { StreamsRuntime } from './streams-runtime.ts';
export type { StreamsRuntimeParts } from './streams-runtime.ts';
export { resolveRuntimeConfig } from './config.ts';
export type { ProcessingGuarantee, RuntimeConfig, RuntimeOptions } from './config.ts';
export { Lifecycle } from './lifecycle.ts';
export type { LifecycleListener, LifecycleState } from './lifecycle.ts';
export {
  DEAD_LETTER_HEADERS,
  deadLetter,
  isErrorHeader,
  logAndContinue,
  logAndFail,
} from './failure-policy.ts';
export type {
  ExceptionHandler,
  ExceptionHandlers,
  FailureResponse,
  FailureStage,
  RecordFailure,
} from './failure-policy.ts';
export type { FailureFigures, WaitingFailures } from './failure-counts.ts';
export { RETRY_HEADERS } from './retry-headers.ts';
export type { PartitionCheck } from './internal-topics.ts';
export type { RestoreListener, RestoreProgress, RestoreRole } from './store-restorer.ts';
export type { CopyFigures, CopyRole } from './standby-copy.ts';
export type {
  DropCount,
  EpochFigures,
  HistogramFigures,
  InputFlow,
  InstanceFigures,
  IssueFigures,
  LoopFigures,
  OutputFlow,
  PartitionFigures,
  RebalanceFigures,
  RestoreFigures,
  RuntimeFigures,
  RuntimeInsight,
  StoreFigures,
  TaskFigures,
  TaskPhase,
  WorkerFigures,
} from './insight/figures.ts';
export type { EpochListener } from './insight/epoch-log.ts';
export type { TracedRecord } from './insight/trace-log.ts';
export { noInsight } from './insight/insight-log.ts';
export type { WorkerFailure, WorkerFailureHandler, WorkerFailureResponse } from './worker-failure.ts';
export { changelogTopic, repartitionTopic, sourceTopic, transactionalId } from './names.ts';
export { decodeOffsetMetadata, encodeOffsetMetadata, shortHash } from './offset-metadata.ts';
export type { OffsetMetadata } from './offset-metadata.ts';
export { decodeResetMark, encodeResetMark } from './reset-mark.ts';
export type { ResetMark } from './reset-mark.ts';
export { isStoreWritten } from './store-fingerprints.ts';
export * from './queries/index.ts';
// For measurements: assignments happen inside the group.
export { assignTasks } from './assignor/assign-tasks.ts';
export type { AssignableMember, AssignableTask, GroupAssignment } from './assignor/contract.ts';
export { decodeAssignmentData, encodeAssignmentData, encodeMemberData } from './assignor/group-data.ts';
