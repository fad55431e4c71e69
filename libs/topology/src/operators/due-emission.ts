// Owns when results that are due go on: with the record that made them due, as in Kafka Streams; when there are too many for one scope, or
// one of them fails in the user's code downstream, in scopes of their own right after it, before the next record.
//
// So a result that cannot be processed costs no record but the first, and not the results behind it: the failure policy passes over it alone.
import type { Site } from './operator.ts';

/** Results in one scope. */
const RESULTS_MAX = 4096;
/** Any time: the alarm is due at once. */
const NOW = -1;

export interface DueResults {
  /** Emits at most so many of the results that are due. @returns there are more. */
  emit(resultsMax: number): boolean;
  /** Takes the next result out without emitting it. */
  drop(): void;
}

/** @returns emits what is due, to be called where something may have become due. */
export function dueEmission(site: Site, results: DueResults): () => void {
  /** The last attempt failed, in the user's code: what is due waits for the alarm. A hint, good to forget. */
  let failed = false;
  /** One by one, to find the result that fails. */
  let single = false;

  const alarm = site.alarm('event', (now, skip) => {
    if (skip === true) {
      if (single) results.drop();
      single = !single;
      return now;
    }
    const more = results.emit(single ? 1 : RESULTS_MAX);
    if (more) return now;
    failed = false;
    single = false;
    return Infinity;
  });

  return () => {
    if (failed) {
      alarm.due(NOW);
      return;
    }
    try {
      if (results.emit(RESULTS_MAX)) alarm.due(NOW);
    } catch (error) {
      // A look-up that missed is made good, and then all is as it was.
      if ((error as { readonly name?: unknown } | null)?.name !== 'StateMiss') failed = true;
      throw error;
    }
  };
}
