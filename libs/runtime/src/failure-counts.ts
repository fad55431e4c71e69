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
