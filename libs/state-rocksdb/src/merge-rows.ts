// Owns putting sorted scans together to one. It never reads ahead by more than a row per scan.
import type { DatabaseRow } from '#libs/state';

/** The rows of all scans in the order of their keys, which is that of each of them; a key is in one of them only. */
export async function* mergeRows(
  scans: readonly AsyncGenerator<DatabaseRow, void>[],
  descending = false,
): AsyncGenerator<DatabaseRow> {
  try {
    // All are begun at once: opening one takes longest.
    const heads = await Promise.all(scans.map((scan) => scan.next()));
    for (;;) {
      let first: DatabaseRow | null = null;
      let at = -1;
      for (const [i, head] of heads.entries()) {
        if (head.done === true || (first !== null && first.key < head.value.key !== descending)) continue;
        first = head.value;
        at = i;
      }
      if (first === null) return;
      yield first;
      heads[at] = await scans[at]!.next();
    }
  } finally {
    await Promise.all(scans.map((scan) => scan.return(undefined)));
  }
}
