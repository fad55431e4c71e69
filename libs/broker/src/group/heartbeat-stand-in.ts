// Owns the heartbeats that are sent for an event loop that is blocked: when they begin, what they say, when they end. It runs
// beside the loop, on a clock and connections of its own (libs/kafka gives it a thread), and knows the loop only by a number that
// changes as long as the loop turns.
//
//   loop turns ──half an interval without a turn──► STANDS IN: a heartbeat each interval ──a turn──► loop turns
//                                                      │
//                                                      ├─ maxBlockedMs ──► silent until the next turn
//                                                      └─ the membership is gone ──► silent for good: the member will hear it itself
import type { Clock, Logger, Timer } from '#libs/core';
import { asError } from '#libs/core';
import { Again, Cluster } from '../cluster/index.ts';
import type { HeartbeatCall, HeartbeatWatchOptions } from '../contracts/heartbeat-guard.ts';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure } from '../protocol/errors.ts';
import type { RpcPort } from '../rpc/index.ts';

/** Heartbeats within a session: the loop's own may leave far more often, to hear of rebalances; a blocked loop hears of nothing. */
const BEATS_PER_SESSION = 10;
/** Looks at the loop within an interval. Two intervals after the last heartbeat of the loop, one has left for it. */
const LOOKS_PER_INTERVAL = 4;
const LOOK_MS_MIN = 5;
const LOOK_MS_MAX = 1_000;

export interface StandInParts {
  readonly rpc: RpcPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly requestTimeoutMs: number;
}

export interface StandInSignals {
  /** Another number whenever the loop has turned since. */
  turns(): number;
  /** A heartbeat that left at `sentAt` (monotonic, this clock's) was accepted. */
  onContact(sentAt: number): void;
  /** The loop turns again after it was blocked for so long. `heartbeats`: those sent for it. */
  onResumed(blockedMs: number, heartbeats: number): void;
  /** The loop is blocked for longer than it may be: nothing more is sent until it turns. */
  onGivenUp(blockedMs: number): void;
}

type Intervals = Pick<HeartbeatWatchOptions, 'sessionTimeoutMs' | 'heartbeatIntervalMs'>;

function beatIntervalMs({ sessionTimeoutMs, heartbeatIntervalMs }: Intervals): number {
  return Math.max(heartbeatIntervalMs, sessionTimeoutMs / BEATS_PER_SESSION);
}

/** Milliseconds between two looks at the loop; the loop's own turns should be counted as often. */
export function lookIntervalMs(intervals: Intervals): number {
  return Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, beatIntervalMs(intervals) / LOOKS_PER_INTERVAL));
}

export class HeartbeatStandIn {
  readonly #cluster: Cluster;
  readonly #watches = new Set<Watch>();
  #tried = false;

  constructor(parts: StandInParts) {
    this.#cluster = new Cluster(parts);
  }

