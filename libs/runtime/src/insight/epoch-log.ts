// Owns what is known of epochs: the one that is open, the one being committed, the last ones that ended. It is told by the epoch
// coordinator, a few times per epoch, and decides nothing.
import type { Clock } from '#libs/core';
import type { PendingBatch } from '../output-collector.ts';
import type { EpochFigures, HistogramFigures, RuntimeInsight } from './figures.ts';
import { EpochOutput } from './flows.ts';
import type { Flows } from './flows.ts';
import { CommitLatency } from './latency.ts';
import { Ring } from './ring.ts';
import { TraceLog } from './trace-log.ts';
import type { TracedRecord } from './trace-log.ts';

const EPOCHS_KEPT = 256;

/** Called when an epoch has ended, with those of its records whose traces are sampled; of an aborted one there are none. */
export type EpochListener = (epoch: EpochFigures, traced: readonly TracedRecord[]) => void;

/** An epoch from its seal to its end. `-1`: not reached. */
class SealedNote {
  producedAt = -1;
  readonly output: EpochOutput;
  readonly opening: Pick<EpochFigures, 'number' | 'openedAt' | 'sealedAt' | 'openMs' | 'tasks' | 'recordsIn'>;
  /** Monotonic. */
  readonly sealedAt: number;

  constructor(output: EpochOutput, opening: SealedNote['opening'], sealedAt: number) {
    this.output = output;
    this.opening = opening;
    this.sealedAt = sealedAt;
  }
}

export class EpochLog {
  readonly latency = new CommitLatency();
  readonly traces: TraceLog;
  private readonly listeners = new Set<EpochListener>();
  private readonly clock: Clock;
  private readonly flows: Flows;
  private readonly ended = new Ring<EpochFigures>(EPOCHS_KEPT);
  private open = new EpochOutput();
  private openedAt: number;
  private openedWall: number;
  private recordsBefore = 0;
  private sealed: SealedNote | null = null;
  private count = 0;
  private committedCount = 0;
  private abortedCount = 0;
  private totalMs = 0;
  private longestMs = 0;

  constructor(clock: Clock, flows: Flows) {
    this.clock = clock;
    this.flows = flows;
    this.traces = new TraceLog(clock);
    this.openedAt = clock.monotonic();
    this.openedWall = clock.now();
  }

  /** Returns how to stop it. What a listener throws is its own. */
  onEpoch(listener: EpochListener): () => void {
    this.listeners.add(listener);
    this.traces.enabled = true;
    return () => {
      this.listeners.delete(listener);
      this.traces.enabled = this.listeners.size > 0;
      if (!this.traces.enabled) this.traces.abandon();
    };
  }

  /** Batches of the open epoch are on their way. */
  sent(batches: readonly PendingBatch[]): void {
    this.open.add(batches);
  }

  onSealed(batches: readonly PendingBatch[], tasks: number): void {
    this.open.add(batches);
    const now = this.clock.monotonic();
    const sealedAt = this.clock.now();
    const { recordsIn } = this.flows;
    this.sealed = new SealedNote(
      this.open,
      {
        number: ++this.count,
        openedAt: this.openedWall,
        sealedAt,
        openMs: now - this.openedAt,
        tasks,
        recordsIn: recordsIn - this.recordsBefore,
      },
      now,
    );
    this.latency.seal();
    this.traces.seal();
    this.begin(now, sealedAt, recordsIn);
  }

  /** Every batch of the sealed epoch is acknowledged. */
  onProduced(): void {
    if (this.sealed !== null) this.sealed.producedAt = this.clock.monotonic();
  }

  onCommitted(): void {
    const { sealed } = this;
    if (sealed === null) return;
    const now = this.clock.monotonic();
    this.flows.committed(sealed.output);
    this.latency.committed(this.clock.now());
    this.committedCount++;
    const tookMs = now - sealed.sealedAt;
    this.totalMs += tookMs;
    if (tookMs > this.longestMs) this.longestMs = tookMs;
    this.end(sealed, 'committed', null, now);
  }

  onAborted(reason: string): void {
    const { sealed } = this;
    if (sealed === null) return;
    this.abortedCount++;
    this.end(sealed, 'aborted', reason, this.clock.monotonic());
  }

  /** What is open, and what is sealed, is given up. */
  onAbandoned(): void {
    this.onAborted('the worker began anew from the committed offsets');
    this.latency.abandoned();
    this.traces.abandon();
    this.begin(this.clock.monotonic(), this.clock.now(), this.flows.recordsIn);
  }

  get figures(): EpochFigures[] {
    const epochs = this.ended.toArray();
    if (this.sealed !== null) epochs.push(this.describe(this.sealed, 'committing', null, null));
    return epochs;
  }

  get commits(): RuntimeInsight['commits'] {
    const { committedCount: committed, abortedCount: aborted, totalMs, longestMs } = this;
    return { committed, aborted, totalMs, longestMs };
  }

  get latencyFigures(): HistogramFigures {
    return this.latency.figures;
  }

  private begin(now: number, wall: number, recordsIn: number): void {
    this.open = new EpochOutput();
    this.openedAt = now;
    this.openedWall = wall;
    this.recordsBefore = recordsIn;
  }

  private end(
    sealed: SealedNote,
    outcome: EpochFigures['outcome'],
    reason: string | null,
    now: number,
  ): void {
    const epoch = this.describe(sealed, outcome, reason, now);
    this.ended.push(epoch);
    this.sealed = null;
    const traced = this.traces.take();
    for (const listener of this.listeners) {
      try {
        listener(epoch, outcome === 'committed' ? traced : []);
      } catch {
        // Whoever looks on has no say.
      }
    }
  }

  private describe(
    sealed: SealedNote,
    outcome: EpochFigures['outcome'],
    reason: string | null,
    endedAt: number | null,
  ): EpochFigures {
    const { opening, output, producedAt, sealedAt } = sealed;
    return {
      ...opening,
      outcome,
      reason,
      endedAt: endedAt === null ? null : opening.sealedAt + Math.round(endedAt - sealedAt),
      ...this.flows.totals(output),
      produceMs: producedAt < 0 ? null : producedAt - sealedAt,
      commitMs: producedAt < 0 || endedAt === null ? null : endedAt - producedAt,
    };
  }
}
