// Owns what a runtime remembers of itself beyond the moment: totals, and the last ones of what happens now and then. It outlives the
// workers, so that nothing is forgotten when one is replaced. It is written a few times per batch, epoch, failure or rebalance, never per
// record, and nothing in the runtime depends on what it says.
import type { Clock } from '#libs/core';
import type { AssignmentChange } from '../assigned-tasks.ts';
import type { TaskCopies } from '../assignor/contract.ts';
import type { ClusterLayout } from '../cluster-layout.ts';
import type { RestoreListener } from '../store-restorer.ts';
import { EpochLog } from './epoch-log.ts';
import type {
  DropCount,
  IssueFigures,
  LoopFigures,
  RebalanceFigures,
  RestoreFigures,
  RuntimeInsight,
} from './figures.ts';
import { Flows } from './flows.ts';
import { Ring } from './ring.ts';

const ISSUES_KEPT = 100;
const REBALANCES_KEPT = 50;
const RESTORES_KEPT = 50;
/** Issues alike within it are one. */
const ALIKE_MS = 1_000;
const MESSAGE_CHARACTERS_MAX = 1_000;
/** Kinds of drops counted apart; more, such as of node names made up at run time, are counted as one. */
const DROP_KINDS_MAX = 500;

export class InsightLog {
  readonly flows = new Flows();
  readonly epochs: EpochLog;
  private readonly clock: Clock;
  private readonly issues = new Ring<Mutable<IssueFigures>>(ISSUES_KEPT);
  private readonly drops = new Map<string, Mutable<DropCount>>();
  private readonly rebalances = new Ring<RebalanceFigures>(REBALANCES_KEPT);
  private rebalanceCount = 0;
  private lostCount = 0;
  private readonly restored = new Ring<RestoreFigures>(RESTORES_KEPT);
  private turns = 0;
  private busyMs = 0;
  private longestTurnMs = 0;
  private longestTurnAt: number | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
    this.epochs = new EpochLog(clock, this.flows);
  }

  /** What the internal topics of the application are. */
  describe(layout: ClusterLayout): void {
    for (const sub of layout.topology.subTopologies) {
      for (const sink of sub.sinks) {
        const topic = layout.sinkTopic(sink);
        if (topic !== null) this.flows.declare(topic, sink.kind);
      }
      for (const store of sub.stores) {
        const topic = layout.changelogTopic(sub, store);
        if (topic !== null) this.flows.declare(topic, 'changelog', store.name);
      }
    }
  }

  /** A record was left out, or went to a dead-letter topic. `where`: the task, and the node behind a space. */
  dropped(kind: DropCount['kind'], where: string, code: string, message: string): void {
    let key = `${kind} ${code} ${where}`;
    let drop = this.drops.get(key);
    if (drop === undefined) {
      if (this.drops.size >= DROP_KINDS_MAX) key = 'others';
      drop = this.drops.get(key) ?? {
        code,
        kind,
        where: key === 'others' ? 'elsewhere' : where,
        records: 0,
      };
      this.drops.set(key, drop);
    }
    drop.records++;
    this.issue(kind, code, where, message);
  }

  issue(kind: IssueFigures['kind'], code: string, where: string, message: string): void {
    const at = this.clock.now();
    const { last } = this.issues;
    if (last?.kind === kind && last.code === code && last.where === where && at - last.at < ALIKE_MS) {
      last.count++;
      return;
    }
    this.issues.push({ at, kind, code, where, message: message.slice(0, MESSAGE_CHARACTERS_MAX), count: 1 });
  }

  assigned(source: string, copies: TaskCopies, { revoked, added }: AssignmentChange): void {
    this.rebalanceCount++;
    const { active, standby, warmup } = copies;
    const at = this.clock.now();
    this.rebalances.push({ at, kind: 'assigned', source, active, revoked, added, standby, warmup });
  }

  lost(reason: string, revoked: readonly string[]): void {
    this.rebalanceCount++;
    this.lostCount++;
    const at = this.clock.now();
    const none: readonly string[] = [];
    this.rebalances.push({
      at,
      kind: 'lost',
      source: reason,
      active: none,
      revoked,
      added: none,
      standby: none,
      warmup: none,
    });
  }

  /** Hears of restores before `listener` does. */
  listening(listener: RestoreListener | null): RestoreListener {
    return (event, progress) => {
      if (event === 'end' || event === 'suspended') {
        this.restored.push({ endedAt: this.clock.now(), outcome: event, progress });
      }
      listener?.(event, progress);
    };
  }

  /** A turn of a worker's loop held the event loop for so long. */
  turned(tookMs: number): void {
    this.turns++;
    this.busyMs += tookMs;
    if (tookMs <= this.longestTurnMs) return;
    this.longestTurnMs = tookMs;
    this.longestTurnAt = this.clock.now();
  }

  get figures(): Omit<
    RuntimeInsight,
    'at' | 'startedAt' | 'transactionalId' | 'figures' | 'tasks' | 'instances'
  > {
    const { epochs, flows, turns, busyMs, longestTurnMs, longestTurnAt } = this;
    const loop: LoopFigures = { turns, busyMs, longestTurnMs, longestTurnAt };
    return {
      inputs: flows.inputFigures,
      outputs: flows.outputFigures,
      epochs: epochs.figures,
      commits: epochs.commits,
      latency: epochs.latencyFigures,
      restored: this.restored.toArray(),
      drops: [...this.drops.values()].map((drop) => ({ ...drop })),
      issues: this.issues.toArray().map((issue) => ({ ...issue })),
      rebalances: { total: this.rebalanceCount, lost: this.lostCount, last: this.rebalances.toArray() },
      loop,
    };
  }
}

/** What there is to tell before there is a runtime. */
export function noInsight(clock: Clock): RuntimeInsight {
  const { figures } = new InsightLog(clock);
  const nothing = { startedAt: null, transactionalId: null, figures: null, tasks: [], instances: [] };
  return { at: clock.now(), ...nothing, ...figures };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
