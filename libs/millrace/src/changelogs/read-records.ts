// Owns reading committed records of some partitions between two offsets, encoded as they are: no group, no serde.
import { RecordColumns } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { TopicPartition } from '#libs/core';

const WAIT_MS = 500;

export interface RecordSpan extends TopicPartition {
  readonly from: number;
  /** Not read any more. */
  readonly to: number;
}

export interface ReadProgress {
  /** Offsets passed, of `total`. */
  readonly done: number;
  readonly total: number;
}

/**
 * Shows each record, in the order of its partition, until `visit` gives `false`; a promise is waited for. Resolves with whether all was shown.
 * The columns are overwritten afterwards: what is kept of a key or value must be detached (libs/serde).
 */
export async function readRecords(
  client: BrokerClient,
  spans: readonly RecordSpan[],
  visit: (
    columns: RecordColumns,
    index: number,
    partition: number,
  ) => boolean | void | Promise<boolean | void>,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  } = {},
): Promise<boolean> {
  const { signal, onProgress } = options;
  const open = new Map<string, RecordSpan & { at: number }>();
  let [done, total] = [0, 0];
  const reader = client.createReader({ isolation: 'read_committed' });
  const wake = (): void => reader.wake();
  signal?.addEventListener('abort', wake);
  try {
    for (const span of spans) {
      if (span.from >= span.to) continue;
      reader.assign(span.topic, span.partition, span.from);
      open.set(formatTopicPartition(span.topic, span.partition), { ...span, at: span.from });
      total += span.to - span.from;
    }
    const columns = new RecordColumns();
    while (open.size > 0) {
      signal?.throwIfAborted();
      const chunk = reader.take();
      if (chunk === undefined) {
        await reader.waitForChunk(WAIT_MS);
        // What is at the end may be markers alone, of which nothing is delivered.
        for (const [name, span] of open) advance(name, span, reader.position(span.topic, span.partition));
        continue;
      }
      const name = formatTopicPartition(chunk.topic, chunk.partition);
      const span = open.get(name);
      if (span === undefined) continue;
      for (const batch of chunk.batches) {
        columns.decode(batch, chunk.startOffset);
        for (let i = 0; i < columns.count && columns.offsets[i]! < span.to; i++) {
          const answer = visit(columns, i, chunk.partition);
          // Nothing is awaited for a record unless the visitor does.
          if (typeof answer === 'object' ? (await answer) === false : answer === false) return false;
        }
      }
      advance(name, span, chunk.nextOffset);
    }
    return true;
  } finally {
    signal?.removeEventListener('abort', wake);
    await reader.close();
  }

  function advance(name: string, span: RecordSpan & { at: number }, position: number): void {
    const at = Math.min(position, span.to);
    if (at <= span.at) return;
    done += at - span.at;
    span.at = at;
    onProgress?.({ done, total });
    if (at < span.to) return;
    open.delete(name);
    reader.unassign(span.topic, span.partition);
  }
}
