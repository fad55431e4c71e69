// Owns the faults that a seed plans: which, on whom, when, for how long. Each ends by itself. It judges nothing.
import type { ApiName } from '#libs/broker';
import type { ClusterEvent, FaultRule, MemoryCluster, SeededRandom, VirtualClock } from '#libs/broker-memory';
import type { Instance } from './instance.ts';
import { APPLICATION, FAULTS_MIN, pick } from './scenario.ts';
import type { Scenario } from './scenario.ts';

export type StrikeKind =
  | 'crash'
  | 'crash-in-mid-call'
  | 'crash-for-good'
  | 'pause'
  | 'pause-in-mid-call'
  | 'leave'
  | 'join'
  | 'broker-stop'
  | 'coordinator-loading'
  | 'markers-held'
  | 'answer-lost'
  | 'request-lost'
  | 'call-held'
  | 'transaction-timeout'
  | 'producer-expiry'
  | 'cleaning'
  | 'clock-jump'
  | 'connections-cut';

/** As often as it stands here. */
const KINDS: readonly StrikeKind[] = [
  'crash',
  'crash',
  'crash-for-good',
  'crash-in-mid-call',
  'crash-in-mid-call',
  'crash-in-mid-call',
  'crash-in-mid-call',
  'pause',
  'pause-in-mid-call',
  'pause-in-mid-call',
  'leave',
  'join',
  'join',
  'broker-stop',
  'coordinator-loading',
  'markers-held',
  'markers-held',
  'answer-lost',
  'answer-lost',
  'request-lost',
  'call-held',
  'call-held',
  'transaction-timeout',
  'producer-expiry',
  'cleaning',
  'clock-jump',
  'connections-cut',
];

/** Of those that need nobody to run into them. */
const CERTAIN: readonly StrikeKind[] = [
  'crash',
  'pause',
  'markers-held',
  'connections-cut',
  'coordinator-loading',
];

const COMMITTING: readonly ApiName[] = ['Produce', 'TxnOffsetCommit', 'EndTxn'];
const STEERING_CLASSIC: readonly ApiName[] = ['JoinGroup', 'SyncGroup', 'Heartbeat'];
const STEERING_STREAMS: readonly ApiName[] = ['StreamsGroupHeartbeat', 'StreamsGroupHeartbeat'];
const STEERING: readonly ApiName[] = [
  ...COMMITTING,
  ...COMMITTING,
  'InitProducerId',
  'OffsetFetch',
  'Fetch',
  'ListOffsets',
];
const INSTANCES_MAX = 4;
const MINUTE_MS = 60_000;
const CLOCK_JUMPS_MS = [-5 * MINUTE_MS, -2_000, 3_000, 10 * MINUTE_MS, 120 * MINUTE_MS];
const DAY_AND_A_BIT_MS = 30 * 60 * MINUTE_MS;

/** Kills or stops its victim when a leg of a call of it comes by. */
interface Trap {
  readonly victim: Instance;
  readonly spring: () => void;
  readonly kind: ClusterEvent['kind'];
  readonly subject: string;
  armed: boolean;
}

export interface Field {
  readonly cluster: MemoryCluster;
  readonly clock: VirtualClock;
  readonly instances: Instance[];
  readonly scenario: Scenario;
  /** A fault of a kind has struck. */
  readonly count: (kind: StrikeKind) => void;
  readonly note: (what: string) => void;
  readonly addInstance: () => Instance;
  readonly beforeCleaning: () => void;
}

export class Strikes {
  /** Strikes that have not ended. */
  #pending = 0;
  #struck = 0;
  readonly #field: Field;
  readonly #random: SeededRandom;
  /** Calls by which it is a member of its group, and all that steer its work. */
  readonly #joining: readonly ApiName[];
  readonly #steering: readonly ApiName[];
  readonly #traps: Trap[] = [];
  #jumpedDay = false;

