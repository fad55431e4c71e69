// Specifies that small batches which unfold to much are held one part at a time, each counted as what it unfolds to; and that one which
// unfolds to more than it may is refused with its place, the limit and the option.
import { expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type { CompressionType } from '../../src/compression/index.ts';
import type { FetchedChunk } from '../../src/contracts/index.ts';
import { KafkaRecordReader } from '../../src/reader/index.ts';
import { compressBatch, RecordBatchEncoder, stampBatch } from '../../src/record-batch/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeLogs } from '../support/fake-log.ts';
import { metadataOf, ScriptedRpc } from '../support/scripted-rpc.ts';

const MEBIBYTE = 1024 * 1024;

/** One record of so many bytes, all alike. */
function folded(baseOffset: number, bytes: number, type: CompressionType): Buffer {
  const encoder = new RecordBatchEncoder();
  encoder.append(1_000, null, 'x'.repeat(bytes) as BinaryString);
  const batch = compressBatch(encoder.finish()!, type);
  stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
  const stored = Buffer.from(batch.bytes);
  stored.writeBigInt64BE(BigInt(baseOffset), 0);
  return stored;
}

function fixture(decompressedBytesMax?: number) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock);
  const logs = new FakeLogs(clock);
  rpc.on('Metadata', metadataOf({ in: [1] })).on('Fetch', logs.fetch);
  const limit = decompressedBytesMax === undefined ? {} : { decompressedBytesMax };
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000, ...limit });
  const reader = new KafkaRecordReader(cluster, { isolation: 'read_committed' });
  const next = async (): Promise<FetchedChunk> => {
    for (;;) {
      const chunk = reader.take();
      if (chunk !== undefined) return chunk;
      await clock.run(reader.waitForChunk(1_000));
    }
  };
  return { logs, reader, next };
}

it('gives what one fetch brought in parts of a few megabytes unfolded, in order and without a gap', async () => {
  const { logs, reader, next } = fixture();
  const batches = Array.from({ length: 6 }, (_, offset) => folded(offset, 3 * MEBIBYTE, 'zstd'));
  logs.append('in', 0, ...batches, folded(6, 10, 'none'));
  reader.assign('in', 0, 0);
  const taken: FetchedChunk[] = [];
  while (reader.position('in', 0) < 7) taken.push(await next());
  expect(taken.map(({ startOffset, nextOffset }) => [startOffset, nextOffset])).toEqual([
    [0, 2],
    [2, 4],
    [4, 6],
    [6, 7],
  ]);
  for (const { heldBytes, byteLength } of taken.slice(0, 3)) {
    expect(heldBytes).toBeGreaterThan(6 * MEBIBYTE);
    expect(heldBytes).toBeLessThan(7 * MEBIBYTE);
    expect(byteLength).toBeLessThan(MEBIBYTE);
  }
  expect(taken[3]!.heldBytes).toBe(taken[3]!.byteLength);
  expect(reader.bufferedBytes).toBe(0);
});

it.each(['gzip', 'lz4', 'zstd'] as const)(
  'refuses a %s batch beyond the limit by its place',
  async (type) => {
    const { logs, reader, next } = fixture(2 * MEBIBYTE);
    logs.append('in', 0, folded(0, 10, type), folded(1, 3 * MEBIBYTE, type));
    reader.assign('in', 0, 0);
    const refusal = async (): Promise<unknown> => next().catch((error: unknown) => error);
    expect(await refusal()).toMatchObject({
      code: 'MILLRACE_BATCH_TOO_LARGE',
      message: expect.stringMatching(/2097152 bytes.*kafka\.maxDecompressedBytes/),
      context: { topic: 'in', partition: 0, maxBytes: 2 * MEBIBYTE },
    });
    // And so the next time: what is refused is not passed over.
    expect(await refusal()).toMatchObject({ code: 'MILLRACE_BATCH_TOO_LARGE' });
  },
);
