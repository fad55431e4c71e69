// Owns what becomes of a record or another scope that failed: it describes the failure, finds the policy that holds, and does what that says: waits
// and tries again, sends the record to a retry or a dead-letter topic, leaves it out, or fails.
// By then the scope is undone. Misses and the like are no failures and never come here.
//
// The policy that holds is that of the node that failed, else that of the record's source, else the application's exception handler.
import { FatalError, MillraceError, asError } from '#libs/core';
import type { BinaryString, Clock, Logger } from '#libs/core';
import { SerdeError } from '#libs/serde';
import type { FailurePolicy, PostedRecord, RetryOn, SourceSpec } from '#libs/topology';
import type { DroppedRecords } from './dropped-records.ts';
import { encodeDeadLetter } from './dead-letter.ts';
import type { DeadLetterCause } from './dead-letter.ts';
import type { FailureCounts } from './failure-counts.ts';
import type { ExceptionHandlers, FailureResponse, FailureStage } from './failure-policy.ts';
import { RecordTooLarge, TopicPending } from './output-collector.ts';
import type { OutputCollector } from './output-collector.ts';
import type { PartitionOutput } from './partition-output.ts';
import type { RecordQueue } from './record-queue.ts';
import { encodeRetryHeaders, withoutRetryHeaders } from './retry-headers.ts';
import { RetryInPlace } from './retry-in-place.ts';

export interface TaskFailuresParts {
  readonly taskId: string;
  readonly partition: number;
  readonly handlers: ExceptionHandlers;
  /** By node. */
  readonly policies: ReadonlyMap<string, FailurePolicy>;
  /** Of the sub-topology, retry topics included. */
  readonly sources: readonly SourceSpec[];
  readonly topicOf: (source: SourceSpec) => string;
  readonly collector: OutputCollector;
  readonly dropped: DroppedRecords;
  readonly counts: FailureCounts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The node whose user function threw; `null`: none did. */
  readonly locate: (error: unknown) => string | null;
}

/** `AGAIN`: the scope is to be run once more, when what `wait` resolves has come. */
export type FailureEnd = 'SETTLED' | { readonly wait: Promise<void> };

/** What a policy comes down to when it is not tried again in place. */
type Verdict =
  | { readonly kind: 'fail' | 'skip' }
  | { readonly kind: 'deadLetter'; readonly topic: string }
  | { readonly kind: 'retryTopic'; readonly source: SourceSpec; readonly then: FailurePolicy | null };

interface Failed extends DeadLetterCause {
  /** As it was thrown. */
  readonly thrown: unknown;
  /** What its tries are counted by. */
  readonly what: object;
  /** `null`: there is no record of an input. */
  readonly queue: RecordQueue | null;
  /** Of a delivery: what it is about. */
  readonly record?: PostedRecord | null;
}

export class TaskFailures {
  readonly counts: FailureCounts;
  private readonly parts: TaskFailuresParts;
  private readonly retries: RetryInPlace;

  constructor(parts: TaskFailuresParts) {
    this.parts = parts;
    this.counts = parts.counts;
    this.retries = new RetryInPlace(parts.clock);
  }

  /** The task waits before it tries a record, or another scope, again. */
  get isWaiting(): boolean {
    return this.retries.isWaiting;
  }

  /**
   * The record at the queue's index failed. `SETTLED`: it is skipped, or sent where the policy says, and the caller moves on.
   * @throws MillraceError under the policy `fail`. TopicPending: the partition count of a topic to send to has to be found out first.
   */
  onRecord(queue: RecordQueue, error: unknown, thrownIn: FailureStage): FailureEnd {
    // Stages are told by where it was thrown; what was thrown while sending is of production.
    const stage: FailureStage = thrownIn === 'processing' && isOfTheRecord(error) ? 'production' : thrownIn;
    const offset = queue.columns.offsets[queue.index]!;
    const { topic, partition } = queue;
    const failures = this.retries.failed(queue, offset);
    const timestamp = queue.columns.timestamps[queue.index]!;
    const before = queue.retry?.historyOf(queue) ?? { topic, partition, offset, timestamp, attempts: 0 };
    const history = { ...before, attempts: before.attempts + failures };
    const node = thrownIn === 'deserialization' ? queue.source.name : this.nodeOf(error);
    const place =
      queue.retry === null ? '' : ` (from ${before.topic}-${before.partition} at ${before.offset})`;
    const failure = this.describe(
      error,
      stage,
      `The record of ${topic}-${partition} at offset ${offset}${place}`,
      { topic, partition, offset },
      node,
    );
    const end = this.settle({ error: failure, stage, node, history, thrown: error, what: queue, queue });
    if (end === 'SETTLED') this.retries.settled(queue);
    return end;
  }

