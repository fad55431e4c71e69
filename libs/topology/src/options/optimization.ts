// Owns the optimisations of a topology, under Kafka Streams' names (`topology.optimization`). None is on by default, because each decides
// which topics exist.

export const Optimization = {
  /**
   * A table that is kept with the serdes it is read with has no changelog of its own: it is restored from its topic. Not for a source
   * that changes timestamps (an extractor, a policy for future ones), nor for keys whose serde may write other bytes than it read.
   */
  REUSE_KTABLE_SOURCE_TOPICS: 'reuse.ktable.source.topics',
  /**
   * Operators that need the same stream by its new key share one repartition topic, that of the first of them, when they read it with
   * the same serdes. A topic that was named on purpose (`Grouped.as`, `repartition`) stays by itself.
   */
  MERGE_REPARTITION_TOPICS: 'merge.repartition.topics',
} as const;

export type OptimizationName = (typeof Optimization)[keyof typeof Optimization];

export interface StreamsBuilderOptions {
  /** Default `none`. Switching one on or off changes the topics of an application: see docs/guide/evolution.md. */
  readonly optimize?: 'none' | 'all' | OptimizationName | readonly OptimizationName[] | undefined;
}

/** Which are on. */
export interface Optimizations {
  readonly reuseSourceTopics: boolean;
  readonly mergeRepartitions: boolean;
}

/** `null`: the option holds something else. */
export function optimizationsOf(optimize: StreamsBuilderOptions['optimize'] = 'none'): Optimizations | null {
  const known: readonly string[] = Object.values(Optimization);
  const chosen = optimize === 'none' ? [] : optimize === 'all' ? known : [optimize].flat();
  if (!chosen.every((name) => known.includes(name))) return null;
  return {
    reuseSourceTopics: chosen.includes(Optimization.REUSE_KTABLE_SOURCE_TOPICS),
    mergeRepartitions: chosen.includes(Optimization.MERGE_REPARTITION_TOPICS),
  };
}
