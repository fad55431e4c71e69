// Owns what becomes of a worker that died: replaced, or the end of this client, or of its process; and for how long it is replaced
// again. It starts and stops nothing. Kafka Streams' StreamsUncaughtExceptionHandler (KIP-671) is the same choice: REPLACE_THREAD,
// SHUTDOWN_CLIENT (default, here too), and SHUTDOWN_APPLICATION, which ends every instance; that one is not offered: an instance
// asks its supervisor, not its peers, for its end.
import type { Clock, MillraceError } from '#libs/core';

/**
 * `replace`: a new worker, with the same transactional id, goes on from the committed offsets. `stopClient`: the application ends in
 * ERROR, the process goes on. `stopProcess`: as `stopClient`, then the process exits with code 1, for its supervisor to start anew.
 */
export type WorkerFailureResponse = 'replace' | 'stopClient' | 'stopProcess';

export interface WorkerFailure {
  readonly error: MillraceError;
  /** Workers replaced within `workerReplacementWindowMs` before this failure. */
  readonly replacements: number;
}

/** Decides on one failure. Synchronous; a throw, or an answer that is none of these, counts as `stopClient`. */
export type WorkerFailureHandler = (failure: WorkerFailure) => WorkerFailureResponse;

export interface WorkerFailureConfig {
  /** What becomes of a worker that died. Default `stopClient`. */
  readonly onWorkerFailure: WorkerFailureResponse | WorkerFailureHandler;
  /** Replacements within `workerReplacementWindowMs`, later each time; beyond them the client stops. Default 10. */
  readonly workerReplacementsMax: number;
  /** Default 600,000. */
  readonly workerReplacementWindowMs: number;
}

export interface WorkerFailureVerdict {
  readonly response: WorkerFailureResponse;
  /** Before the replacement starts. */
  readonly pauseMs: number;
  /** Why the worker is not replaced though it was to be; `null`: it is, or was not to be. */
  readonly refusal: string | null;
}

const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

const TWIN = 'another process runs under its name, and a replacement would only end that one';

/** Failures that no worker is replaced after, and why. */
const NEVER_REPLACED: ReadonlyMap<string, string> = new Map([
  ['MILLRACE_PRODUCER_FENCED', TWIN],
  ['MILLRACE_INSTANCE_FENCED', TWIN],
  [
    'MILLRACE_PARTITIONS_MISMATCH',
    'keys are in other partitions than before, and to go on with that is a decision',
  ],
]);

const RESPONSES: ReadonlySet<unknown> = new Set<WorkerFailureResponse>([
  'replace',
  'stopClient',
  'stopProcess',
]);

export function isWorkerFailureResponse(value: unknown): value is WorkerFailureResponse {
  return RESPONSES.has(value);
}

export class WorkerFailurePolicy {
  private readonly config: WorkerFailureConfig;
  private readonly clock: Clock;
  private readonly onHandlerError: (error: unknown) => void;
  /** Monotonic moments of the replacements within the window. */
  private recent: number[] = [];

  constructor(config: WorkerFailureConfig, clock: Clock, onHandlerError: (error: unknown) => void) {
    this.config = config;
    this.clock = clock;
    this.onHandlerError = onHandlerError;
  }

  decide(error: MillraceError): WorkerFailureVerdict {
    const { workerReplacementsMax: max, workerReplacementWindowMs: windowMs } = this.config;
    const now = this.clock.monotonic();
    this.recent = this.recent.filter((at) => now - at < windowMs);
    const replacements = this.recent.length;
    const response = this.ask({ error, replacements });
    if (response !== 'replace') return { response, pauseMs: 0, refusal: null };
    const never = NEVER_REPLACED.get(error.code);
    if (never !== undefined) return refused(never);
    if (replacements >= max) return refused(`${replacements} were replaced within ${windowMs} ms`);
    this.recent.push(now);
    return { response, pauseMs: Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** replacements), refusal: null };
  }

  private ask(failure: WorkerFailure): WorkerFailureResponse {
    const { onWorkerFailure } = this.config;
    if (typeof onWorkerFailure !== 'function') return onWorkerFailure;
    try {
      const response: unknown = onWorkerFailure(failure);
      if (isWorkerFailureResponse(response)) return response;
      this.onHandlerError(new Error(`it answered ${JSON.stringify(response)}`));
    } catch (error) {
      this.onHandlerError(error);
    }
    return 'stopClient';
  }
}

function refused(refusal: string): WorkerFailureVerdict {
  return { response: 'stopClient', pauseMs: 0, refusal };
}