  /**
   * An alarm or a delivery failed. There is no record of an input to be sent anywhere: a policy that would do so continues too, but for a delivery about a
   * record, which may become a dead letter. `what` tells it from others. `mayRetry`: false where trying again is not what is left to do.
   * @throws MillraceError under the policy `fail`.
   */
  onScope(
    what: object,
    text: string,
    timestamp: number,
    error: unknown,
    mayRetry = true,
    record: PostedRecord | null = null,
  ): FailureEnd {
    const stage: FailureStage = isOfTheRecord(error) ? 'production' : 'processing';
    const node = this.nodeOf(error);
    const failure = this.describe(error, stage, text, {}, node);
    const attempts = this.retries.failed(what, -1);
    const { partition } = this.parts;
    const history = { topic: '', partition, offset: -1, timestamp, attempts };
    const failed = { error: failure, stage, node, history, thrown: error, what, queue: null, record };
    const end = this.settle(failed, mayRetry);
    if (end === 'SETTLED') this.retries.settled(what);
    return end;
  }

  /** A scope that may have failed before is done. */
  onDone(what: object): void {
    this.retries.settled(what);
  }

  /** No alarm, no delivery and no clock is due. */
  onNothingDue(): void {
    this.retries.nothingDue();
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.retries.close();
  }

  describe(
    error: unknown,
    stage: FailureStage,
    what: string,
    where: Readonly<Record<string, unknown>>,
    node: string | null = this.nodeOf(error),
  ): MillraceError {
    const context = {
      taskId: this.parts.taskId,
      ...where,
      stage,
      ...(node === null ? {} : { operator: node }),
    };
    if (error instanceof MillraceError) {
      return new FatalError({
        code: error.code,
        message: `${what} failed in ${stage}: ${withoutCode(error)}`,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
        cause: error,
        context: { ...error.context, ...context },
      });
    }
    return new FatalError({
      code: stage === 'deserialization' ? 'MILLRACE_DESERIALIZATION_FAILED' : 'MILLRACE_PROCESSING_FAILED',
      message: `${what} failed in ${stage}: ${asError(error).message}.`,
      remedy: `Correct the code, give "${node ?? 'its source'}" a failurePolicy, or set exceptionHandlers.${stage} to continue or to dead-letter such records.`,
      cause: error,
      context,
    });
  }

  private nodeOf(error: unknown): string | null {
    return this.parts.locate(error) ?? this.parts.collector.failedSink;
  }

  private settle(failed: Failed, mayRetry = true): FailureEnd {
    const { counts, dropped, taskId } = this.parts;
    const { error, node, queue } = failed;
    const policy =
      (node === null ? undefined : this.parts.policies.get(node)) ?? queue?.source.failurePolicy ?? null;
    if (mayRetry && policy?.kind === 'retry' && this.isWorthRetrying(policy.retryOn, failed)) {
      const waitMs = this.retries.waitOf(failed.what, policy);
      if (waitMs !== null) {
        counts.retriedInPlace++;
        if (failed.history.attempts === 1) this.logRetry(failed, waitMs);
        return { wait: this.retries.wait(waitMs) };
      }
    }
    let verdict = this.verdictOf(policy, failed);
    if (verdict.kind === 'retryTopic') {
      if (this.sendToRetry(queue!, failed, verdict.source)) {
        counts.sentToRetryTopics++;
        return 'SETTLED';
      }
      verdict = this.verdictOf(verdict.then, failed);
    }
    if (verdict.kind === 'fail') throw error;
    const isDeadLetter = verdict.kind === 'deadLetter' && this.sendDeadLetter(failed, verdict.topic);
    if (isDeadLetter) counts.deadLettered++;
    else counts.skipped++;
    const where = node === null ? taskId : `${taskId} ${node}`;
    dropped.record(where, error.code, error.message, isDeadLetter ? 'deadLetter' : 'dropped');
    return 'SETTLED';
  }

  private verdictOf(policy: FailurePolicy | null, failed: Failed): Verdict {
    if (policy === null) return this.askHandler(failed);
    switch (policy.kind) {
      case 'fail':
      case 'skip':
      case 'deadLetter':
        return policy;
      case 'retry':
        return this.verdictOf(policy.then, failed);
      case 'retryTopics': {
        const next = failed.queue === null ? null : this.retrySourceBehind(failed.queue);
        if (next !== null && this.isWorthRetrying(policy.retryOn, failed))
          return { kind: 'retryTopic', source: next, then: policy.then };
        return this.verdictOf(policy.then, failed);
      }
    }
  }

  /** The retry topic that a record of this queue goes to next; `null`: it was in the last one. */
  private retrySourceBehind({ source, retry }: RecordQueue): SourceSpec | null {
    const of = source.retry?.of ?? source;
    const level = (retry?.level ?? 0) + 1;
    const isNext = ({ retry: spec }: SourceSpec): boolean =>
      spec !== undefined && spec.level === level && spec.of.topic === of.topic && spec.of.kind === of.kind;
    return this.parts.sources.find(isNext) ?? null;
  }

