// Owns the heartbeats of one membership, on a lane and a timer of their own: nothing else ever waits for them, nor they for
// anything. It tells what the coordinator said; what to do about it is the member's business.
//
// While user code blocks the event loop no timer fires. A guard, where there is one, sends heartbeats then; the loop's own begin
// again as soon as it is free, and what the coordinator has to say is heard by them.
//
// The session may be over without anybody saying so: when no heartbeat was answered for the session timeout, the group has
// given the partitions away, whatever the coordinator's next answer will be.
import type { Timer } from '#libs/core';
import { Again, Backoff } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { HeartbeatCall, HeartbeatGuard, HeartbeatWatch } from '../contracts/heartbeat-guard.ts';
import type { GroupMetadata } from '../contracts/transactional-writer.ts';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure, refused } from '../protocol/errors.ts';

export interface HeartbeatListener {
  /** The group rebalances: join again. */
  onRebalance(): void;
  /** The group does not know the member or its generation; `memberGone`: not even the member id. */
  onLost(reason: string, memberGone: boolean): void;
  onFailed(error: Error, fenced: boolean): void;
}

export interface HeartbeatOptions {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Until then the guard sends heartbeats for a blocked loop. */
  readonly maxBlockedMs: number;
}

export class Heartbeats {
  readonly #cluster: Cluster;
  #options: HeartbeatOptions;
  readonly #listener: HeartbeatListener;
  readonly #backoff: Backoff;
  readonly #guard: HeartbeatGuard | undefined;
  #watch: HeartbeatWatch | undefined;
  #group: GroupMetadata | undefined;
  #next: Timer | undefined;
  #expiry: Timer | undefined;
  /** Monotonic milliseconds: when the last request left that the coordinator answered. */
  #lastContact = 0;
  /** Answers to an earlier membership are ignored. */
  #run = 0;

  constructor(
    cluster: Cluster,
    options: HeartbeatOptions,
    listener: HeartbeatListener,
    guard?: HeartbeatGuard,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#listener = listener;
    this.#guard = options.maxBlockedMs > 0 ? guard : undefined;
    this.#backoff = new Backoff(cluster.clock);
  }

  /** The coordinator answered a request that left at `sentAt`: the session starts over there. */
  contact(sentAt: number): void {
    if (sentAt > this.#lastContact) this.#lastContact = sentAt;
  }

  /** The interval from the next heartbeat on. */
  pace(heartbeatIntervalMs: number): void {
    this.#options = { ...this.#options, heartbeatIntervalMs };
  }

  /** Is the session over, as far as can be known from here? */
  get expired(): boolean {
    return this.#cluster.clock.monotonic() - this.#contactAt() >= this.#options.sessionTimeoutMs;
  }

  start(group: GroupMetadata): void {
    this.stop();
    this.#group = group;
    this.#watchOver([heartbeatOf(group)]);
    this.#backoff.reset();
    this.#schedule(this.#options.heartbeatIntervalMs);
    this.#scheduleExpiry();
  }

  stop(): void {
    this.#pause();
    this.#contactAt();
    this.#watch?.end();
    this.#watch = undefined;
  }

  /**
   * The next JoinGroup leaves now: the coordinator itself keeps the member alive until it answers. From then on the guard speaks for
   * a loop that is too busy to read the answer, under the generation it leads to: the next one, or the membership is lost anyway.
   */
  joining(): void {
    const group = this.#group;
    this.#pause();
    if (group === undefined) return;
    this.#watchOver([group, { ...group, generationId: group.generationId + 1 }].map(heartbeatOf));
  }

  #pause(): void {
    this.#run++;
    this.#group = undefined;
    this.#next?.cancel();
    this.#expiry?.cancel();
  }

  #watchOver(calls: readonly HeartbeatCall[]): void {
    if (this.#guard === undefined) return;
    this.#contactAt();
    this.#watch?.end();
    const { groupId } = calls[0]!.request;
    this.#watch = this.#guard.watch({ groupId, calls, ...this.#options });
  }

