// Owns the one assertion helper. It never validates user input: that is a MillraceError's business.

/**
 * States what must hold. A failure is a defect of Millrace, never of its user.
 * @throws Error when `condition` is false.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Millrace invariant broken: ${message}`);
}
