// Owns one membership in a group whose tasks the broker assigns (KIP-1071): when to join, what it is assigned, what it says it owns,
// when that is over. It never touches tasks, positions or commits: those are the handler's. The states are drawn at its contract.
//
// 1. One loop sends heartbeats, one at a time, and hears the answers. Reconciliation runs beside it: a hook may take as long as it
//    likes, and is not called again before it has resolved.
// 2. What is owned is said once a hook has resolved, at once, and again after every answer that was lost.
// 3. The coordinator sends an assignment in the answer that changes it and never again, not even under a new epoch. So an answer that
//    was lost leaves a doubt, which the next one does not lift unless it carries an assignment: the group is described then. And the
//    heartbeat itself may be late rather than lost, and change the assignment when nobody listens: so for a while it is described again.
// 4. What it says to own is never less than the handler may hold: what is not named is given to others. So it includes what a hook
//    that runs is taking.
// 5. Joining again (epoch 0) says that nothing is owned. So it is done after a loss alone, when the handler has dropped everything.
import { asError, parseTaskId } from '#libs/core';
import type { Timer } from '#libs/core';
import { Again, Backoff } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { HeartbeatGuard, HeartbeatWatch } from '../contracts/heartbeat-guard.ts';
import type {
  StreamsGroupMember,
  StreamsGroupMemberHandler,
  StreamsGroupMemberOptions,
  StreamsGroupMemberState,
  StreamsTasks,
} from '../contracts/streams-group-member.ts';
import type { GroupMetadata } from '../contracts/transactional-writer.ts';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure, refused } from '../protocol/errors.ts';
import type { StreamsGroupHeartbeatAnswer, StreamsGroupStatus } from '../rpc/index.ts';
import { describeStreamsGroup } from './describe.ts';
import {
  ENDPOINTS_UNKNOWN,
  EPOCH_JOIN,
  heartbeatRequest,
  joinRequest,
  leaveRequest,
} from './heartbeat-request.ts';
import { randomId, validateSettings } from './member-settings.ts';
import type { StreamsMemberSettings } from './member-settings.ts';
import { heartbeatRefused, isReady, statusFailure, StreamsStatus } from './refusals.ts';
import { NO_TASKS, endpointPartitions, sameTasks, streamsTasks, unionOf } from './tasks.ts';

const SESSION_TIMEOUT_MS_DEFAULT = 45_000;
const REBALANCE_TIMEOUT_MS_DEFAULT = 300_000;
/** Kafka's `max.poll.interval.ms`. */
const MAX_BLOCKED_MS_DEFAULT = 300_000;
/** Until the first answer names another. */
const HEARTBEAT_INTERVAL_MS_DEFAULT = 5_000;
/** For so many session timeouts a heartbeat that was not answered may still reach the coordinator. */
const LATE_SESSIONS = 3;
/** How often the group is described in each of them. */
const LOOKS_PER_SESSION = 3;
/** How long `leave` waits for the coordinator: the session timeout does the same later. */
const LEAVE_MS = 5_000;

/** When the next heartbeat is due, after one that went as it should or did not. */
type Pace = 'interval' | 'backoff';

export class KafkaStreamsGroupMember implements StreamsGroupMember {
  readonly memberId: string;
  statuses: readonly StreamsGroupStatus[] = [];

  readonly #cluster: Cluster;
  readonly #settings: StreamsMemberSettings;
  readonly #sessionTimeoutMs: number;
  readonly #intervalMsMax: number;
  /** The member id is the caller's, so it outlives the process. */
  readonly #lasting: boolean;
  readonly #handler: StreamsGroupMemberHandler;
  readonly #backoff: Backoff;

  #state: StreamsGroupMemberState = 'UNJOINED';
  #epoch = EPOCH_JOIN;
  #endpointEpoch = ENDPOINTS_UNKNOWN;
  #intervalMs = HEARTBEAT_INTERVAL_MS_DEFAULT;
  /** Monotonic milliseconds: when the last request left that the coordinator answered. */
  #lastContact = 0;
  /** What the group assigned last; null: nothing since it was joined. */
  #target: StreamsTasks | null = null;
  /** What the handler holds, as of its last hook. */
  #owned: StreamsTasks = NO_TASKS;
  /** What a hook that runs is to take. */
  #taking: StreamsTasks | null = null;
  /** What of it the coordinator has heard; null: not sure. */
  #told: StreamsTasks | null = null;
  /** An answer was lost, and an assignment may have been in it. */
  #doubt = false;
  /** Monotonic milliseconds until which a heartbeat may arrive that was given up here, and when to look next whether one did. */
  #lateUntil = -Infinity;
  #nextLook = -Infinity;
  #ready = true;
  #topicsMissingSince: number | null = null;
  #shutdown: 'no' | 'asked' | 'told' = 'no';

