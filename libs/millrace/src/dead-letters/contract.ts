// Owns the shapes of what is asked of a dead-letter topic and what it answers.
import type { Clock, Logger, RecordHeader } from '#libs/core';
import type { KafkaConnection } from '../connect.ts';

export interface DeadLetterTopic {
  readonly kafka: KafkaConnection;
  /** Whose dead letters they are: what was put back is noted in the group `<application.id>-dlq-redrive`. */
  readonly applicationId: string;
  readonly topic: string;
  readonly logger?: Logger | undefined;
  /** Ends it after what is under way; what was put back by then stands. */
  readonly signal?: AbortSignal | undefined;
  /** Default the system's. */
  readonly clock?: Clock | undefined;
}

/** Where a dead letter lay at first. */
export interface DeadLetterOrigin {
  readonly topic: string;
  readonly partition: number;
  /** -1: not known. */
  readonly offset: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** A dead letter with what its headers say. `null`: they do not. */
export interface DeadLetter {
  /** Of the dead-letter topic. */
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's own, as it had them at first. */
  readonly headers: readonly RecordHeader[];
  readonly origin: DeadLetterOrigin | null;
  readonly code: string | null;
  readonly exception: string | null;
  readonly message: string | null;
  readonly stacktrace: string | null;
  /** `deserialization`, `processing` or `production`. */
  readonly stage: string | null;
  readonly node: string | null;
  readonly attempts: number | null;
  /** When it failed, milliseconds since the Unix epoch. */
  readonly failedAt: number | null;
  /** How often it was put back before. */
  readonly redrives: number;
}

/** What is meant; all that is given must hold. Empty: every dead letter that was not put back yet. */
export interface DeadLetterFilter {
  readonly codes?: readonly string[] | undefined;
  /** Names of what was thrown, such as `TypeError`. */
  readonly exceptions?: readonly string[] | undefined;
  /** Topics that the records came from. */
  readonly origins?: readonly string[] | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly nodes?: readonly string[] | undefined;
  /** Of the dead-letter topic. */
  readonly partitions?: readonly number[] | undefined;
  /** Offsets of the dead-letter topic: from the first to before the second. */
  readonly offsets?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
  /** When they failed, milliseconds since the Unix epoch; of dead letters that do not say it the record's timestamp. */
  readonly failed?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
  /** The record's key: text as UTF-8, or bytes. */
  readonly key?: string | Uint8Array | undefined;
  readonly where?: ((letter: DeadLetter) => boolean) | undefined;
}

/**
 * Why a dead letter is not put back: it does not say where it came from; its topic or partition is gone; it came from a topic of Kafka's own, or from the
 * dead-letter topic itself; it was put back as often as is allowed.
 */
export type RedriveRefusal = 'noOrigin' | 'topicGone' | 'partitionGone' | 'forbiddenTopic' | 'tooOften';

export interface RedriveOptions extends DeadLetterTopic {
  readonly filter?: DeadLetterFilter | undefined;
  /** True: nothing is written; the report says what would be. */
  readonly dryRun?: boolean | undefined;
  /** Records at most. */
  readonly limit?: number | undefined;
  /** Records a second at most. */
  readonly rate?: number | undefined;
  /** A record that was put back so often already is refused. Default: no bound. */
  readonly redrivesMax?: number | undefined;
  /** True: they are not put back, and count as dealt with. */
  readonly discard?: boolean | undefined;
  /** Records in one transaction. Default 500. */
  readonly batchRecords?: number | undefined;
  readonly transactionTimeoutMs?: number | undefined;
  readonly onProgress?: ((report: RedriveReport) => void) | undefined;
}

export interface RedriveReport {
  /** Put back and committed; under `dryRun` would be. Under `discard`: dealt with. */
  readonly redriven: number;
  /** Dead letters that were not dealt with before and are not meant by the filter. */
  readonly filtered: number;
  /** Put back, or discarded, by earlier runs, and looked at again by this one: those above what the group has committed. */
  readonly before: number;
  readonly refused: Readonly<Record<RedriveRefusal, number>>;
  /** Records put back, by topic. */
  readonly byTopic: Readonly<Record<string, number>>;
  /** Everything the topic held at the start was looked at: neither `limit` nor `signal` ended it. */
  readonly complete: boolean;
}

export interface DeadLetterSummary {
  /** Not dealt with yet. */
  readonly pending: number;
  /** Put back or discarded. */
  readonly done: number;
  readonly byCode: Readonly<Record<string, number>>;
  readonly byException: Readonly<Record<string, number>>;
  readonly byOrigin: Readonly<Record<string, number>>;
  readonly byNode: Readonly<Record<string, number>>;
  /** Of those pending: when the first and the last failed; `null`: there is none. */
  readonly oldest: number | null;
  readonly newest: number | null;
}