  watch(options: HeartbeatWatchOptions, signals: StandInSignals): { end(): void } {
    const watch = new Watch(this.#cluster, options, signals);
    this.#watches.add(watch);
    // Once, so that what is wrong with the way to the brokers shows at the start and not when it is needed.
    watch.start(!this.#tried);
    this.#tried = true;
    return {
      end: () => {
        this.#watches.delete(watch);
        watch.end();
      },
    };
  }

  close(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    this.#cluster.close();
  }
}

class Watch {
  readonly #cluster: Cluster;
  readonly #options: HeartbeatWatchOptions;
  readonly #signals: StandInSignals;
  readonly #lookMs: number;
  readonly #beatMs: number;
  #timer: Timer | undefined;
  #ended = false;
  #turns = 0;
  #lastTurnAt = 0;
  #nextBeatAt = 0;
  #beating = false;
  #sent = 0;
  #call = 0;
  /** Of a streams group, as its coordinator answered last. */
  #memberEpoch = 0;
  #givenUp = false;
  #gone = false;
  #warned = false;

  constructor(cluster: Cluster, options: HeartbeatWatchOptions, signals: StandInSignals) {
    this.#cluster = cluster;
    this.#options = options;
    this.#signals = signals;
    this.#lookMs = lookIntervalMs(options);
    this.#beatMs = beatIntervalMs(options);
  }

  start(beatAtOnce: boolean): void {
    this.#turns = this.#signals.turns();
    this.#lastTurnAt = this.#cluster.clock.monotonic();
    if (beatAtOnce) this.#begin();
    this.#schedule();
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    // A loop that is free again may end the watch before anybody has looked.
    const turns = this.#signals.turns();
    if (turns !== this.#turns) this.#onTurn(turns, this.#cluster.clock.monotonic());
  }

  #schedule(): void {
    this.#timer = this.#cluster.clock.schedule(this.#lookMs, () => {
      this.#look();
      if (!this.#ended) this.#schedule();
    });
  }

  #look(): void {
    const now = this.#cluster.clock.monotonic();
    const turns = this.#signals.turns();
    if (turns !== this.#turns) this.#onTurn(turns, now);
    const blockedMs = now - this.#lastTurnAt;
    if (blockedMs < this.#beatMs / 2 || this.#gone || this.#givenUp) return;
    if (blockedMs >= this.#options.maxBlockedMs) {
      this.#givenUp = true;
      this.#signals.onGivenUp(blockedMs);
      return;
    }
    if (!this.#beating && now >= this.#nextBeatAt) this.#begin();
  }

  #onTurn(turns: number, now: number): void {
    const blockedMs = now - this.#lastTurnAt;
    if (this.#sent > 0 && blockedMs >= this.#options.sessionTimeoutMs) {
      this.#signals.onResumed(blockedMs, this.#sent);
    }
    this.#turns = turns;
    this.#lastTurnAt = now;
    this.#sent = 0;
    this.#givenUp = false;
  }

  #begin(): void {
    this.#beating = true;
    this.#beat()
      .catch((error: unknown) => this.#onFailure(asError(error)))
      .finally(() => {
        this.#beating = false;
      });
  }

  /** A failed try is repeated at the next look: that is soon enough, and no sooner than a broker in trouble can bear. */
  async #beat(): Promise<void> {
    const { clock } = this.#cluster;
    const { groupId, calls, sessionTimeoutMs } = this.#options;
    for (;;) {
      const call = calls[this.#call];
      if (call === undefined) return;
      const sentAt = clock.monotonic();
      const timeoutMs = Math.min(this.#cluster.requestTimeoutMs, Math.max(1, sessionTimeoutMs / 3));
      const outcome = await this.#send(groupId, call, timeoutMs);
      if (this.#ended || outcome instanceof Again) return;
      const code = outcome.answer.errorCode;
      switch (classify(code)) {
        case 'none':
        case 'rebalancing':
          this.#sent++;
          this.#warned = false;
          this.#nextBeatAt = sentAt + this.#beatMs;
          this.#signals.onContact(sentAt);
          return;
        case 'stale-coordinator':
          this.#cluster.coordinators.forget('group', groupId, outcome.nodeId);
          return;
        case 'retriable':
        case 'stale-metadata':
        case 'abortable':
          return;
        case 'generation-lost':
          if (code === KafkaError.ILLEGAL_GENERATION && this.#call + 1 < calls.length) {
            this.#call++;
            continue;
          }
          break;
        default:
      }
      this.#gone = true;
      this.#cluster.logger.debug('No more heartbeats are sent for the event loop', {
        groupId,
        answer: errorName(code),
      });
      return;
    }
  }

  async #send(
    groupId: string,
    call: HeartbeatCall,
    timeoutMs: number,
  ): Promise<{ readonly answer: { readonly errorCode: number }; readonly nodeId: number } | Again> {
    const cluster = this.#cluster;
    if (call.api === 'Heartbeat') {
      return cluster.callCoordinator('group', groupId, call.api, call.request, timeoutMs, 'group');
    }
    const memberEpoch = Math.max(call.request.memberEpoch, this.#memberEpoch);
    const request = { ...call.request, memberEpoch };
    const outcome = await cluster.callCoordinator('group', groupId, call.api, request, timeoutMs, 'group');
    if (!(outcome instanceof Again) && outcome.answer.errorCode === KafkaError.NONE) {
      this.#memberEpoch = outcome.answer.memberEpoch;
    }
    return outcome;
  }

  #onFailure(error: Error): void {
    if (this.#ended || isRpcFailure(error)) return;
    // What trying again hardly mends: the pace of the loop's own heartbeats is enough.
    this.#nextBeatAt = this.#cluster.clock.monotonic() + this.#beatMs;
    if (this.#warned) return;
    this.#warned = true;
    this.#cluster.logger.warn('Heartbeats cannot be sent beside the event loop', {
      groupId: this.#options.groupId,
      error: error.message,
    });
  }
}