  #loss: { readonly reason: string; readonly asked: boolean } | undefined;
  #losses = 0;
  #reconciliation: Promise<void> | undefined;
  #inFlight: Promise<unknown> | undefined;
  #sent = false;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;
  readonly #maxBlockedMs: number;
  readonly #guard: HeartbeatGuard | undefined;
  #watch: HeartbeatWatch | undefined;
  #watchedEpoch = EPOCH_JOIN;
  /** Its last contact that this member knows of. */
  #guardContact = -Infinity;

  constructor(
    cluster: Cluster,
    options: StreamsGroupMemberOptions,
    handler: StreamsGroupMemberHandler,
    guard?: HeartbeatGuard,
  ) {
    this.#maxBlockedMs = options.maxBlockedMs ?? MAX_BLOCKED_MS_DEFAULT;
    this.#guard = this.#maxBlockedMs > 0 ? guard : undefined;
    this.#cluster = cluster;
    this.#handler = handler;
    this.#backoff = new Backoff(cluster.clock);
    this.#lasting = options.memberId !== undefined;
    this.memberId = options.memberId ?? randomId(() => cluster.clock.random());
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS_DEFAULT;
    this.#intervalMsMax = options.heartbeatIntervalMs ?? Infinity;
    this.#settings = {
      groupId: options.groupId,
      memberId: this.memberId,
      processId: options.processId,
      topology: options.topology,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? REBALANCE_TIMEOUT_MS_DEFAULT,
      rackId: options.rackId ?? null,
      userEndpoint: options.userEndpoint ?? null,
      clientTags: options.clientTags ?? {},
    };
    validateSettings(this.#settings);
  }

  get state(): StreamsGroupMemberState {
    return this.#state;
  }

