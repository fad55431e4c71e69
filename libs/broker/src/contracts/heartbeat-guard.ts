// Owns the contract of what keeps a membership alive while the event loop is blocked by the code of a user. It stands in for
// heartbeats that cannot leave; what a coordinator says to a member is still heard, and acted on, by the member alone.
import type { RpcRequests } from '../rpc/index.ts';

/** What a coordinator takes for a sign of life. */
export type HeartbeatApi = 'Heartbeat' | 'StreamsGroupHeartbeat';

export type HeartbeatCall = {
  readonly [K in HeartbeatApi]: { readonly api: K; readonly request: RpcRequests[K] };
}[HeartbeatApi];

export interface HeartbeatWatchOptions {
  readonly groupId: string;
  /**
   * The heartbeat to send. A later one is sent from then on when the coordinator answered ILLEGAL_GENERATION to the one before: while
   * a JoinGroup is under way the coordinator may be a generation ahead of what the blocked loop has read. A member epoch that a streams
   * group answers is the next heartbeat's; that what was assigned with it was not heard is the member's to find out.
   */
  readonly calls: readonly HeartbeatCall[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** A loop that was blocked for longer is given up: a process that hangs must not hold its partitions for ever. Kafka's `max.poll.interval.ms`. */
  readonly maxBlockedMs: number;
}

export interface HeartbeatWatch {
  /** On the client's monotonic clock: when the last heartbeat left that the guard sent and the coordinator accepted. -Infinity: none. */
  readonly lastContact: number;
  end(): void;
}

export interface HeartbeatGuard {
  watch(options: HeartbeatWatchOptions): HeartbeatWatch;
  /** Ends all watches, and whatever runs for them. */
  close(): Promise<void>;
}
