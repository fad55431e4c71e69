// Owns what health says in numbers: how much is left to restore, and how far behind the input an instance is. JSON-safe.
import type { RuntimeFigures } from '#libs/millrace';

export interface RestoringFigures {
  /** Tasks that are opened or restored. */
  readonly restoringTasks: number;
  /** Offsets of changelogs, and of the topics of global tables, that are still to be brought in; offsets count more than records. */
  readonly remainingOffsets: number;
  /** Of what is restored now, 0 to 100; 100 where nothing is. */
  readonly restoredPercent: number;
}

export interface LagFigures {
  readonly lagRecords: number;
  /** Age of the oldest record that waits, milliseconds; 0 where none does. */
  readonly lagMs: number;
  /** Partitions whose end is not known yet. */
  readonly unknownPartitions: number;
  /** The topic with the highest lag; `null`: none has any. */
  readonly worstTopic: string | null;
}

/** What of an application's insight is looked at. */
export interface LaggingTasks {
  readonly tasks: readonly {
    readonly partitions: readonly {
      readonly topic: string;
      readonly lag: number | null;
      readonly lagMs: number | null;
    }[];
  }[];
}

export interface WithInsight {
  insight(): LaggingTasks;
}

/** Copies are left out: nobody waits for them. */
const AWAITED = 'active';

export function restoreOf(figures: RuntimeFigures | null): RestoringFigures {
  let remaining = 0;
  let total = 0;
  for (const { role, startOffset, position, endOffset } of figures?.restores ?? []) {
    if (role !== AWAITED || endOffset < 0) continue;
    remaining += Math.max(0, endOffset - position);
    total += Math.max(0, endOffset - startOffset);
  }
  return {
    restoringTasks: figures?.openingTasks.length ?? 0,
    remainingOffsets: remaining,
    restoredPercent: total === 0 ? 100 : Math.floor((100 * (total - remaining)) / total),
  };
}

export function lagOf(application: WithInsight): LagFigures {
  const byTopic = new Map<string, number>();
  let [records, ageMs, unknown] = [0, 0, 0];
  for (const { partitions } of application.insight().tasks) {
    for (const { topic, lag, lagMs } of partitions) {
      if (lag === null) {
        unknown++;
        continue;
      }
      records += lag;
      ageMs = Math.max(ageMs, lagMs ?? 0);
      byTopic.set(topic, (byTopic.get(topic) ?? 0) + lag);
    }
  }
  const [worst] = [...byTopic].sort(([, a], [, b]) => b - a);
  return {
    lagRecords: records,
    lagMs: ageMs,
    unknownPartitions: unknown,
    worstTopic: worst === undefined || worst[1] === 0 ? null : worst[0],
  };
}