  private isWorthRetrying(retryOn: RetryOn | null, { thrown, stage }: Failed): boolean {
    if (retryOn === null) return stage === 'processing' && !isOfTheRecord(thrown) && !isOutcomeOfCall(thrown);
    try {
      return retryOn(asError(thrown)) === true;
    } catch (problem) {
      this.parts.logger.error('`retryOn` threw; the record is not tried again', { error: asError(problem) });
      return false;
    }
  }

  private logRetry({ error, history }: Failed, waitMs: number): void {
    this.parts.logger.warn(`It is tried again in ${Math.round(waitMs)} ms: ${error.message}`, {
      code: error.code,
      taskId: this.parts.taskId,
      topic: history.topic,
      partition: history.partition,
      offset: history.offset,
    });
  }

  private askHandler({ stage, error, node, history }: Failed): Verdict {
    const handler = this.parts.handlers[stage];
    let response: FailureResponse;
    try {
      response = handler({ stage, taskId: this.parts.taskId, error, node, ...history });
    } catch (thrown) {
      this.parts.logger.error(`The ${stage} exception handler threw; the record counts as failed`, {
        error: asError(thrown),
      });
      return { kind: 'fail' };
    }
    if (response === 'fail') return { kind: 'fail' };
    return response === 'continue'
      ? { kind: 'skip' }
      : { kind: 'deadLetter', topic: response.deadLetterTopic };
  }

  /** Appends the original record with the error in its headers. False: there is none. @throws TopicPending */
  private sendDeadLetter(failed: Failed, topic: string): boolean {
    const letter = failed.queue === null ? (failed.record ?? null) : recordOf(failed.queue);
    if (letter === null) return false;
    const { collector, clock } = this.parts;
    const failedAt = clock.now();
    const own = withoutRetryHeaders(letter.headers);
    this.send(failed, () => {
      const output = collector.topic(topic).choose(letter.keyBytes);
      collector.open(output);
      // The headers may take a record over the limit that just fitted without; the stack is the largest of them.
      if (append(output, letter, encodeDeadLetter(own, failed, failedAt, true)) <= collector.recordBytesMax)
        return;
      collector.undoRecord();
      collector.beginRecord();
      collector.open(output);
      collector.checkSize(output, append(output, letter, encodeDeadLetter(own, failed, failedAt, false)));
    });
    return true;
  }

  /**
   * Appends the original record with its history in its headers, in its own partition: its key's state is that of this task. False: with the history
   * it would be too large. @throws TopicPending
   */
  private sendToRetry(queue: RecordQueue, failed: Failed, source: SourceSpec): boolean {
    const { collector, clock, topicOf } = this.parts;
    const letter = recordOf(queue);
    const own = withoutRetryHeaders(letter.headers);
    const notBefore = clock.now() + source.retry!.delayMs;
    try {
      this.send(failed, () => {
        const output = collector.topic(topicOf(source)).partitions[queue.partition]!;
        collector.open(output);
        const headers = encodeRetryHeaders(own, failed.history, notBefore);
        collector.checkSize(output, append(output, letter, headers));
      });
    } catch (failure) {
      if (failure instanceof RecordTooLarge) return false;
      throw failure;
    }
    return true;
  }

  /** What fails leaves nothing. A topic not known yet: the record is run again, and this try has not been one. */
  private send({ what }: Failed, action: () => void): void {
    const { collector } = this.parts;
    collector.beginRecord();
    try {
      action();
    } catch (failure) {
      collector.undoRecord();
      if (failure instanceof TopicPending) this.retries.uncount(what);
      throw failure;
    }
  }
}

function recordOf({ columns, index }: RecordQueue): PostedRecord {
  return {
    keyBytes: columns.key(index),
    valueBytes: columns.value(index),
    timestamp: columns.timestamps[index]!,
    headers: columns.readHeaders(index),
  };
}

function append(
  { encoder }: PartitionOutput,
  { timestamp, keyBytes, valueBytes }: PostedRecord,
  headers: BinaryString,
): number {
  return encoder.append(timestamp, keyBytes, valueBytes, headers);
}

/** A call to the outside has tries of its own; when it is delivered, they are over. */
function isOutcomeOfCall(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_ASYNC_CALL_FAILED';
}

/** What fails the same way each time: waiting heals nothing. */
function isOfTheRecord(error: unknown): boolean {
  return error instanceof RecordTooLarge || isSerializationError(error);
}

function isSerializationError(error: unknown): boolean {
  return error instanceof SerdeError && error.code === 'MILLRACE_SERIALIZATION_FAILED';
}

/** An error's message without the code and remedy that its outer error repeats. */
function withoutCode(error: MillraceError): string {
  let message = error.message;
  const prefix = `${error.code}: `;
  if (message.startsWith(prefix)) message = message.slice(prefix.length);
  const suffix = error.remedy === undefined ? '' : ` Remedy: ${error.remedy}`;
  return suffix !== '' && message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
}
