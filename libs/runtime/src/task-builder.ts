// Owns the making of a task from what its opening found: the ports its operators get, their queues, sinks and clocks. No I/O.
import type { RecordReader } from '#libs/broker';
import { MillraceError, formatTopicPartition, parseTaskId } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { TaskState } from '#libs/state';
import type { SinkPort, SourceSpec, SubTopology } from '#libs/topology';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { DroppedRecords } from './dropped-records.ts';
import type { FailureCounts } from './failure-counts.ts';
import { EventTime, hasWatermarks } from './event-time.ts';
import type { GlobalStores } from './global-stores.ts';
import type { InsightLog } from './insight/insight-log.ts';
import { TraceLinks } from './insight/trace-links.ts';
import { METADATA_BYTES_MAX, metadataBytesMax, shortHash } from './offset-metadata.ts';
import { OperatorClocks } from './operator-clocks.ts';
import type { OutputCollector } from './output-collector.ts';
import { PartitionGroup } from './partition-group.ts';
import { RecordQueue } from './record-queue.ts';
import { TaskSink } from './sink.ts';
import type { StartingPoint } from './starting-point.ts';
import { RetryWait } from './retry-wait.ts';
import { storeFingerprints } from './store-fingerprints.ts';
import { TaskAlarms } from './task-alarms.ts';
import { TaskContext } from './task-context.ts';
import { TaskFailures } from './task-failures.ts';
import { TaskMailbox } from './task-mailbox.ts';
import { Task } from './task.ts';

export interface TaskBuilderParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly reader: RecordReader;
  readonly collector: OutputCollector;
  readonly dropped: DroppedRecords;
  readonly failures: FailureCounts;
  readonly insight: InsightLog;
  readonly globals: GlobalStores;
  readonly transactionalId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes a topic known to the collector. @throws MILLRACE_TOPIC_MISSING */
  readonly resolveTopic: (topic: string) => Promise<void>;
  /** Ends the wait of the worker's loop. */
  readonly wake: () => void;
}

/** @throws MillraceError MILLRACE_INVALID_TOPOLOGY what its operators and stores must commit does not fit beside an offset. */
export function buildTask(
  parts: TaskBuilderParts,
  name: TaskIdText,
  state: TaskState | null,
  start: StartingPoint,
): Task {
  const { layout, collector, reader, clock, config, logger, dropped } = parts;
  const id = parseTaskId(name);
  const sub = layout.subTopology(id);
  const context = new TaskContext(id.partition);
  const interrupt = { raised: false };
  const clocks = new OperatorClocks(start.clocks, !hasWatermarks(sub.sources), collector);
  const alarms = new TaskAlarms();
  const mailbox: TaskMailbox = new TaskMailbox(() => {
    interrupt.raised = true;
    if (!mailbox.inScope) parts.wake();
  });
  const links = new TraceLinks(parts.insight.epochs.traces, context, collector);
  const sinks = sinksOf(parts, sub, context, state);
  const compiled = sub.compile({
    context,
    store: (store) => state!.store(store),
    orderedStore: (store) => state!.orderedStore(store),
    globalStore: (store) => parts.globals.store(store),
    sink: (index) => sinks[index]!,
    taskId: name,
    applicationId: config.applicationId,
    clock: (operator, onAdvance, own) => clocks.add(operator, shortHash(operator), onAdvance, own),
    alarm: (kind, fire) => alarms.add(kind, fire),
    wallTime: () => clock.now(),
    post: (deliver, skip, record) => mailbox.post(deliver, skip, record),
    intake: {
      hold: (holder) => mailbox.hold(holder),
      release: (holder) => mailbox.release(holder),
    },
    unfinished: (holder, isUnderWay) => mailbox.setUnfinished(holder, isUnderWay),
    links: (place) => links.of(place),
    drop: (node, code, reason) => dropped.record(`${name} ${node}`, code, reason),
  });
  let stores = storeFingerprints(sub.stores);
  const queues = queuesOf(parts, sub, id.partition, start);
  const timeCount =
    clocks.clocks.length + queues.filter(({ partitionTimeId }) => partitionTimeId !== null).length;
  const bytes = metadataBytesMax(parts.transactionalId, timeCount, stores);
  refuseTooMuchMetadata(name, timeCount, bytes);
  if (bytes + start.goneStores.length <= METADATA_BYTES_MAX) stores += start.goneStores;
  for (const queue of queues) {
    const of = queue.source.retry && queues.find(({ source }) => source === queue.source.retry!.of);
    if (of !== undefined) queue.retry = new RetryWait(queue.source.retry!, of, clock);
  }
  const group = new PartitionGroup(queues, reader, clock, config.maxTaskIdleMs);
  const sourceQueues = new Map<string, RecordQueue>();
  for (const store of sub.stores) {
    const source = layout.sourceOfStore(sub, store);
    const queue = group.queues.find((candidate) => candidate.source === source);
    if (queue !== undefined) sourceQueues.set(store.name, queue);
  }
  return new Task({
    changelogTopics: sub.stores.map((store) => layout.changelogTopic(sub, store)),
    sourceQueues,
    changelogIdentity: layout.changelogIdentity(name),
    id,
    context,
    group,
    compiled,
    state,
    collector,
    timing: { clocks, alarms, mailbox, interrupt },
    eventTime: new EventTime(group.ordered, (queue) => group.isCaughtUp(queue), start.eventTime),
    failures: new TaskFailures({
      taskId: name,
      partition: id.partition,
      handlers: config.exceptionHandlers,
      policies: sub.failurePolicies ?? new Map(),
      sources: sub.sources,
      topicOf: (source) => layout.sourceTopic(source),
      counts: parts.failures,
      clock,
      collector,
      dropped,
      logger,
      locate: (error) => compiled.locate(error),
    }),
    stores: sub.stores,
    storeFingerprints: stores,
    clock,
    logger,
    latency: parts.insight.epochs.latency,
    traces: parts.insight.epochs.traces,
    links,
    onDrop: (error) => dropped.record(name, error.code, error.message),
    resolveTopic: parts.resolveTopic,
    epochId: Math.max(start.epochId, state?.reached.epochId ?? -1) + 1,
    streamTime: start.streamTime,
    needsClaim: start.needsClaim,
  });
}

