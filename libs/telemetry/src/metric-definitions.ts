// Owns the list of metrics: names, kinds, units, attributes, and the metric of Kafka Streams that says the same. docs/operations/metrics.md
// and the Grafana dashboard are held to it by specs.
//
// Names: `millrace.` and Kafka's group without `stream-` and `-metrics`, then Kafka's metric name without what says how it is aggregated
// (`-total`, `-rate`, `-avg`), underscores for hyphens. Counters are totals; rates are whoever's who reads them. Units and attributes follow
// OpenTelemetry's conventions: seconds and bytes, `messaging.destination.name` for a topic, `error.type` for an error code.

export type MetricKind = 'counter' | 'gauge';

export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  /** Besides application and instance, which all have. */
  readonly attributes: readonly string[];
  /** Group and name in Kafka; `null`: it has none. */
  readonly kafka: { readonly group: string; readonly name: string } | null;
}

export const ATTRIBUTES = {
  application: 'millrace.application.id',
  instance: 'millrace.instance.id',
  task: 'millrace.task.id',
  phase: 'millrace.task.phase',
  state: 'millrace.state',
  outcome: 'millrace.epoch.outcome',
  source: 'millrace.source',
  store: 'millrace.store',
  retry: 'millrace.retry',
  upperBound: 'le',
  topic: 'messaging.destination.name',
  partition: 'messaging.destination.partition.id',
  error: 'error.type',
} as const;

const { task, phase, state, outcome, source, store, retry, upperBound, topic, partition, error } = ATTRIBUTES;

const kafka = (group: string, name: string): MetricDefinition['kafka'] => ({ group, name });

function define(
  kind: MetricKind,
  name: string,
  unit: string,
  attributes: readonly string[],
  kafkaName: MetricDefinition['kafka'],
  description: string,
): MetricDefinition {
  return { name, kind, unit, attributes, kafka: kafkaName, description };
}

