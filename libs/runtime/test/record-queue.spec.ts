// How an input's chunks are decoded for reading ahead: in pieces, each seen before any record of it.
import { describe, expect, it } from '@jest/globals';
import type { FetchedChunk, RecordColumns } from '#libs/broker';
import { Serdes, compileCodec } from '#libs/serde';
import type { Serde } from '#libs/serde';
import type { SourceSpec } from '#libs/topology';
import { Flows } from '../src/insight/flows.ts';
import { RecordQueue } from '../src/record-queue.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';

const text = Serdes.string() as Serde<unknown>;
const SOURCE = { name: 'in', topic: 'in', kind: 'stream', timestampExtractor: null } as SourceSpec;

/** A chunk of batches of so many records each. */
function chunkOf(sizes: readonly number[]): FetchedChunk {
  const broker = new InProcessBroker();
  broker.createTopic('in', 1);
  let key = 0;
  for (const size of sizes) {
    const records = Array.from({ length: size }, () => ({ key: `${key++}`, value: 'v', timestamp: 1 }));
    broker.produce('in', 0, records);
  }
  return {
    topic: 'in',
    partition: 0,
    startOffset: 0,
    batches: broker.log('in', 0).batches,
    nextOffset: key,
    leaderEpoch: 0,
    highWatermark: key,
    lastStableOffset: key,
    byteLength: 1_000,
    heldBytes: 1_000,
  };
}

function drain(sizes: readonly number[], onPiece: (batches: number, records: number) => void): number[] {
  const flow = new Flows().input({ subTopology: 0, source: 'in', topic: 'in', kind: 'stream' });
  const codec = compileCodec(text);
  const queue = new RecordQueue(SOURCE, 0, 'in', 0, codec, codec, 0, -1, flow);
  queue.offer(chunkOf(sizes));
  const seen = (batches: readonly RecordColumns[], count: number): void => {
    onPiece(
      count,
      batches.slice(0, count).reduce((sum, columns) => sum + columns.count, 0),
    );
  };
  const offsets: number[] = [];
  while (queue.prepare(seen)) {
    offsets.push(queue.columns.offsets[queue.index]!);
    queue.advance();
  }
  expect(queue.isEmpty).toBe(true);
  expect(queue.bufferedBytes).toBe(0);
  return offsets;
}

describe('reading ahead for a chunk', () => {
  it('is for a bounded number of batches at a time, however small they are', () => {
    const sizes = new Array<number>(600).fill(1);
    const pieces: number[] = [];
    const offsets = drain(sizes, (batches) => pieces.push(batches));
    expect(offsets).toEqual(sizes.map((_, index) => index));
    expect(pieces).toEqual([256, 256, 88]);
  });

  it('is for a bounded number of records at a time', () => {
    const pieces: number[] = [];
    const offsets = drain([1_500, 1_500, 1_500, 1_500, 9_000, 10], (_, records) => pieces.push(records));
    expect(offsets).toHaveLength(15_010);
    expect(pieces).toEqual([4_500, 10_500, 10]);
  });
});
