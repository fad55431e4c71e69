// Owns what the metrics of one application are at one moment, read from its insight. It knows nothing of OpenTelemetry.
import type { ApplicationInsight, LifecycleState } from '#libs/millrace';
import { ATTRIBUTES as NAME } from './metric-definitions.ts';
import type { MetricName } from './metric-definitions.ts';

export type Labels = Readonly<Record<string, string>>;

export type Observe = (metric: MetricName, value: number, labels?: Labels) => void;

const STATES: readonly LifecycleState[] = [
  'CREATED',
  'REBALANCING',
  'RUNNING',
  'PENDING_SHUTDOWN',
  'NOT_RUNNING',
  'PENDING_ERROR',
  'ERROR',
];
const ALIVE: ReadonlySet<LifecycleState> = new Set(['REBALANCING', 'RUNNING', 'PENDING_SHUTDOWN']);

export function observeInsight(insight: ApplicationInsight, observe: Observe): void {
  observeClient(insight, observe);
  observeThread(insight, observe);
  observeTasks(insight, observe);
  observeDrops(insight, observe);
  for (const { source, topic, records, bytes } of insight.inputs) {
    const labels = { [NAME.source]: source, [NAME.topic]: topic };
    observe('consumed', records, labels);
    observe('consumedBytes', bytes, labels);
  }
  for (const { topic, records, bytes } of insight.outputs) {
    observe('produced', records, { [NAME.topic]: topic });
    observe('producedBytes', bytes, { [NAME.topic]: topic });
  }
  observeLatency(insight, observe);
}

function observeClient(insight: ApplicationInsight, observe: Observe): void {
  const { state, paused, figures, tasks, rebalances } = insight;
  for (const each of STATES) observe('clientState', each === state ? 1 : 0, { [NAME.state]: each });
  observe('paused', paused ? 1 : 0);
  observe('aliveThreads', figures !== null && ALIVE.has(state) ? 1 : 0);
  observe('failedThreads', figures?.workerReplacements ?? 0);
  observe('restored', figures?.restoredRecords ?? 0);
  const phases = new Map<string, number>();
  for (const { phase } of tasks) phases.set(phase, (phases.get(phase) ?? 0) + 1);
  for (const [phase, count] of phases) observe('tasks', count, { [NAME.phase]: phase });
  observe('rebalances', rebalances.total);
  observe('lost', rebalances.lost);
}

function observeThread({ commits, loop, figures }: ApplicationInsight, observe: Observe): void {
  observe('commits', commits.committed, { [NAME.outcome]: 'committed' });
  observe('commits', commits.aborted, { [NAME.outcome]: 'aborted' });
  observe('commitTime', commits.totalMs / 1_000);
  observe('commitMax', commits.longestMs / 1_000);
  observe('processTime', loop.busyMs / 1_000);
  observe('longestTurn', loop.longestTurnMs / 1_000);
  if (figures !== null) observe('sinceTurn', figures.sinceTurnMs / 1_000);
}

function observeTasks({ tasks }: ApplicationInsight, observe: Observe): void {
  for (const each of tasks) {
    const labels = { [NAME.task]: each.taskId };
    if (each.restoreLag !== null)
      observe('remaining', each.restoreLag, { ...labels, [NAME.phase]: each.phase });
    if (each.diskBytes !== null) observe('diskBytes', each.diskBytes, labels);
    // What follows is of tasks that process.
    if (each.partitions.length === 0) continue;
    observe('process', each.records, labels);
    if (each.cachedBytes !== null) observe('cacheBytes', each.cachedBytes, labels);
    if (each.unwrittenBytes !== null) observe('unwrittenBytes', each.unwrittenBytes, labels);
    for (const { name, changelogOffset } of each.stores) {
      if (changelogOffset !== null)
        observe('changelogOffset', changelogOffset, { ...labels, [NAME.store]: name });
    }
    let buffered = 0;
    for (const { topic, partition, lag, lagMs, bufferedBytes } of each.partitions) {
      buffered += bufferedBytes;
      const where = { ...labels, [NAME.topic]: topic, [NAME.partition]: String(partition) };
      if (lag !== null) observe('lag', lag, where);
      if (lagMs !== null) observe('lagTime', lagMs / 1_000, where);
    }
    observe('bufferedBytes', buffered, labels);
  }
}

function observeDrops({ drops, figures }: ApplicationInsight, observe: Observe): void {
  // Nodes of one task together: two observations of the same attributes would be one.
  const sums = new Map<string, { metric: MetricName; labels: Labels; records: number }>();
  for (const { code, kind, where, records } of drops) {
    const taskId = where.split(' ', 1)[0]!;
    const metric = kind === 'dropped' ? 'dropped' : 'deadLetters';
    const key = `${metric} ${code} ${taskId}`;
    const sum = sums.get(key);
    if (sum !== undefined) sum.records += records;
    else sums.set(key, { metric, labels: { [NAME.task]: taskId, [NAME.error]: code }, records });
  }
  for (const { metric, labels, records } of sums.values()) observe(metric, records, labels);
  const { retriedInPlace = 0, sentToRetryTopics = 0, takenFromRetryTopics = 0 } = figures?.failures ?? {};
  observe('retries', retriedInPlace, { [NAME.retry]: 'in_place' });
  observe('retries', sentToRetryTopics, { [NAME.retry]: 'to_topic' });
  observe('retries', takenFromRetryTopics, { [NAME.retry]: 'from_topic' });
}

function observeLatency({ latency }: ApplicationInsight, observe: Observe): void {
  observe('latencyCount', latency.count);
  observe('latencySum', latency.sum / 1_000);
  observe('latencyMax', latency.max / 1_000);
  let below = 0;
  latency.counts.forEach((count, index) => {
    below += count;
    const bound = latency.bounds[index];
    observe('latencyBucket', below, {
      [NAME.upperBound]: bound === undefined ? '+Inf' : String(bound / 1_000),
    });
  });
}
