// Owns putting sorted scans together to one. It never reads ahead by more than a row per scan.
import type { DatabaseRow } from '#libs/state';

/** The rows of all scans in the order of their keys; a key is in one of them only. */
export async function* mergeRows(
  scans: readonly AsyncGenerator<DatabaseRow, void>[],
): AsyncGenerator<DatabaseRow> {
  try {
    // All are begun at once: opening one takes longest.
    const heads = await Promise.all(scans.map((scan) => scan.next()));
    for (;;) {
      let lowest: DatabaseRow | null = null;
      let at = -1;
      for (const [i, head] of heads.entries()) {
        if (head.done === true || (lowest !== null && lowest.key < head.value.key)) continue;
        lowest = head.value;
        at = i;
      }
      if (lowest === null) return;
      yield lowest;
      heads[at] = await scans[at]!.next();
    }
  } finally {
    await Promise.all(scans.map((scan) => scan.return(undefined)));
  }
}
