// Owns one membership in a consumer group (classic protocol): when to join, what generation it is in, when that is over.
// It never touches tasks, positions or commits: those are the handler's.
//
//   UNJOINED ──start──► JOINING ──► SYNCING ──► STABLE ──rebalance──► JOINING
//                          ▲           │           │
//                          └──────── LOST ◄────────┘ unknown member, session gone, illegal or missed generation
//   any ──leave──► LEFT        fenced instance, authorisation, a handler that throws ──► FAILED
//
// 1. One loop joins, syncs and hands out; the handler's hooks never overlap each other.
// 2. Heartbeats run beside it, from an assignment on until the next JoinGroup leaves: also while hooks run. While JoinGroup
//    or SyncGroup is pending the coordinator itself keeps the member alive.
// 3. `metadata` is the newest generation the coordinator named, from JoinGroup's answer on: it accepts no older one then.
// 4. After a loss the handler hears `onLost` before it is asked to join again.
// 5. A generation was missed when JoinGroup answers one beyond the next: somebody joined for us and was told what we were not, as
//    with static members, or a lost answer hid it. That is a loss. The round ends there and the next one claims nothing:
//    the subscription already sent claims partitions that may be another's, so its assignment is of no use.
import { asError, MillraceError } from '#libs/core';
import type { Cluster } from '../cluster/index.ts';
import type {
  GroupMember,
  GroupMemberHandler,
  GroupMemberOptions,
  GroupMemberState,
  Subscription,
} from '../contracts/group-member.ts';
import type { HeartbeatGuard } from '../contracts/heartbeat-guard.ts';
import type { GroupMetadata } from '../contracts/transactional-writer.ts';
import { Heartbeats } from './heartbeats.ts';
import { JoinWatch } from './join-watch.ts';
import { assignAsLeader, instanceFenced, joinGroup, syncGroup } from './join-round.ts';
import type { JoinContext, JoinSettings } from './join-round.ts';

const SESSION_TIMEOUT_MS_DEFAULT = 45_000;
const HEARTBEAT_INTERVAL_MS_DEFAULT = 3_000;
const REBALANCE_TIMEOUT_MS_DEFAULT = 300_000;
/** Kafka's `max.poll.interval.ms`. */
const MAX_BLOCKED_MS_DEFAULT = 300_000;
const PROTOCOL_NAME_DEFAULT = 'millrace';
/** How long `leave` waits for the coordinator: the session timeout does the same later. */
const LEAVE_MS = 5_000;

interface Loss {
  readonly reason: string;
}

export class KafkaGroupMember implements GroupMember {
  readonly #cluster: Cluster;
  readonly #settings: JoinSettings;
  readonly #handler: GroupMemberHandler;
  readonly #heartbeats: Heartbeats;

  #state: GroupMemberState = 'UNJOINED';
  #memberId = '';
  #metadata: GroupMetadata | null = null;
  #rejoinReason: string | undefined;
  #loss: Loss | undefined;
  #losses = 0;
  /** A JoinGroup is under way. */
  #asking = false;
  /** Of the JoinGroup under way. */
  #joinWatch: JoinWatch | null = null;
  /** Who waits for its answer. */
  #awaitingGeneration: (() => void)[] = [];
  /** Wakes the loop while it is STABLE. */
  #wake: (() => void) | undefined;

