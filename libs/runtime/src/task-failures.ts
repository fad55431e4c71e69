// Owns what becomes of a record or another scope that failed: it describes the failure, asks the policy, sends the dead letter.
// By then the scope is undone. Misses and the like are no failures and never come here.
import { FatalError, MillraceError, asError } from '#libs/core';
import type { Logger } from '#libs/core';
import { SerdeError } from '#libs/serde';
import type { DroppedRecords } from './dropped-records.ts';
import { encodeDeadLetter } from './dead-letter.ts';
import type { ExceptionHandlers, FailureResponse, FailureStage } from './failure-policy.ts';
import { RecordTooLarge } from './output-collector.ts';
import type { OutputCollector } from './output-collector.ts';
import type { RecordQueue } from './record-queue.ts';

export interface TaskFailuresParts {
  readonly taskId: string;
  readonly partition: number;
  readonly handlers: ExceptionHandlers;
  readonly collector: OutputCollector;
  readonly dropped: DroppedRecords;
  readonly logger: Logger;
  /** The node whose user function threw; `null`: none did. */
  readonly locate: (error: unknown) => string | null;
}

export class TaskFailures {
  private readonly parts: TaskFailuresParts;

  constructor(parts: TaskFailuresParts) {
    this.parts = parts;
  }

  /**
   * The record at the queue's index failed: skips it, or sends it to the dead-letter topic; either way the caller moves on.
   * @throws MillraceError under the policy `fail`. TopicPending: the dead-letter topic's partition count has to be found out first.
   */
  onRecord(queue: RecordQueue, error: unknown, thrownIn: FailureStage): void {
    // Stages are told by where it was thrown; what was thrown while sending is of production.
    const stage: FailureStage =
      thrownIn === 'processing' && (error instanceof RecordTooLarge || isSerializationError(error))
        ? 'production'
        : thrownIn;
    const offset = queue.columns.offsets[queue.index]!;
    const { topic, partition } = queue;
    const failure = this.describe(error, stage, `The record of ${topic}-${partition} at offset ${offset}`, {
      topic,
      partition,
      offset,
    });
    const timestamp = queue.columns.timestamps[queue.index]!;
    const response = this.askPolicy(stage, failure, { topic, partition, offset, timestamp });
    if (response === 'fail') throw failure;
    if (response !== 'continue') this.sendDeadLetter(queue, failure, stage, response.deadLetterTopic);
    const kind = response === 'continue' ? 'dropped' : 'deadLetter';
    this.parts.dropped.record(this.parts.taskId, failure.code, failure.message, kind);
  }

  /**
   * An alarm or a delivery failed. There is no record to be sent anywhere: a dead-letter policy continues too.
   * @throws MillraceError under the policy `fail`.
   */
  onScope(what: string, timestamp: number, error: unknown): void {
    const stage =
      error instanceof RecordTooLarge || isSerializationError(error) ? 'production' : 'processing';
    const failure = this.describe(error, stage, what, {});
    const { partition } = this.parts;
    const response = this.askPolicy(stage, failure, { topic: '', partition, offset: -1, timestamp });
    if (response === 'fail') throw failure;
    this.parts.dropped.record(this.parts.taskId, failure.code, failure.message);
  }

  describe(
    error: unknown,
    stage: FailureStage,
    what: string,
    where: Readonly<Record<string, unknown>>,
  ): MillraceError {
    const node = this.parts.locate(error);
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
      remedy: `Correct the code, or set exceptionHandlers.${stage} to continue or to dead-letter such records.`,
      cause: error,
      context,
    });
  }

  private askPolicy(
    stage: FailureStage,
    error: MillraceError,
    where: {
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
      readonly timestamp: number;
    },
  ): FailureResponse {
    const handler = this.parts.handlers[stage];
    try {
      return handler({ stage, taskId: this.parts.taskId, error, ...where });
    } catch (thrown) {
      this.parts.logger.error(`The ${stage} exception handler threw; the record counts as failed`, {
        error: asError(thrown),
      });
      return 'fail';
    }
  }

  /** Appends the original record with the error in its headers. @throws TopicPending */
  private sendDeadLetter(queue: RecordQueue, error: MillraceError, stage: FailureStage, topic: string): void {
    const { columns, index } = queue;
    const { collector } = this.parts;
    collector.beginRecord();
    try {
      const key = columns.key(index);
      const output = collector.topic(topic).choose(key);
      collector.open(output);
      const append = (withStack: boolean): number => {
        const headers = encodeDeadLetter(
          columns.readHeaders(index),
          error,
          stage,
          { topic: queue.topic, partition: queue.partition, offset: columns.offsets[index]! },
          withStack,
        );
        return output.encoder.append(columns.timestamps[index]!, key, columns.value(index), headers);
      };
      // The headers may take a record over the limit that just fitted without; the stack is the largest of them.
      if (append(true) > collector.recordBytesMax) {
        collector.undoRecord();
        collector.beginRecord();
        collector.open(output);
        collector.checkSize(output, append(false));
      }
    } catch (failure) {
      collector.undoRecord();
      throw failure;
    }
  }
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
