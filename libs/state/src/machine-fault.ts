// Owns telling a machine that cannot keep state from state that is bad: a full disk is no reason to give up what lies on it.

const LACKS =
  /permission denied|no space left|quota exceeded|too many open files|read-only file system|cannot allocate memory|input\/output error/i;

/** True: space, rights, files or memory are missing, or the disk itself fails; other files in place of these would fare no better. */
export function isMachineFault(error: unknown): boolean {
  // A binding wraps what the database said; its errors may come from another realm, where they are no `Error` of ours.
  for (
    let at: unknown = error;
    typeof at === 'object' && at !== null;
    at = (at as { cause?: unknown }).cause
  ) {
    const { message } = at as { message?: unknown };
    if (typeof message === 'string' && LACKS.test(message)) return true;
  }
  return false;
}
