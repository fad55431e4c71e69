// Owns what a deliberate bug is: one change of text in an operator, and the topologies whose vectors must notice it. When an operator is
// rewritten, its bugs are to be planted anew.

export interface Mutant {
  /** The operator, and what is wrong with it. */
  readonly bug: string;
  /** Below libs/topology/src. */
  readonly file: string;
  /** Where to look for `from`: behind this text, which is in the file once. '': from the start. */
  readonly within: string;
  readonly from: string;
  readonly to: string;
  /** Topologies that use the operator; one of them must notice. */
  readonly caughtBy: readonly string[];
}

/** Bugs of one file. */
export type Bugs = (
  bug: string,
  change: { readonly within?: string; readonly from: string; readonly to: string },
  ...caughtBy: readonly string[]
) => Mutant;

export const bugsOf =
  (file: string): Bugs =>
  (bug, { within = '', from, to }, ...caughtBy) => ({ bug, file, within, from, to, caughtBy });

/** The source with the bug in it; `null`: its place is not there. */
export function planted({ within, from, to }: Mutant, source: string): string | null {
  const scope = source.indexOf(within);
  if (scope < 0 || source.indexOf(within, scope + 1) > scope + (within === '' ? source.length : 0))
    return null;
  const at = source.indexOf(from, scope);
  return at < 0 ? null : source.slice(0, at) + to + source.slice(at + from.length);
}
