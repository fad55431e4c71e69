// Owns the order in which systems are measured.

/** A, B, B, A, …: what drifts on the machine meets both. The first `discard` runs of each do not count. */
export function inTurn<S>(
  systems: readonly S[],
  discard: number,
  repeat: number,
): { readonly system: S; readonly counts: boolean }[] {
  return Array.from({ length: discard + repeat }, (_, round) =>
    (round % 2 === 0 ? systems : systems.toReversed()).map((system) => ({
      system,
      counts: round >= discard,
    })),
  ).flat();
}
