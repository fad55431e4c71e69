// Owns how faults of a topology are collected and told: all of them, in one error, each with the operator's path.
import { MillraceError } from '#libs/core';

export interface TopologyFault {
  /** The calls that lead to the operator: `stream("orders").selectKey().groupByKey().count("totals")`. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** One error for all faults. `context.faults` holds them as data. */
export function invalidTopology(faults: readonly TopologyFault[]): MillraceError {
  const lines = faults.map(
    ({ path, problem, remedy }, index) => `\n  ${index + 1}. ${path}: ${problem} ${remedy}`,
  );
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new MillraceError({
    code: 'MILLRACE_INVALID_TOPOLOGY',
    message: `the topology has ${count}:${lines.join('')}`,
    context: { faults },
  });
}
