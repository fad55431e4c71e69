// Owns what of a source topic belongs into a store that has this topic as its changelog: what the task made of its records when it read
// them. Those without a key and those that cannot be decoded were left out, timestamps went through the extractor, and nothing
// behind the committed input offset was seen (KAFKA-8755). It reads nothing and writes nothing.
import type { RecordColumns } from '#libs/broker';
import { FatalError, asError } from '#libs/core';
import type { Logger } from '#libs/core';
import { SchemaPending, compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { RestoreBatch } from '#libs/state';
import type { FailurePolicy, FinalPolicy, SourceSpec } from '#libs/topology';
import type { ExceptionHandler } from './failure-policy.ts';
import { invalidTimestamp } from './record-timestamp.ts';

export interface SourceTopicParts {
  readonly taskId: string;
  readonly source: SourceSpec;
  readonly topic: string;
  readonly partition: number;
  readonly deserialization: ExceptionHandler;
  readonly logger: Logger;
}

export class SourceTopicRestore {
  private readonly parts: SourceTopicParts;
  private readonly keyCodec: Codec<unknown>;
  private readonly valueCodec: Codec<unknown>;
  private partitionTime = -1;

  constructor(parts: SourceTopicParts) {
    this.parts = parts;
    this.keyCodec = compileCodec(parts.source.keySerde);
    this.valueCodec = compileCodec(parts.source.valueSerde);
  }

  /** The records below `endOffset` as the store takes them. @throws SchemaPending nothing is done yet; FatalError under the policy `fail`. */
  select(columns: RecordColumns, endOffset: number): RestoreBatch {
    const capacity = columns.count;
    const keyStart = new Int32Array(capacity);
    const keyEnd = new Int32Array(capacity);
    const valueStart = new Int32Array(capacity);
    const valueEnd = new Int32Array(capacity);
    const timestamps = new Float64Array(capacity);
    let { partitionTime } = this;
    let count = 0;
    for (let i = 0; i < capacity; i++) {
      if (columns.offsets[i]! >= endOffset) break;
      if (columns.keyStart[i]! < 0) continue;
      const timestamp = this.timestampOf(columns, i, partitionTime);
      if (timestamp === null) continue;
      if (timestamp > partitionTime) partitionTime = timestamp;
      keyStart[count] = columns.keyStart[i]!;
      keyEnd[count] = columns.keyEnd[i]!;
      valueStart[count] = columns.valueStart[i]!;
      valueEnd[count] = columns.valueEnd[i]!;
      timestamps[count] = timestamp;
      count++;
    }
    this.partitionTime = partitionTime;
    return { count, bytes: columns.bytes, keyStart, keyEnd, valueStart, valueEnd, timestamps };
  }

  /** `null`: the record was left out. */
  private timestampOf(columns: RecordColumns, i: number, partitionTime: number): number | null {
    const recordTimestamp = columns.timestamps[i]!;
    const extractor = this.parts.source.timestampExtractor;
    try {
      const key = this.keyCodec.fromBinary(columns.key(i)!, columns.asciiKeys);
      const rawValue = columns.value(i);
      const value = rawValue === null ? null : this.valueCodec.fromBinary(rawValue, columns.asciiValues);
      const timestamp =
        extractor === null ? recordTimestamp : extractor(value, key, recordTimestamp, partitionTime);
      if (!(timestamp >= 0)) throw invalidTimestamp(timestamp);
      return timestamp;
    } catch (error) {
      if (error instanceof SchemaPending) throw error;
      this.askPolicy(columns.offsets[i]!, recordTimestamp, error);
      return null;
    }
  }

  private askPolicy(offset: number, timestamp: number, cause: unknown): void {
    const { taskId, topic, partition, deserialization, logger } = this.parts;
    const error = new FatalError({
      code: 'MILLRACE_DESERIALIZATION_FAILED',
      message: `The record of ${topic}-${partition} at offset ${offset} cannot be decoded, and a store is restored from it: ${asError(cause).message}.`,
      remedy:
        'Correct the serde, or set exceptionHandlers.deserialization as it was when the record was read.',
      cause,
      context: { taskId, topic, partition, offset },
    });
    const failure = { stage: 'deserialization', taskId, error, topic, partition, offset, timestamp } as const;
    // As it was left out when it was read: where a policy retries, by what it does then.
    const last = lastOf(this.parts.source.failurePolicy ?? null);
    if ((last === null ? deserialization(failure) : last.kind) === 'fail') throw error;
    logger.warn(`Left out of a restore: ${error.message}`, error.context);
  }
}

/** What a policy ends with; `null`: the application's handler decides. */
function lastOf(policy: FailurePolicy | null): FinalPolicy | null {
  if (policy === null) return null;
  return policy.kind === 'retry' || policy.kind === 'retryTopics' ? lastOf(policy.then) : policy;
}