  constructor(
    cluster: Cluster,
    options: GroupMemberOptions,
    handler: GroupMemberHandler,
    guard?: HeartbeatGuard,
  ) {
    this.#cluster = cluster;
    this.#handler = handler;
    this.#settings = {
      groupId: options.groupId,
      groupInstanceId: options.groupInstanceId ?? null,
      sessionTimeoutMs: options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS_DEFAULT,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? REBALANCE_TIMEOUT_MS_DEFAULT,
      protocolName: options.protocolName ?? PROTOCOL_NAME_DEFAULT,
    };
    const heartbeatIntervalMs = options.heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS_DEFAULT;
    validate(this.#settings, heartbeatIntervalMs);
    const { sessionTimeoutMs } = this.#settings;
    const maxBlockedMs = options.maxBlockedMs ?? MAX_BLOCKED_MS_DEFAULT;
    this.#heartbeats = new Heartbeats(
      cluster,
      { sessionTimeoutMs, heartbeatIntervalMs, maxBlockedMs },
      {
        onRebalance: () => this.requestRejoin('the group is rebalancing'),
        onLost: (reason, memberGone) => this.#lose(reason, memberGone),
        onFailed: (error, fenced) =>
          this.#fail(
            fenced ? instanceFenced(this.#settings, `Heartbeat of "${this.#settings.groupId}"`) : error,
          ),
      },
      guard,
    );
  }

  get state(): GroupMemberState {
    return this.#state;
  }

  get metadata(): GroupMetadata | null {
    return this.#metadata;
  }

  get rebalancing(): boolean {
    if (this.#state === 'STABLE') return this.#rejoinReason !== undefined;
    return this.#state === 'JOINING' || this.#state === 'SYNCING' || this.#state === 'LOST';
  }

  get losses(): number {
    return this.#losses;
  }

  async renewed(refused: GroupMetadata): Promise<GroupMetadata | null> {
    const losses = this.#losses;
    if (this.#metadata?.memberId !== refused.memberId) return null;
    // The coordinator has begun a generation that its answer to the join, still on its way, will name.
    if (this.#metadata.generationId === refused.generationId && this.#asking) {
      this.#joinWatch?.wasAnswered();
      await new Promise<void>((resolve) => this.#awaitingGeneration.push(resolve));
    }
    const now = this.#metadata;
    if (this.#losses !== losses || now === null || now.generationId <= refused.generationId) return null;
    return now;
  }

  paceHeartbeats(intervalMs: number): void {
    this.#heartbeats.pace(Math.min(intervalMs, this.#settings.sessionTimeoutMs / 3));
  }

  start(): void {
    if (this.#state !== 'UNJOINED') return;
    this.#state = 'JOINING';
    this.#rejoinReason = 'the member starts';
    this.#run().catch((error: unknown) => this.#fail(asError(error)));
  }

  requestRejoin(reason: string): void {
    if (this.#ended || this.#state === 'UNJOINED') return;
    // The first reason stands: the round that answers it answers all.
    this.#rejoinReason ??= reason;
    this.#wakeLoop();
  }

  /** Ends without a word to the group: the client is closed. The group finds out when the session is over. */
  abandon(): void {
    if (!this.#ended) this.#end('LEFT');
  }

  async leave(reason: string, permanently = false): Promise<void> {
    const joined = this.#memberId !== '' || this.#settings.groupInstanceId !== null;
    const silent = this.#settings.groupInstanceId !== null && !permanently;
    const before = this.#state;
    if (before === 'LEFT') return;
    this.#end('LEFT');
    if (before === 'UNJOINED' || before === 'FAILED' || !joined || silent) return;
    const { groupId, groupInstanceId } = this.#settings;
    // A static member is named by its instance: its member id may have changed with a restart.
    const memberId = groupInstanceId === null ? this.#memberId : '';
    const request = { groupId, members: [{ memberId, groupInstanceId, reason }] };
    try {
      await this.#cluster.callCoordinator('group', groupId, 'LeaveGroup', request, LEAVE_MS, 'group');
    } catch (error) {
      this.#cluster.logger.debug('The group was not told of the leave', {
        groupId,
        error: asError(error).message,
      });
    }
  }

  // --- the loop ----------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    while (!this.#ended) {
      if (this.#loss !== undefined) await this.#tellLoss(this.#loss);
      if (this.#ended) return;
      if (!(await this.#round())) continue;
      await this.#untilNeeded();
    }
  }

  /** One join. True when it ended in an assignment. */
  async #round(): Promise<boolean> {
    this.#state = 'JOINING';
    const reason = this.#rejoinReason ?? 'the last round failed';
    const subscription = await this.#handler.beforeJoin();
    // What the hook answered describes a membership that is gone: told of the loss, it is asked again.
    if (this.#ended || this.#loss !== undefined) return false;
    // Asked for before this point, this round answers it.
    this.#rejoinReason = undefined;
    this.#heartbeats.joining();
    const context = this.#context(reason);
    this.#asking = true;
    const joined = await joinGroup(this.#cluster, this.#settings, context, subscription);
    this.#asking = false;
    this.#joinWatch = null;
    if (joined.kind !== 'joined') return this.#onSetback(joined);
    this.#memberId = joined.answer.memberId;
    const missed = missedGeneration(context.generationId, joined.answer.generationId);
    if (missed !== undefined) return this.#onSetback({ kind: 'lost', reason: missed, memberGone: false });
    this.#metadata = this.#metadataOf(joined.answer.generationId);
    this.#tellGeneration();
    this.#state = 'SYNCING';
    this.#heartbeats.start(this.#metadata);
    const assignments = await assignAsLeader(this.#handler, joined.answer);
    if (this.#ended || this.#loss !== undefined) return false;
    const synced = await syncGroup(this.#cluster, this.#settings, context, joined.answer, assignments);
    if (this.#loss !== undefined) return false;
    if (synced.kind !== 'synced') return this.#onSetback(synced);
    this.#state = 'STABLE';
    this.#logJoined(subscription, reason);
    await this.#handler.onAssigned(synced.assignment, this.#metadata);
    return true;
  }

  #onSetback(
    setback:
      | { kind: 'lost'; reason: string; memberGone: boolean }
      | { kind: 'failed'; error: Error }
      | { kind: 'cancelled' | 'rejoin' },
  ): boolean {
    if (setback.kind === 'lost') this.#lose(setback.reason, setback.memberGone);
    else if (setback.kind === 'failed') this.#fail(setback.error);
    this.#tellGeneration();
    return false;
  }

  /** STABLE until somebody asks to join, or the membership is lost. */
  #untilNeeded(): Promise<void> {
    if (this.#ended || this.#loss !== undefined || this.#rejoinReason !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #tellLoss(loss: Loss): Promise<void> {
    await this.#handler.onLost(loss.reason);
    this.#loss = undefined;
  }

  /** The join is answered, or never will be. */
  #tellGeneration(): void {
    for (const resolve of this.#awaitingGeneration.splice(0)) resolve();
  }

  #wakeLoop(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  // --- transitions -------------------------------------------------------------------------------------------

  #lose(reason: string, memberGone: boolean): void {
    if (this.#ended || this.#loss !== undefined) return;
    this.#heartbeats.stop();
    this.#state = 'LOST';
    this.#losses++;
    this.#metadata = null;
    this.#tellGeneration();
    this.#rejoinReason ??= reason;
    this.#loss = { reason };
    if (memberGone) this.#memberId = '';
    this.#cluster.logger.warn('The group membership was lost', { groupId: this.#settings.groupId, reason });
    this.#wakeLoop();
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#end('FAILED');
    this.#handler.onFailed(error);
  }

  #end(state: 'LEFT' | 'FAILED'): void {
    this.#state = state;
    this.#metadata = null;
    this.#joinWatch?.end();
    this.#tellGeneration();
    this.#heartbeats.stop();
    this.#wakeLoop();
  }

  get #ended(): boolean {
    return this.#state === 'LEFT' || this.#state === 'FAILED';
  }

  #context(reason: string): JoinContext {
    return {
      memberId: this.#memberId,
      generationId: this.#metadata?.generationId ?? -1,
      reason,
      cancelled: () => this.#ended || this.#loss !== undefined,
      expired: () => this.#heartbeats.expired,
      onMemberId: (memberId) => {
        this.#memberId = memberId;
      },
      onContact: (sentAt) => this.#heartbeats.contact(sentAt),
      watch: () => this.#watchJoin(),
    };
  }

  #watchJoin(): JoinWatch | null {
    const group = this.#metadata;
    if (group === null) return null;
    const { sessionTimeoutMs } = this.#settings;
    const onContact = (sentAt: number): void => this.#heartbeats.contact(sentAt);
    this.#joinWatch = new JoinWatch({ cluster: this.#cluster, group, sessionTimeoutMs, onContact });
    return this.#joinWatch;
  }

  #metadataOf(generationId: number): GroupMetadata {
    const { groupId, groupInstanceId } = this.#settings;
    return { groupId, generationId, memberId: this.#memberId, groupInstanceId };
  }

  #logJoined(subscription: Subscription, reason: string): void {
    this.#cluster.logger.info('Joined the group', {
      groupId: this.#settings.groupId,
      generationId: this.#metadata?.generationId,
      memberId: this.#memberId,
      topics: subscription.topics.length,
      reason,
    });
  }
}

/**
 * Why work read under `before` is lost when the coordinator now names `now`; undefined when it is not. The same generation
 * again is none missed: a coordinator answers so where nothing changed. -1: nothing was owned.
 */
function missedGeneration(before: number, now: number): string | undefined {
  if (before < 0 || now === before || now === before + 1) return undefined;
  return `the group went from generation ${before} to ${now} without this member`;
}

function validate(settings: JoinSettings, heartbeatIntervalMs: number): void {
  const problem =
    settings.groupId === ''
      ? '`groupId` is empty'
      : heartbeatIntervalMs * 3 > settings.sessionTimeoutMs
        ? `\`heartbeatIntervalMs\` of ${heartbeatIntervalMs} is more than a third of \`sessionTimeoutMs\` (${settings.sessionTimeoutMs})`
        : undefined;
  if (problem === undefined) return;
  throw new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The group options are not usable: ${problem}.`,
    remedy: 'Heartbeats should leave at least three times within a session.',
    context: { groupId: settings.groupId },
  });
}