function sinksOf(
  { layout, collector }: TaskBuilderParts,
  sub: SubTopology,
  context: TaskContext,
  state: TaskState | null,
): SinkPort[] {
  const ordered = new Set(sub.stores.filter(({ kind }) => kind === 'ordered').map(({ name }) => name));
  return sub.sinks.map((sink) => {
    const { valueFromStore: store } = sink;
    const values =
      store === null ? null : ordered.has(store) ? state!.orderedStore(store) : state!.store(store);
    return new TaskSink(sink, layout.sinkTopic(sink), context, collector, values);
  });
}

function queuesOf(
  parts: TaskBuilderParts,
  sub: SubTopology,
  partition: number,
  start: StartingPoint,
): RecordQueue[] {
  const queues: RecordQueue[] = [];
  sub.sources.forEach((source, index) => {
    const queue = queueOf(parts, sub, source, index, partition, start);
    if (queue !== null) queues.push(queue);
  });
  return queues;
}

/** `null`: the topic has fewer partitions. */
function queueOf(
  { layout, insight }: TaskBuilderParts,
  sub: SubTopology,
  source: SourceSpec,
  index: number,
  partition: number,
  start: StartingPoint,
): RecordQueue | null {
  const topic = layout.sourceTopic(source);
  if (partition >= (layout.partitionCounts.get(topic) ?? 0)) return null;
  const key = formatTopicPartition(topic, partition);
  const queue = new RecordQueue(
    source,
    index,
    topic,
    partition,
    compileCodec(source.keySerde),
    compileCodec(source.valueSerde),
    start.offsets.get(key) ?? 0,
    start.leaderEpochs.get(key) ?? -1,
    insight.flows.input({ subTopology: sub.id, source: source.name, topic, kind: source.kind }),
  );
  if (queue.partitionTimeId !== null) {
    queue.partitionTime = start.clocks.get(queue.partitionTimeId) ?? queue.partitionTime;
  }
  if (start.committed.has(key)) queue.committedPosition = queue.sealedPosition = queue.position;
  return queue;
}

function refuseTooMuchMetadata(taskId: string, clockCount: number, bytes: number): void {
  if (bytes <= METADATA_BYTES_MAX) return;
  throw new MillraceError({
    code: 'MILLRACE_INVALID_TOPOLOGY',
    message: `Task ${taskId} has ${clockCount} operators that keep time, and stores, whose times and identities take up to ${bytes} bytes beside each committed offset; ${METADATA_BYTES_MAX} fit.`,
    remedy: 'Divide the sub-topology with repartition().',
    context: { taskId, clockCount, bytes },
  });
}