  get metadata(): GroupMetadata | null {
    if (this.#epoch <= 0 || this.#loss !== undefined || this.#ended) return null;
    const { groupId } = this.#settings;
    return { groupId, generationId: this.#epoch, memberId: this.memberId, groupInstanceId: null };
  }

  get rebalancing(): boolean {
    return this.#state === 'JOINING' || this.#state === 'RECONCILING' || this.#state === 'LOST';
  }

  get losses(): number {
    return this.#losses;
  }

  async renewed(refused: GroupMetadata): Promise<GroupMetadata | null> {
    const losses = this.#losses;
    if (refused.memberId !== this.memberId) return null;
    // The coordinator may have begun an epoch that its answer, still on its way, will name.
    if (this.metadata?.generationId === refused.generationId) await this.#inFlight?.catch(() => undefined);
    const now = this.metadata;
    if (this.#losses !== losses || now === null || now.generationId <= refused.generationId) return null;
    return now;
  }

  start(): void {
    if (this.#state !== 'UNJOINED') return;
    this.#state = 'JOINING';
    this.#lastContact = this.#cluster.clock.monotonic();
    this.#run().catch((error: unknown) => this.#fail(asError(error)));
  }

  requestRejoin(reason: string): void {
    if (this.#state === 'UNJOINED') return;
    this.#lose(reason, true);
  }

  requestShutdown(): void {
    if (this.#shutdown === 'no') this.#shutdown = 'asked';
    this.#wakeLoop();
  }

  /** Ends without a word to the group: the client is closed. The group finds out when the session is over. */
  abandon(): void {
    if (!this.#ended) this.#end('LEFT');
  }

  async leave(reason: string, permanently = false): Promise<void> {
    const before = this.#state;
    if (before === 'LEFT') return;
    const { groupId } = this.#settings;
    this.#end('LEFT');
    if (!this.#sent || before === 'FAILED' || (this.#lasting && !permanently)) return;
    // A join that is under way would come after the leave, and stay.
    await this.#inFlight?.catch(() => undefined);
    try {
      const request = leaveRequest(this.#settings, this.#shutdown === 'asked');
      this.#cluster.logger.debug('Leaving the group', { groupId, reason });
      await this.#cluster.callCoordinator(
        'group',
        groupId,
        'StreamsGroupHeartbeat',
        request,
        LEAVE_MS,
        'group',
      );
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
      if (this.#loss !== undefined) {
        await this.#settleLoss(this.#loss);
        continue;
      }
      const beat = this.#beat();
      this.#inFlight = beat;
      const pace = await beat;
      this.#inFlight = undefined;
      if (this.#ended || this.#loss !== undefined) continue;
      if (pace === 'interval' && this.#hasNews) continue;
      await this.#pause(
        pace === 'interval' ? this.#intervalMs : Math.min(this.#backoff.next('normal'), this.#intervalMs),
        pace,
      );
    }
  }

  /** Something that the coordinator should hear at once. */
  get #hasNews(): boolean {
    if (this.#epoch <= 0) return false;
    return this.#shutdown === 'asked' || this.#told === null || !sameTasks(this.#told, this.#claim());
  }

  async #settleLoss(loss: { readonly reason: string; readonly asked: boolean }): Promise<void> {
    await this.#reconciliation;
    if (this.#ended) return;
    await this.#handler.onLost(loss.reason, loss.asked);
    this.#loss = undefined;
    this.#epoch = EPOCH_JOIN;
    this.#endpointEpoch = ENDPOINTS_UNKNOWN;
    this.#target = null;
    this.#owned = NO_TASKS;
    this.#told = null;
    this.#doubt = false;
    this.#topicsMissingSince = null;
    this.#lastContact = this.#cluster.clock.monotonic();
    if (!this.#ended) this.#state = 'JOINING';
  }

  /** One heartbeat and what its answer says. */
  async #beat(): Promise<Pace> {
    const { groupId } = this.#settings;
    const joining = this.#epoch <= 0;
    // The epoch may be another by what the guard sent: a heartbeat under the old one might be fenced.
    if (!joining && this.#heardByGuard()) {
      const pace = await this.#resolveDoubt();
      if (!this.#doubt || this.#ended || this.#loss !== undefined) return pace;
    }
    const owned = joining ? NO_TASKS : this.#claim();
    const shutdownApplication = this.#shutdown === 'asked';
    // An epoch that is behind by one is accepted from whoever says what it owns.
    const mayBeBehind = this.#doubt || this.#watch !== undefined;
    const tells = joining || mayBeBehind || this.#told === null || !sameTasks(this.#told, owned);
    const request = joining
      ? joinRequest(this.#settings)
      : heartbeatRequest(this.#settings, {
          memberEpoch: this.#epoch,
          endpointInformationEpoch: this.#endpointEpoch,
          owned: tells ? owned : null,
          shutdownApplication,
        });
    const sentAt = this.#cluster.clock.monotonic();
    // One lost answer must leave time for further tries within the session.
    const timeoutMs = Math.min(this.#cluster.requestTimeoutMs, Math.max(1, this.#sessionTimeoutMs / 3));
    this.#sent = true;
    let answer: StreamsGroupHeartbeatAnswer;
    let nodeId: number;
    try {
      const outcome = await this.#cluster.callCoordinator(
        'group',
        groupId,
        'StreamsGroupHeartbeat',
        request,
        timeoutMs,
        'group',
      );
      if (outcome instanceof Again) return this.#unanswered(outcome.reason);
      ({ answer, nodeId } = outcome);
    } catch (error) {
      if (!isRpcFailure(error)) throw error;
      if (error.kind === 'unknown') {
        this.#doubt = true;
        const now = this.#cluster.clock.monotonic();
        this.#lateUntil = now + LATE_SESSIONS * this.#sessionTimeoutMs;
        this.#nextLook = now + this.#sessionTimeoutMs / LOOKS_PER_SESSION;
      }
      return this.#unanswered(error.message);
    }
    if (this.#ended || this.#loss !== undefined) return 'interval';
    if (answer.errorCode !== KafkaError.NONE) return this.#onRefusal(answer, nodeId, joining);
    this.#backoff.reset();
    this.#lastContact = sentAt;
    this.#told = tells ? owned : this.#told;
    if (shutdownApplication && !joining) this.#shutdown = 'told';
    return this.#onAnswer(answer, joining);
  }

  #unanswered(reason: string): Pace {
    const silentMs = this.#cluster.clock.monotonic() - this.#lastContact;
    if (this.#epoch > 0 && silentMs >= this.#sessionTimeoutMs) {
      this.#lose(
        `no heartbeat was answered for the session timeout of ${this.#sessionTimeoutMs} ms (${reason})`,
        false,
      );
    }
    return 'backoff';
  }

  #onRefusal(answer: StreamsGroupHeartbeatAnswer, nodeId: number, joining: boolean): Pace {
    const { groupId } = this.#settings;
    const { errorCode: code, errorMessage } = answer;
    this.#told = null;
    // Under this protocol it says that the group is of another type, or that it was deleted behind a member's back.
    if (code === KafkaError.GROUP_ID_NOT_FOUND && joining) {
      this.#fail(heartbeatRefused(groupId, code, errorMessage, joining));
      return 'interval';
    }
    switch (classify(code)) {
      case 'generation-lost':
        this.#lose(
          `the coordinator answered ${errorName(code)}${errorMessage ? `: ${errorMessage}` : ''}`,
          false,
        );
        return 'interval';
      case 'stale-coordinator':
        this.#cluster.coordinators.forget('group', groupId, nodeId);
        return this.#unanswered(errorName(code));
      case 'retriable':
      case 'stale-metadata':
      case 'abortable':
      case 'rebalancing':
        return this.#unanswered(errorName(code));
      case 'unauthorized':
        this.#fail(refused(`StreamsGroupHeartbeat of group "${groupId}"`, code, { groupId }, errorMessage));
        return 'interval';
      default:
        this.#fail(heartbeatRefused(groupId, code, errorMessage, joining));
        return 'interval';
    }
  }

  async #onAnswer(answer: StreamsGroupHeartbeatAnswer, joining: boolean): Promise<Pace> {
    const { groupId } = this.#settings;
    const joined = joining && answer.memberEpoch > 0;
    this.#epoch = answer.memberEpoch;
    this.#endpointEpoch = answer.endpointInformationEpoch;
    if (answer.heartbeatIntervalMs > 0)
      this.#intervalMs = Math.min(answer.heartbeatIntervalMs, this.#intervalMsMax);
    if (joined) {
      this.#cluster.logger.info('Joined the group', {
        groupId,
        memberEpoch: this.#epoch,
        memberId: this.memberId,
      });
    }
    const endpoints = endpointPartitions(answer);
    if (endpoints !== null) this.#handler.onEndpoints?.(endpoints);
    this.#onStatuses(answer.status ?? []);
    if (this.#ended) return 'interval';
    this.#heardByGuard();
    this.#watchOver();
    const { activeTasks, standbyTasks, warmupTasks } = answer;
    if (activeTasks !== null && standbyTasks !== null && warmupTasks !== null) {
      this.#doubt = false;
      this.#onTarget(streamsTasks({ activeTasks, standbyTasks, warmupTasks }));
    } else if ((this.#doubt || this.#shouldLook) && this.#epoch > 0) {
      return this.#resolveDoubt();
    }
    return 'interval';
  }

  /** A heartbeat that is late may have been heard since the last look. */
  get #shouldLook(): boolean {
    const now = this.#cluster.clock.monotonic();
    return now < this.#lateUntil && now >= this.#nextLook;
  }

  /** Whether the guard has sent anything since: the answer is not to be had here. */
  #heardByGuard(): boolean {
    const lastContact = this.#watch?.lastContact ?? -Infinity;
    if (lastContact <= this.#guardContact) return false;
    this.#guardContact = lastContact;
    this.#lastContact = Math.max(this.#lastContact, lastContact);
    this.#doubt = true;
    return true;
  }

  /** The guard says nothing of what is owned: so nothing is taken for given up. */
  #watchOver(): void {
    if (this.#guard === undefined || this.#epoch <= 0 || this.#watchedEpoch === this.#epoch) return;
    this.#watch?.end();
    this.#watchedEpoch = this.#epoch;
    const request = heartbeatRequest(this.#settings, {
      memberEpoch: this.#epoch,
      endpointInformationEpoch: this.#endpointEpoch,
      owned: null,
      shutdownApplication: false,
    });
    this.#guardContact = -Infinity;
    this.#watch = this.#guard.watch({
      groupId: this.#settings.groupId,
      calls: [{ api: 'StreamsGroupHeartbeat', request }],
      sessionTimeoutMs: this.#sessionTimeoutMs,
      heartbeatIntervalMs: this.#intervalMs,
      maxBlockedMs: this.#maxBlockedMs,
    });
  }

  #unwatch(): void {
    this.#watch?.end();
    this.#watch = undefined;
    this.#watchedEpoch = EPOCH_JOIN;
  }

  /** The assignment that a lost answer may have carried, as the group holds it between two heartbeats. */
  async #resolveDoubt(): Promise<Pace> {
    const { groupId } = this.#settings;
    this.#nextLook = this.#cluster.clock.monotonic() + this.#sessionTimeoutMs / LOOKS_PER_SESSION;
    try {
      const group = await describeStreamsGroup(this.#cluster, groupId, this.#cluster.requestTimeoutMs);
      if (group === null || group instanceof Again) return 'backoff';
      const self = group.members.find(({ memberId }) => memberId === this.memberId);
      // Gone: the next heartbeat will hear it.
      if (self === undefined) this.#doubt = false;
      if (self === undefined || self.memberEpoch < this.#epoch) return 'backoff';
      // What is owned was said to be owned all the while, so a later epoch took nothing of it away.
      this.#epoch = self.memberEpoch;
      this.#doubt = false;
      if (!this.#ended && this.#loss === undefined) this.#onTarget(self.assigned);
      return 'interval';
    } catch (error) {
      if (!isRpcFailure(error)) throw error;
      return 'backoff';
    }
  }

  // --- reconciliation ----------------------------------------------------------------------------------------

  #onTarget(tasks: StreamsTasks): void {
    const known = new Set(this.#settings.topology.subtopologies.map(({ subtopologyId }) => subtopologyId));
    const foreign = [...tasks.active, ...tasks.standby, ...tasks.warmup].find(
      (task) => !known.has(String(parseTaskId(task).subTopology)),
    );
    if (foreign !== undefined) {
      this.#fail(
        heartbeatRefused(
          this.#settings.groupId,
          KafkaError.STREAMS_TOPOLOGY_FENCED,
          `task ${foreign} is none of this topology`,
          false,
        ),
      );
      return;
    }
    // Epoch 0: the first assignment of the group is delayed, and this member has still to join.
    if (this.#epoch <= 0 || (this.#target !== null && sameTasks(this.#target, tasks))) return;
    this.#target = tasks;
    this.#reconciliation ??= this.#reconcile();
  }

  /** All that the handler may hold. */
  #claim(): StreamsTasks {
    return this.#taking === null ? this.#owned : unionOf(this.#owned, this.#taking);
  }

  /** Until what the handler holds is what the group wants. */
  async #reconcile(): Promise<void> {
    try {
      while (!this.#ended && this.#loss === undefined) {
        const target = this.#target;
        const group = this.metadata;
        if (target === null || group === null) return;
        this.#state = 'RECONCILING';
        this.#taking = target;
        await this.#handler.onAssigned(target, group);
        this.#taking = null;
        if (this.#ended || this.#loss !== undefined) return;
        this.#owned = target;
        if (this.#hasNews) this.#wakeLoop();
        if (this.#target !== target) continue;
        this.#state = 'STABLE';
        return;
      }
    } catch (error) {
      this.#fail(asError(error));
    } finally {
      this.#taking = null;
      this.#reconciliation = undefined;
    }
  }

  #onStatuses(statuses: readonly StreamsGroupStatus[]): void {
    const { groupId } = this.#settings;
    const before = this.statuses;
    this.statuses = statuses;
    const changed =
      before.length !== statuses.length ||
      statuses.some(({ statusCode }, index) => before[index]?.statusCode !== statusCode);
    if (changed && statuses.length > 0) {
      this.#cluster.logger.warn('The group says why it does not assign, or not as it should', {
        groupId,
        statuses: statuses.map(({ statusDetail }) => statusDetail),
      });
    }
    const now = this.#cluster.clock.monotonic();
    const missing = statuses.some(({ statusCode }) => statusCode === StreamsStatus.MISSING_SOURCE_TOPICS);
    this.#topicsMissingSince = missing ? (this.#topicsMissingSince ?? now) : null;
    for (const { statusCode, statusDetail } of statuses) {
      // Topics just created may be news to the coordinator. Kafka Streams waits two heartbeats as well.
      const isFresh =
        statusCode === StreamsStatus.MISSING_SOURCE_TOPICS &&
        now - this.#topicsMissingSince! < 2 * this.#intervalMs;
      const failure = isFresh ? undefined : statusFailure(groupId, statusCode, statusDetail);
      if (failure !== undefined) {
        this.#fail(failure);
        return;
      }
    }
    const ready = isReady(statuses);
    if (ready === this.#ready) return;
    this.#ready = ready;
    this.#handler.onReady(ready);
  }

  // --- transitions -------------------------------------------------------------------------------------------

  #lose(reason: string, asked: boolean): void {
    if (this.#ended || this.#loss !== undefined) return;
    this.#state = 'LOST';
    this.#losses++;
    this.#unwatch();
    this.#loss = { reason, asked };
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
    this.#unwatch();
    this.#wakeLoop();
  }

  get #ended(): boolean {
    return this.#state === 'LEFT' || this.#state === 'FAILED';
  }

  /** News end a wait for the interval, not one after a failed try: only the end and a loss do. */
  #pause(delayMs: number, pace: Pace): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#timer?.cancel();
        this.#wake = undefined;
        resolve();
      };
      this.#timer = this.#cluster.clock.schedule(delayMs, done);
      this.#wake = () => {
        if (pace === 'interval' || this.#ended || this.#loss !== undefined) done();
      };
    });
  }

  #wakeLoop(): void {
    this.#wake?.();
  }
}
