// The reader against random logs of interleaved transactions, with fetches lost, refused and cut small. Whatever happens,
// under read_committed it gives what was committed: all of it, once, in order.
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import { KafkaRecordReader } from '../../src/reader/index.ts';
import { RpcFailure } from '../../src/rpc/index.ts';
import type { FetchAnswer } from '../../src/rpc/index.ts';
import { markerBatch, storedBatch, valuesOf } from '../support/batches.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeLogs } from '../support/fake-log.ts';
import { metadataOf, ScriptedRpc } from '../support/scripted-rpc.ts';

const SEEDS = 120;
const PARTITIONS = 2;
const PRODUCERS = 4;
const STEPS = 80;
/** Of a partition: nothing was read, try again. */
const REFUSALS = [6, 74, 75, 78, 56, -1];

function randomFrom(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 12)) >>> 0) / 4294967296;
  };
}

/** Fills a partition; gives what a committed reader must see, and the end offset. */
function fill(logs: FakeLogs, partition: number, random: () => number): { committed: string[]; end: number } {
  const log = logs.log('in', partition);
  const open = new Map<
    number,
    { firstOffset: number; values: { value: string; at: number }[]; sequence: number }
  >();
  const committed: { value: string; at: number }[] = [];
  const aborted: { producerId: bigint; firstOffset: number; lastOffset: number }[] = [];
  let offset = 0;
  const finish = (producerId: number): void => {
    const transaction = open.get(producerId)!;
    open.delete(producerId);
    const abort = random() < 0.4;
    logs.append('in', partition, markerBatch(offset, producerId, abort ? 'abort' : 'commit'));
    const { firstOffset } = transaction;
    if (abort) aborted.push({ producerId: BigInt(producerId), firstOffset, lastOffset: offset });
    else committed.push(...transaction.values);
    offset++;
  };
  for (let step = 0; step < STEPS; step++) {
    const producerId = Math.floor(random() * PRODUCERS);
    const transaction = open.get(producerId);
    if (transaction !== undefined && random() < 0.35) {
      finish(producerId);
      continue;
    }
    const count = 1 + Math.floor(random() * 3);
    const values = Array.from({ length: count }, (_, i) => (random() < 0.2 ? '\0\0\0\0' : `${offset + i}`));
    const plain = transaction === undefined && random() < 0.2;
    if (plain) {
      logs.append('in', partition, storedBatch(offset, values));
      committed.push(...values.map((value, i) => ({ value, at: offset + i })));
    } else {
      const current = transaction ?? { firstOffset: offset, values: [], sequence: 0 };
      open.set(producerId, current);
      logs.append(
        'in',
        partition,
        storedBatch(offset, values, { producerId, baseSequence: current.sequence }),
      );
      current.sequence += count;
      current.values.push(...values.map((value, i) => ({ value, at: offset + i })));
    }
    offset += count;
  }
  for (const producerId of [...open.keys()]) finish(producerId);
  log.aborted = aborted;
  committed.sort((a, b) => a.at - b.at);
  return { committed: committed.map(({ value }) => value), end: offset };
}

async function runSeed(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const clock = new FakeClock();
  const logs = new FakeLogs(clock);
  const rpc = new ScriptedRpc(clock).on('Metadata', metadataOf({ in: [1, 2] }));
  rpc.on('Fetch', async (request, target): Promise<FetchAnswer> => {
    if (random() < 0.1) throw new RpcFailure('unknown', target, 'Fetch', new Error('request lost'));
    if (random() < 0.1)
      logs.odd('in', Math.floor(random() * PARTITIONS), {
        errorCode: REFUSALS[Math.floor(random() * 6)]!,
        records: null,
      });
    if (random() < 0.05) logs.topLevelErrors.push(random() < 0.5 ? 70 : 71);
    const answer = await logs.fetch(request);
    if (random() < 0.1) throw new RpcFailure('unknown', target, 'Fetch', new Error('answer lost'));
    return answer;
  });
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const reader = new KafkaRecordReader(cluster, {
    isolation: 'read_committed',
    partitionMaxBytes: 80 + Math.floor(random() * 400),
    maxBufferedBytes: 200 + Math.floor(random() * 4_000),
  });
  const logsFilled = Array.from({ length: PARTITIONS }, (_, partition) => fill(logs, partition, random));
  const seen: string[][] = logsFilled.map(() => []);
  logsFilled.forEach((_, partition) => reader.assign('in', partition, 0));
  const until = clock.monotonic() + 600_000;
  while (logsFilled.some(({ end }, partition) => reader.position('in', partition) < end)) {
    if (clock.monotonic() > until) throw new Error('the reader does not reach the end');
    const chunk = reader.take();
    if (chunk === undefined) {
      await clock.run(reader.waitForChunk(1_000));
      continue;
    }
    for (const batch of chunk.batches) seen[chunk.partition]!.push(...valuesOf(batch, chunk.startOffset));
    if (random() < 0.1) {
      // A seek to where the reader is: what was buffered or under way for the old assignment must not come back.
      reader.assign('in', chunk.partition, chunk.nextOffset);
    }
  }
  expect(seen).toEqual(logsFilled.map(({ committed }) => committed));
  await reader.close();
}

describe('reading over an unreliable network', () => {
  it(`gives what was committed, once and in order (${SEEDS} seeds)`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await runSeed(seed);
      } catch (error) {
        throw new Error(`seed ${seed} failed`, { cause: error });
      }
    }
  }, 60_000);
});