  constructor(field: Field) {
    this.#field = field;
    this.#random = field.scenario.random.fork();
    this.#joining = field.scenario.groupProtocol === 'streams' ? STEERING_STREAMS : STEERING_CLASSIC;
    this.#steering = [...STEERING, ...this.#joining];
    const { strikes, spanMs } = field.scenario;
    for (let i = 0; i < strikes; i++) {
      this.#pending++;
      // Some before anybody has joined.
      field.clock.schedule(this.#random.integer(0, spanMs), () => {
        this.#strike(pick(this.#random, KINDS));
        this.#pending--;
      });
    }
  }

  /** Of each event in turn. */
  onEvent(event: ClusterEvent): void {
    for (const trap of this.#traps) {
      if (!trap.armed || trap.kind !== event.kind || trap.subject !== event.subject) continue;
      trap.armed = false;
      // Between this event and the next.
      this.#after(0, trap.spring);
    }
  }

  /** All have struck and ended. */
  get isOver(): boolean {
    if (this.#pending > 0) return false;
    if (this.#struck >= FAULTS_MIN) return true;
    // Traps that nobody ran into, and strikes that found no victim, are made up for.
    this.#after(this.#random.integer(1, 300), () => this.#strike(pick(this.#random, CERTAIN)));
    return false;
  }

  /** Traps that nobody ran into. */
  disarm(): void {
    for (const trap of this.#traps) trap.armed = false;
  }

  #after(delayMs: number, action: () => void): void {
    this.#pending++;
    this.#field.clock.schedule(delayMs, () => {
      action();
      this.#pending--;
    });
  }

  #strike(kind: StrikeKind): void {
    const { cluster, clock, scenario } = this.#field;
    const random = this.#random;
    switch (kind) {
      case 'crash': {
        const victim = this.#victim();
        if (victim !== undefined) this.#crash(victim, kind);
        return;
      }
      // In the midst of a commit, where it leaves a transaction open.
      case 'crash-for-good': {
        const victim = this.#victim();
        if (victim === undefined || this.#field.instances.some(({ isGone }) => isGone)) return;
        this.#trap(victim, pick(random, COMMITTING), 'apply', () => {
          // In its first transaction for a task nobody knows its name yet, and its successor waits (docs/decisions/0007).
          victim.isGone = victim.isSettled && this.#field.instances.every(({ isGone }) => !isGone);
          this.#crash(victim, kind);
        });
        return;
      }
      case 'crash-in-mid-call': {
        const victim = this.#victim();
        const leg = pick(random, ['request', 'apply', 'answer'] as const);
        if (victim !== undefined)
          this.#trap(victim, pick(random, this.#steering), leg, () => this.#crash(victim, kind));
        return;
      }
      case 'pause': {
        const victim = this.#victim();
        const durationMs = random.integer(50, Math.floor(scenario.sessionTimeoutMs * 2.2));
        if (victim !== undefined) this.#pause(victim, durationMs, kind);
        return;
      }
      // A zombie in the midst of a commit, or of taking tasks over.
      case 'pause-in-mid-call': {
        const victim = this.#victim();
        const durationMs = Math.floor(scenario.sessionTimeoutMs * (1.1 + random.next()));
        const leg = pick(random, ['request', 'answer'] as const);
        const api = pick(random, [...COMMITTING, ...this.#joining, 'OffsetFetch' as const]);
        if (victim !== undefined) this.#trap(victim, api, leg, () => this.#pause(victim, durationMs, kind));
        return;
      }
      case 'leave': {
        const victim = this.#victim();
        if (victim === undefined) return;
        this.#hit(kind, victim.name);
        victim.stop();
        this.#restartLater(victim);
        return;
      }
      case 'join': {
        if (this.#field.instances.length >= INSTANCES_MAX) return this.#strike('leave');
        this.#hit(kind, this.#field.addInstance().name);
        return;
      }
      case 'broker-stop': {
        const nodeId = random.integer(1, scenario.brokers);
        this.#hit(kind, String(nodeId));
        cluster.stopBroker(nodeId);
        this.#after(random.integer(20, 1_500), () => cluster.startBroker(nodeId));
        return;
      }
      case 'coordinator-loading': {
        const key = random.chance(0.5) ? APPLICATION : `${APPLICATION}-${this.#anyone().name}-0`;
        this.#hit(kind, key);
        cluster.loadCoordinator(
          key === APPLICATION ? 'group' : 'transaction',
          key,
          random.integer(50, 1_200),
        );
        return;
      }
      case 'markers-held':
        this.#hit(kind, '');
        this.#after(random.integer(20, 1_500), cluster.holdMarkers());
        return;
      case 'answer-lost':
      case 'request-lost':
        this.#rule(kind, random.integer(1, 1_500), {
          api: pick(random, this.#steering),
          on: kind === 'answer-lost' ? 'answer' : 'request',
          action: random.chance(0.5) ? 'cut' : 'drop',
          times: random.integer(1, 3),
        });
        return;
      case 'call-held':
        this.#hold(kind);
        return;
      case 'transaction-timeout':
        this.#expireTransaction(kind);
        return;
      case 'producer-expiry':
        this.#hit(kind, '');
        cluster.topics.expireProducers();
        return;
      case 'cleaning':
        this.#hit(kind, '');
        this.#field.beforeCleaning();
        cluster.topics.clean();
        return;
      case 'clock-jump': {
        const far = !this.#jumpedDay && random.chance(0.2);
        const ms = far ? DAY_AND_A_BIT_MS : pick(random, CLOCK_JUMPS_MS);
        this.#jumpedDay ||= far;
        this.#hit(kind, `${ms} ms`);
        clock.jumpWallClock(ms);
        return;
      }
      case 'connections-cut': {
        const { name } = this.#anyone();
        this.#hit(kind, name);
        cluster.cutConnections(name);
        return;
      }
    }
  }

  #hit(kind: StrikeKind, whom: string): void {
    this.#struck++;
    this.#field.count(kind);
    this.#field.note(`${kind} ${whom}`);
  }

  #anyone(): Instance {
    return pick(this.#random, this.#field.instances);
  }

  #victim(): Instance | undefined {
    const running = this.#field.instances.filter(
      ({ isRunning, process }) => isRunning && process.state === 'running',
    );
    return running.length === 0 ? undefined : pick(this.#random, running);
  }

  #crash(victim: Instance, kind: StrikeKind): void {
    if (!victim.isRunning) return;
    this.#hit(kind, victim.name);
    victim.kill((max) => this.#random.integer(0, max));
    if (!victim.isGone) this.#restartLater(victim);
  }

  /** Within its session, or after it. */
  #restartLater(victim: Instance): void {
    const { sessionTimeoutMs } = this.#field.scenario;
    this.#after(this.#random.integer(0, Math.floor(sessionTimeoutMs * 1.3)), () => victim.start());
  }

  #trap(victim: Instance, api: ApiName, leg: Trap['kind'], spring: () => void): void {
    this.#traps.push({ victim, spring, kind: leg, subject: `${victim.name} ${api}`, armed: true });
    this.#field.note(`trap for ${victim.name} at the next ${leg} of ${api}`);
  }

  #pause(victim: Instance, durationMs: number, kind: StrikeKind): void {
    const { process } = victim;
    if (process.state !== 'running') return;
    this.#hit(kind, `${victim.name} for ${durationMs} ms`);
    process.pause();
    this.#after(durationMs, () => process.resume());
  }

  #rule(kind: StrikeKind, durationMs: number, rule: FaultRule, clientId = this.#anyone().name): void {
    this.#field.note(`${kind} ${clientId} ${String(rule.api)} ${rule.on} ${String(rule.action)}`);
    const fault = this.#field.cluster.fault({ ...rule, clientId });
    this.#after(durationMs, () => {
      // Where no such call came by, nothing has failed.
      if (fault.hits > 0) this.#hit(kind, `${clientId} (${fault.hits} calls)`);
      fault.remove();
      fault.release();
    });
  }

  /** Past the time-out of its sender, and past the next transaction, where version 2 makes that harmless. */
  #hold(kind: StrikeKind): void {
    const { scenario } = this.#field;
    const random = this.#random;
    const api = pick(random, this.#steering);
    const isLate = scenario.mayBeLate && api !== 'InitProducerId' && api !== 'JoinGroup';
    const durationMs = random.integer(
      1,
      isLate ? 4 * scenario.requestTimeoutMs : scenario.requestTimeoutMs / 2,
    );
    const on = random.chance(0.5) ? 'answer' : 'request';
    this.#rule(kind, durationMs, { api, on, action: 'hold', times: random.integer(1, 2) });
  }

  /** Its transaction stays open for longer than it may. */
  #expireTransaction(kind: StrikeKind): void {
    const { scenario } = this.#field;
    if (scenario.transactionTimeoutMs > 4_000) return this.#hold('call-held');
    this.#rule(kind, scenario.transactionTimeoutMs + 300, {
      api: ['TxnOffsetCommit', 'EndTxn'],
      on: 'request',
      action: 'drop',
      times: Infinity,
    });
  }
}
