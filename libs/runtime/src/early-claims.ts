// Owns the claims of tasks that are being opened: their starting offsets, committed anew with this worker's id beside them, so that a
// successor finds out whose transaction hangs should the worker die in the first one with records of the task. A claim goes with the next
// epoch, while the task's state is opened and restored; a task whose claim came to nothing makes one as it begins to run.
//
// A claim is an offset commit of a task that does not run yet. For ownership.ts it is one like any other: an epoch that carries it holds
// the task, and a claim of a task that is given up before its epoch is sealed is never sent.
import type { CommittableOffset } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { METADATA_BYTES_MAX, encodeOffsetMetadata } from './offset-metadata.ts';
import type { StartingPoint } from './starting-point.ts';

export interface Claim {
  readonly task: string;
  readonly offsets: readonly CommittableOffset[];
  readonly settle: (committed: boolean) => void;
}

interface WaitingClaim extends Claim {
  readonly signal: AbortSignal;
}

export class EarlyClaims {
  private readonly waiting = new Map<string, WaitingClaim>();

  /** Resolves to whether it was committed; false also where that is not known. Once `signal` is aborted it need not resolve. */
  make(task: string, offsets: readonly CommittableOffset[], signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      this.waiting.set(task, { task, offsets, signal, settle: resolve });
    });
  }

  get isEmpty(): boolean {
    for (const { signal } of this.waiting.values()) if (!signal.aborted) return false;
    return true;
  }

  /** Those that go with the epoch being sealed, which settles them. */
  take(): readonly Claim[] {
    const claims = [...this.waiting.values()].filter(({ signal }) => !signal.aborted);
    this.waiting.clear();
    return claims;
  }
}

/** What claims a task for `transactionalId`; `null`: it does not fit beside an offset, and the task will say why. */
export function claimOffsets(
  start: StartingPoint,
  inputs: readonly TopicPartition[],
  transactionalId: string,
): readonly CommittableOffset[] | null {
  const { epochId, streamTime, eventTime, clocks } = start;
  const offsets: CommittableOffset[] = [];
  for (const { topic, partition } of inputs) {
    const key = formatTopicPartition(topic, partition);
    // Nothing is known yet of the stores but what they were written as.
    const stores = start.stores.get(key) ?? '';
    const metadata = encodeOffsetMetadata({
      epochId: epochId + 1,
      streamTime,
      transactionalId,
      eventTime,
      clocks,
      stores,
    });
    if (metadata.length > METADATA_BYTES_MAX) return null;
    const offset = start.offsets.get(key)!;
    offsets.push({ topic, partition, offset, leaderEpoch: start.leaderEpochs.get(key) ?? -1, metadata });
  }
  return offsets;
}
