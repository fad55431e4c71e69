// Owns the refusals of queries: what a reader of stores is told, when it may ask again, and whom.
import { MillraceError } from '#libs/core';
import type { MillraceErrorOptions } from '#libs/core';

export interface StoreQueryErrorOptions extends MillraceErrorOptions {
  readonly retryAfterMs?: number | null;
  readonly owner?: string | null;
}

/** A query that was not answered. Nothing was read. */
export class StoreQueryError extends MillraceError {
  /** The same query may be answered after so many milliseconds; `null`: asking again does not help. */
  readonly retryAfterMs: number | null;
  /** `applicationServer` of the instance that answers it, where it is known. */
  readonly owner: string | null;

  constructor({ retryAfterMs = null, owner = null, ...options }: StoreQueryErrorOptions) {
    super(options);
    this.retryAfterMs = retryAfterMs;
    this.owner = owner;
  }
}

const NOT_RUNNING_RETRY_MS = 1_000;
/** A task that moves is open again in well under a second; one that restores takes longer, and says so again. */
const REBALANCING_RETRY_MS = 250;
const STALE_RETRY_MS = 500;

export function storeUnknown(name: string, known: readonly string[]): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_STORE_UNKNOWN',
    message: `The topology has no store "${name}" to query; it has ${known.length === 0 ? 'none' : known.join(', ')}.`,
    remedy: 'Give the store a name where it is made (Materialized.as, Stores), and ask for that name.',
    context: { store: name },
  });
}

export function queryInvalid(
  store: string,
  what: string,
  remedy = 'Correct the query.',
  cause?: unknown,
): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_QUERY_INVALID',
    message: `The query of store "${store}" cannot be answered: ${what}.`,
    remedy,
    context: { store },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function notRunning(store: string, state: string): StoreQueryError {
  const willRun = state === 'CREATED' || state === 'REBALANCING';
  return new StoreQueryError({
    code: 'MILLRACE_STORE_NOT_RUNNING',
    message: `Store "${store}" cannot be read: the application is ${state}.`,
    remedy: willRun
      ? 'Start the application and ask again once it is RUNNING.'
      : 'Ask an instance that runs, or start a new one.',
    retryAfterMs: willRun ? NOT_RUNNING_RETRY_MS : null,
    context: { store, state },
  });
}

/** `partition` null: all of them. */
export function rebalancing(store: string, partition: number | null, why: string): StoreQueryError {
  const part = partition === null ? '' : `Partition ${partition} of `;
  return new StoreQueryError({
    code: 'MILLRACE_STORE_REBALANCING',
    message: `${part}${part === '' ? 'Store' : 'store'} "${store}" cannot be read now: ${why}.`,
    remedy: 'Ask again after the time that retryAfterMs says.',
    retryAfterMs: REBALANCING_RETRY_MS,
    context: { store, partition },
  });
}

export function elsewhere(store: string, partition: number, owner: string | null): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_STORE_ELSEWHERE',
    message: `Partition ${partition} of store "${store}" is not on this instance${owner === null ? '' : ` but on ${owner}`}.`,
    remedy:
      owner === null
        ? 'Set applicationServer on all instances, so that each knows who has what; or query over HTTP, which forwards.'
        : 'Ask the owner, or query over HTTP, which forwards.',
    // The task may be on its way here.
    retryAfterMs: REBALANCING_RETRY_MS,
    owner,
    context: { store, partition, owner },
  });
}

export function tooStale(
  store: string,
  partition: number,
  lag: number | null,
  maxLag: number,
  owner: string | null,
): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_STANDBY_TOO_STALE',
    message: `The standby copy of partition ${partition} of store "${store}" is ${lag === null ? 'behind by an unknown number of records' : `${lag} records behind`}; at most ${maxLag} are allowed.`,
    remedy: 'Ask the active instance, allow a larger maxLag, or ask again later.',
    retryAfterMs: STALE_RETRY_MS,
    owner,
    context: { store, partition, lag, maxLag, owner },
  });
}

/** A change feed whose place is no longer in the changelog. */
export function changesLost(
  store: string,
  partition: number,
  offset: number,
  earliest: number,
): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_CHANGES_LOST',
    message: `The changes of partition ${partition} of store "${store}" are kept from offset ${earliest} on; offset ${offset} was asked for.`,
    remedy: 'Read the store anew, then follow its changes from the positions that the answer names.',
    context: { store, partition, offset, earliest },
  });
}
