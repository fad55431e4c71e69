// Owns the counts of what became of failed records in one worker.

export interface FailureFigures {
  /** Tries in place after a failure, the waiting ones included. */
  readonly retriedInPlace: number;
  /** Records sent to a retry topic; one that goes through three counts three times. */
  readonly sentToRetryTopics: number;
  /** Records tried again out of a retry topic. */
  readonly takenFromRetryTopics: number;
  readonly deadLettered: number;
  /** Left out by policy or handler. */
  readonly skipped: number;
}

/** What waits to be tried again. */
export interface WaitingFailures {
  /** Tasks that wait before they try a record again where it is. */
  readonly waiting: readonly string[];
  /** Partitions of retry topics whose next record is not due yet: at `dueAt`, milliseconds since the Unix epoch. */
  readonly delayed: readonly { readonly topic: string; readonly partition: number; readonly dueAt: number }[];
}

export class FailureCounts {
  retriedInPlace = 0;
  sentToRetryTopics = 0;
  takenFromRetryTopics = 0;
  deadLettered = 0;
  skipped = 0;

  get figures(): FailureFigures {
    const { retriedInPlace, sentToRetryTopics, takenFromRetryTopics, deadLettered, skipped } = this;
    return { retriedInPlace, sentToRetryTopics, takenFromRetryTopics, deadLettered, skipped };
  }
}

export const NOTHING_WAITS: WaitingFailures = { waiting: [], delayed: [] };

export const NO_FAILURES: FailureFigures = new FailureCounts().figures;

export function addFailures(a: FailureFigures, b: FailureFigures): FailureFigures {
  return {
    retriedInPlace: a.retriedInPlace + b.retriedInPlace,
    sentToRetryTopics: a.sentToRetryTopics + b.sentToRetryTopics,
    takenFromRetryTopics: a.takenFromRetryTopics + b.takenFromRetryTopics,
    deadLettered: a.deadLettered + b.deadLettered,
    skipped: a.skipped + b.skipped,
  };
}
