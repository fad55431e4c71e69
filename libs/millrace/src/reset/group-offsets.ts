// Owns what the offsets of an application's group say: where each input stands, whose transactions they were, which stores were written, and
// whether an earlier reset was left half done.
import type { BrokerAdmin } from '#libs/broker';
import { decodeOffsetMetadata, decodeResetMark } from '#libs/runtime';
import type { CurrentOffset } from './targets.ts';

export interface GroupOffsets {
  /** Before any reset, where one was cut off. */
  readonly offsets: readonly CurrentOffset[];
  readonly unfinished: boolean;
  /** Fingerprints of the stores of all tasks. */
  readonly stores: string;
  /** Transactional ids that have committed them. */
  readonly transactionalIds: ReadonlySet<string>;
}

export async function readGroupOffsets(admin: BrokerAdmin, groupId: string): Promise<GroupOffsets> {
  const committed = await admin.committedOffsets(groupId, null, { requireStable: false });
  const offsets: CurrentOffset[] = [];
  const stores = new Set<string>();
  const transactionalIds = new Set<string>();
  let unfinished = false;
  for (const [key, { offset, metadata }] of committed) {
    const mark = decodeResetMark(metadata);
    const at = key.lastIndexOf('-');
    const place = { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) };
    offsets.push({ ...place, offset: mark === null ? offset : mark.offsetBefore });
    if (mark !== null) {
      unfinished = true;
      stores.add(mark.stores);
      continue;
    }
    const decoded = decodeOffsetMetadata(metadata);
    if (decoded === null) continue;
    stores.add(decoded.stores);
    if (decoded.transactionalId.startsWith(`${groupId}-`)) transactionalIds.add(decoded.transactionalId);
  }
  offsets.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
  return { offsets, unfinished, stores: [...stores].join(''), transactionalIds };
}
