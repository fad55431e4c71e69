// Owns the search: partial matches of one key and what an event makes of them. Pure: it keeps nothing between calls.
//
// A partial match (a run) stands behind the event it took last. It has ways on: once more its own stage, or one of the stages behind it,
// over optional ones. Each way ends by itself, as its contiguity and negations say; a run without ways is dropped.
import type { Condition, Contiguity, Stage, Taken } from './pattern.ts';

/** An event as it came. One object, however many partial matches took it. */
export interface Occurrence<V> {
  readonly event: V;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

export interface TakenEvent<V> {
  readonly stage: number;
  readonly occurrence: Occurrence<V>;
}

/** A partial match. `ways`: bit 0 its own stage once more, bit n the n-th stage behind it. */
export interface Run<V> {
  readonly stage: number;
  /** Events taken for `stage`. */
  readonly count: number;
  readonly taken: readonly TakenEvent<V>[];
  ways: number;
  /** An event has gone by since the last one taken. */
  passed: boolean;
}

export interface MatchStep<V> {
  readonly runs: Run<V>[];
  /** Complete ones, by their first event, longer ones first. */
  readonly matches: (readonly TakenEvent<V>[])[];
  /** Runs that were dropped because their time is over. */
  readonly timedOut: Run<V>[];
}

export function eventsByStage<V>(
  stages: readonly Stage<V>[],
  taken: readonly TakenEvent<V>[],
): Record<string, readonly V[]> {
  const byStage: Record<string, V[]> = {};
  for (const { name } of stages) byStage[name] = [];
  for (const { stage, occurrence } of taken) byStage[stages[stage]!.name]!.push(occurrence.event);
  return byStage;
}

export class Matcher<V> {
  private readonly stages: readonly Stage<V>[];
  private readonly withinMs: number | null;

  constructor(stages: readonly Stage<V>[], withinMs: number | null) {
    this.stages = stages;
    this.withinMs = withinMs;
  }

  /** What an event makes of the partial matches so far. */
  step(before: readonly Run<V>[], occurrence: Occurrence<V>): MatchStep<V> {
    const result: MatchStep<V> = { runs: [], matches: [], timedOut: [] };
    for (const run of before) {
      if (this.isOver(run, occurrence.timestamp)) {
        result.timedOut.push(run);
        continue;
      }
      this.advance({ ...run }, occurrence, result);
    }
    const start: Run<V> = { stage: -1, count: 0, taken: [], ways: this.waysFrom(-1, 0), passed: false };
    this.advance(start, occurrence, result);
    return { ...result, matches: longerFirst(result.matches) };
  }

  isOver({ taken }: Run<V>, now: number): boolean {
    return this.withinMs !== null && now - taken[0]!.occurrence.timestamp >= this.withinMs;
  }

  /** When the first of the runs is over; `Infinity`: none ever is. */
  nextEnd(runs: readonly Run<V>[]): number {
    let next = Infinity;
    if (this.withinMs === null) return next;
    for (const { taken } of runs) next = Math.min(next, taken[0]!.occurrence.timestamp + this.withinMs);
    return next;
  }

  private advance(run: Run<V>, occurrence: Occurrence<V>, result: MatchStep<V>): void {
    const { event } = occurrence;
    const taken = eventsByStage(this.stages, run.taken);
    const isStart = run.stage < 0;
    const found: Run<V>[] = [];
    for (let way = 0; run.ways >> way !== 0; way++) {
      if ((run.ways & (1 << way)) === 0) continue;
      const target = way === 0 ? run.stage : run.stage + way;
      const stage = this.stages[target]!;
      if (!this.isOpen(run, way, stage, event, taken)) {
        run.ways &= ~(1 << way);
        continue;
      }
      const fits = stage.condition(event, taken) && !(stage.until?.(event, taken) ?? false);
      if (fits) found.push(this.take(run, target, way === 0 ? run.count + 1 : 1, occurrence));
      const contiguity: Contiguity = way === 0 ? stage.repetition : stage.contiguity;
      if (contiguity === 'strict' || (contiguity === 'relaxed' && fits)) run.ways &= ~(1 << way);
    }
    run.passed = true;
    if (!isStart && run.ways !== 0) result.runs.push(run);
    for (const next of found) {
      if (this.isComplete(next)) result.matches.push(next.taken);
      if (next.ways !== 0) result.runs.push(next);
    }
  }

  /** False: the way ends here, whether or not the event fits. */
  private isOpen(run: Run<V>, way: number, stage: Stage<V>, event: V, taken: Taken<V>): boolean {
    const holds = (condition: Condition<V>): boolean => condition(event, taken);
    if (way === 0) return stage.until === null || !holds(stage.until);
    if (run.stage < 0) return true;
    // Negations before the stages in between hold too, when those are left out.
    for (let index = run.stage + 1; index <= run.stage + way; index++) {
      for (const { where, condition } of this.stages[index]!.forbidden) {
        if ((where === 'between' || !run.passed) && holds(condition)) return false;
      }
    }
    return true;
  }

  private take(run: Run<V>, stage: number, count: number, occurrence: Occurrence<V>): Run<V> {
    return {
      stage,
      count,
      taken: [...run.taken, { stage, occurrence }],
      ways: this.waysFrom(stage, count),
      passed: false,
    };
  }

  private waysFrom(stage: number, count: number): number {
    let ways = 0;
    if (stage >= 0) {
      const { min, max } = this.stages[stage]!;
      if (count < max) ways |= 1;
      if (count < min) return ways;
    }
    for (let next = stage + 1; next < this.stages.length; next++) {
      ways |= 1 << (next - stage);
      if (!this.stages[next]!.isOptional) break;
    }
    return ways;
  }

  private isComplete({ stage, count }: Run<V>): boolean {
    if (count < this.stages[stage]!.min) return false;
    for (let next = stage + 1; next < this.stages.length; next++) {
      if (!this.stages[next]!.isOptional) return false;
    }
    return true;
  }
}

/** Those that begin with the same event lie together. */
function longerFirst<V>(matches: readonly (readonly TakenEvent<V>[])[]): (readonly TakenEvent<V>[])[] {
  const groups: (readonly TakenEvent<V>[])[][] = [];
  for (const match of matches) {
    const group = groups.at(-1);
    if (group !== undefined && group[0]![0]!.occurrence === match[0]!.occurrence) group.push(match);
    else groups.push([match]);
  }
  return groups.flatMap((group) => group.sort((a, b) => b.length - a.length));
}