export const METRICS = {
  clientState: define(
    'gauge',
    'millrace.client.state',
    '{state}',
    [state],
    kafka('stream-metrics', 'state'),
    '1 for the lifecycle state the instance is in, 0 for the others',
  ),
  paused: define('gauge', 'millrace.client.paused', '1', [], null, '1 while the instance is paused'),
  aliveThreads: define(
    'gauge',
    'millrace.client.alive_stream_threads',
    '{worker}',
    [],
    kafka('stream-metrics', 'alive-stream-threads'),
    'Workers that run or take part in a rebalance',
  ),
  failedThreads: define(
    'counter',
    'millrace.client.failed_stream_threads',
    '{worker}',
    [],
    kafka('stream-metrics', 'failed-stream-threads'),
    'Workers that died and were replaced',
  ),
  tasks: define(
    'gauge',
    'millrace.client.tasks',
    '{task}',
    [phase],
    kafka('stream-state-updater-metrics', 'active-restoring-tasks, standby-updating-tasks'),
    'Tasks and copies of the instance by what they are at',
  ),
  commits: define(
    'counter',
    'millrace.thread.commit',
    '{epoch}',
    [outcome],
    kafka('stream-thread-metrics', 'commit-total'),
    'Epochs that ended, committed or aborted',
  ),
  commitTime: define(
    'counter',
    'millrace.thread.commit_time',
    's',
    [],
    kafka('stream-thread-metrics', 'commit-latency-avg'),
    'Time from the seal of epochs to their commit; its rate over that of the commits is the average latency',
  ),
  commitMax: define(
    'gauge',
    'millrace.thread.commit_latency_max',
    's',
    [],
    kafka('stream-thread-metrics', 'commit-latency-max'),
    'Longest commit since the start',
  ),
  processTime: define(
    'counter',
    'millrace.thread.process_time',
    's',
    [],
    kafka('stream-thread-metrics', 'process-ratio'),
    'Time in which records and timers held the event loop; its rate is the ratio',
  ),
  longestTurn: define(
    'gauge',
    'millrace.thread.turn_time_max',
    's',
    [],
    null,
    'Longest time the worker held the event loop at a stretch',
  ),
  sinceTurn: define(
    'gauge',
    'millrace.thread.since_turn',
    's',
    [],
    kafka('consumer-metrics', 'last-poll-seconds-ago'),
    'Since the loop of the worker last turned',
  ),
  process: define(
    'counter',
    'millrace.task.process',
    '{record}',
    [task],
    kafka('stream-task-metrics', 'process-total'),
    'Records processed by a task since it was opened here',
  ),
  restored: define(
    'counter',
    'millrace.task.restore',
    '{record}',
    [],
    kafka('stream-task-metrics', 'restore-total'),
    'Records brought into stores of tasks from their changelogs',
  ),
  remaining: define(
    'gauge',
    'millrace.task.restore_remaining_records',
    '{offset}',
    [task, phase],
    kafka('stream-task-metrics', 'restore-remaining-records-total'),
    'Changelog offsets a task has to restore, or a copy is behind what is committed',
  ),
  dropped: define(
    'counter',
    'millrace.task.dropped_records',
    '{record}',
    [task, error],
    kafka('stream-task-metrics', 'dropped-records-total'),
    'Records left out by rule or policy',
  ),
  deadLetters: define(
    'counter',
    'millrace.task.dead_letters',
    '{record}',
    [task, error],
    null,
    'Records that went to a dead-letter topic',
  ),
  retries: define(
    'counter',
    'millrace.task.retries',
    '{record}',
    [retry],
    null,
    'Tries in place after a failure, records sent to a retry topic, and records tried again out of one',
  ),
  cacheBytes: define(
    'gauge',
    'millrace.task.cache_size',
    'By',
    [task],
    kafka('stream-task-metrics', 'cache-size-bytes-total'),
    'Memory of the cache of a task',
  ),
  unwrittenBytes: define(
    'gauge',
    'millrace.task.unwritten_size',
    'By',
    [task],
    null,
    'State of a task that is not in its database yet',
  ),
  bufferedBytes: define(
    'gauge',
    'millrace.task.buffer_size',
    'By',
    [task],
    kafka('stream-task-metrics', 'active-buffer-count'),
    'Records fetched and not processed; bytes here, where Kafka counts records',
  ),
  diskBytes: define(
    'gauge',
    'millrace.state.total_sst_files_size',
    'By',
    [task],
    kafka('stream-state-metrics', 'total-sst-files-size'),
    'Files of the database of a task, all its stores together',
  ),
  changelogOffset: define(
    'gauge',
    'millrace.state.changelog_offset',
    '{offset}',
    [task, store],
    null,
    'Changelog offset that the database of a store reaches',
  ),
  consumed: define(
    'counter',
    'millrace.topic.records_consumed',
    '{record}',
    [source, topic],
    kafka('stream-topic-metrics', 'records-consumed-total'),
    'Records processed by source; those processed again count again',
  ),
  consumedBytes: define(
    'counter',
    'millrace.topic.bytes_consumed',
    'By',
    [source, topic],
    kafka('stream-topic-metrics', 'bytes-consumed-total'),
    'Bytes fetched by source',
  ),
  produced: define(
    'counter',
    'millrace.topic.records_produced',
    '{record}',
    [topic],
    kafka('stream-topic-metrics', 'records-produced-total'),
    'Records that committed epochs wrote, changelogs included',
  ),
  producedBytes: define(
    'counter',
    'millrace.topic.bytes_produced',
    'By',
    [topic],
    kafka('stream-topic-metrics', 'bytes-produced-total'),
    'Bytes that committed epochs wrote, changelogs included',
  ),
  lag: define(
    'gauge',
    'millrace.consumer.records_lag',
    '{offset}',
    [task, topic, partition],
    kafka('consumer-fetch-manager-metrics', 'records-lag'),
    'Offsets between the position of a task and the end of its input',
  ),
  lagTime: define(
    'gauge',
    'millrace.consumer.records_lag_time',
    's',
    [task, topic, partition],
    null,
    'Age of the next record of an input; 0 without lag',
  ),
  rebalances: define(
    'counter',
    'millrace.consumer.rebalance',
    '{rebalance}',
    [],
    kafka('consumer-coordinator-metrics', 'rebalance-total'),
    'Assignments the instance was given, and losses of them',
  ),
  lost: define(
    'counter',
    'millrace.consumer.lost_assignments',
    '{rebalance}',
    [],
    null,
    'Assignments that the group took away without asking',
  ),
  latencyCount: define(
    'counter',
    'millrace.processor_node.record_e2e_latency.count',
    '{record}',
    [],
    null,
    'Records whose time to commit is known: all of committed epochs',
  ),
  latencySum: define(
    'counter',
    'millrace.processor_node.record_e2e_latency.sum',
    's',
    [],
    kafka('stream-processor-node-metrics', 'record-e2e-latency-avg'),
    'Time from the timestamps of records to their commits; its rate over that of the count is the average',
  ),
  latencyBucket: define(
    'counter',
    'millrace.processor_node.record_e2e_latency.bucket',
    '{record}',
    [upperBound],
    null,
    'Records by upper bound of the time to their commit in seconds, cumulative: for histogram_quantile',
  ),
  latencyMax: define(
    'gauge',
    'millrace.processor_node.record_e2e_latency.max',
    's',
    [],
    kafka('stream-processor-node-metrics', 'record-e2e-latency-max'),
    'Longest time from the timestamp of a record to its commit',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
