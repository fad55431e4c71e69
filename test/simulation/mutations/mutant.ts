// Owns what a deliberate bug is: changes of text in the sources of the libraries, and within how many seeds the simulation must notice. When
// the place is rewritten, the bug is to be planted anew.

export interface Change {
  /** Below libs/. */
  readonly file: string;
  /** In the file once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly bug: string;
  /** One of the seeds 1 to this must break a promise. */
  readonly within: number;
  readonly changes: readonly Change[];
}

/** The source with its part of the bug; `null`: the place is not there, or there is more than one. */
export function planted(source: string, { from, to }: Change): string | null {
  const at = source.indexOf(from);
  if (at < 0 || source.includes(from, at + 1)) return null;
  return source.slice(0, at) + to + source.slice(at + from.length);
}
