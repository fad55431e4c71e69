// Owns what a topology under test brings along: how it is built from our operators, and what its output must be by a computation that
// uses none of them.
import type { Topology } from '#libs/topology';

/** A record of the input as it was committed upstream, in the order of its partition. */
export interface InputRecord {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  /** -1 until it was appended. */
  offset: number;
  readonly key: string;
  readonly timestamp: number;
  readonly n: number;
}

/** Compares what comes out with what must. One for each seed. */
export interface OutputModel {
  /**
   * Is told of each committed record of the topics in `watched`, in the order of its partition.
   * @returns the input record that was processed for it, when it says which. @throws Violation
   */
  observe(
    topic: string,
    record: { readonly partition: number; readonly key: string; readonly value: string },
  ): InputRecord | null;
  /** How many records of `out` there must be in the end. */
  readonly expectedOutputs: number;
  /** Values of a store in the end, as JSON texts in any order; `undefined`: of this store the model says nothing. */
  finalValues(store: string): readonly string[] | undefined;
}

export interface TopologyUnderTest {
  readonly name: string;
  readonly subTopologies: number;
  /** Topics that are read, the one whose progress is compared with the output first. */
  readonly inputs: readonly string[];
  /** Topics that the model looks at: `out`, and what lies between sub-topologies. */
  readonly watched: readonly string[];
  build(): Topology;
  model(inputs: readonly InputRecord[]): OutputModel;
}