  /** Takes over what the guard achieved. */
  #contactAt(): number {
    if (this.#watch !== undefined) this.contact(this.#watch.lastContact);
    return this.#lastContact;
  }

  #schedule(delayMs: number): void {
    const run = this.#run;
    this.#next = this.#cluster.clock.schedule(delayMs, () => {
      this.#beat(run).catch((error: unknown) => {
        if (run === this.#run) this.#listener.onFailed(error as Error, false);
      });
    });
  }

  #scheduleExpiry(): void {
    const run = this.#run;
    const { sessionTimeoutMs } = this.#options;
    // One at least: fractions of a millisecond may round so that nothing is left and nothing has expired either.
    const delayMs = Math.max(1, this.#contactAt() + sessionTimeoutMs - this.#cluster.clock.monotonic());
    this.#expiry = this.#cluster.clock.schedule(delayMs, () => {
      if (run !== this.#run) return;
      if (!this.expired) this.#scheduleExpiry();
      else
        this.#listener.onLost(
          `no heartbeat was answered for the session timeout of ${sessionTimeoutMs} ms`,
          false,
        );
    });
  }

  async #beat(run: number): Promise<void> {
    const group = this.#group!;
    const sentAt = this.#cluster.clock.monotonic();
    const { groupId } = group;
    const { request } = heartbeatOf(group);
    // One lost answer must leave time for further tries within the session.
    const timeoutMs = Math.min(
      this.#cluster.requestTimeoutMs,
      Math.max(1, this.#options.sessionTimeoutMs / 3),
    );
    let code: number;
    let node: number;
    try {
      const outcome = await this.#cluster.callCoordinator(
        'group',
        groupId,
        'Heartbeat',
        request,
        timeoutMs,
        'group',
      );
      if (run !== this.#run) return;
      if (outcome instanceof Again) {
        this.#retry();
        return;
      }
      code = outcome.answer.errorCode;
      node = outcome.nodeId;
    } catch (error) {
      if (run !== this.#run) return;
      if (!isRpcFailure(error)) throw error;
      this.#retry();
      return;
    }
    this.#onAnswer(code, node, sentAt);
  }

  #onAnswer(code: number, node: number, sentAt: number): void {
    const groupId = this.#group!.groupId;
    switch (classify(code)) {
      case 'none':
        this.#alive(sentAt);
        return;
      case 'rebalancing':
        // The coordinator heard us: the session goes on while we get ready to join.
        this.#alive(sentAt);
        this.#listener.onRebalance();
        return;
      case 'generation-lost':
        this.#listener.onLost(
          `the coordinator answered ${errorName(code)}`,
          code === KafkaError.UNKNOWN_MEMBER_ID,
        );
        return;
      case 'stale-coordinator':
        this.#cluster.coordinators.forget('group', groupId, node);
        this.#retry();
        return;
      case 'retriable':
      case 'stale-metadata':
      case 'abortable':
        this.#retry();
        return;
      case 'instance-fenced':
        this.#listener.onFailed(refused(`Heartbeat of group "${groupId}"`, code, { groupId }), true);
        return;
      default:
        this.#listener.onFailed(refused(`Heartbeat of group "${groupId}"`, code, { groupId }), false);
    }
  }

  #alive(sentAt: number): void {
    this.#backoff.reset();
    this.contact(sentAt);
    this.#schedule(this.#options.heartbeatIntervalMs);
  }

  #retry(): void {
    this.#schedule(Math.min(this.#backoff.next('normal'), this.#options.heartbeatIntervalMs));
  }
}

function heartbeatOf(group: GroupMetadata): Extract<HeartbeatCall, { api: 'Heartbeat' }> {
  const { groupId, generationId, memberId, groupInstanceId } = group;
  return { api: 'Heartbeat', request: { groupId, generationId, memberId, groupInstanceId } };
}
