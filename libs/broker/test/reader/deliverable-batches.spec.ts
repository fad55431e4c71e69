// Which batches of an answer are delivered.
import { describe, expect, it } from '@jest/globals';
import { deliverableBatches } from '../../src/reader/deliverable-batches.ts';
import type { AbortedTransaction } from '../../src/rpc/index.ts';
import { markerBatch, storedBatch, valuesOf, viewOf } from '../support/batches.ts';

function delivered(bytes: readonly Buffer[], aborted: AbortedTransaction[] = [], startOffset = 0): string[] {
  const views = bytes.map(viewOf);
  const { batches } = deliverableBatches(views, startOffset, 'read_committed', aborted);
  return batches.flatMap((batch) => valuesOf(batch, startOffset));
}

const transactional = (offset: number, producerId: number, ...values: string[]): Buffer =>
  storedBatch(offset, values, { producerId });

describe('under read_committed', () => {
  it('delivers what was committed and leaves out what was aborted, interleaved', () => {
    const log = [
      transactional(0, 1, 'a'),
      transactional(1, 2, 'b'),
      transactional(2, 1, 'c'),
      markerBatch(3, 1, 'abort'),
      transactional(4, 2, 'd'),
      markerBatch(5, 2, 'commit'),
    ];
    expect(delivered(log, [{ producerId: 1n, firstOffset: 0 }])).toEqual(['b', 'd']);
  });

  it('takes the index in any order', () => {
    const log = [
      transactional(0, 1, 'a'),
      markerBatch(1, 1, 'abort'),
      transactional(2, 1, 'b'),
      markerBatch(3, 1, 'commit'),
      transactional(4, 1, 'c'),
      markerBatch(5, 1, 'abort'),
    ];
    const index = [
      { producerId: 1n, firstOffset: 4 },
      { producerId: 1n, firstOffset: 0 },
    ];
    expect(delivered(log, index)).toEqual(['b']);
  });

  it('leaves out an aborted batch whose marker lies beyond the answer', () => {
    expect(delivered([transactional(0, 1, 'a')], [{ producerId: 1n, firstOffset: 0 }])).toEqual([]);
  });

  it('leaves out the rest of a transaction that began in an earlier answer', () => {
    const log = [transactional(7, 1, 'late'), markerBatch(8, 1, 'abort'), transactional(9, 1, 'next')];
    expect(delivered(log, [{ producerId: 1n, firstOffset: 2 }], 7)).toEqual(['next']);
  });

  it('never takes a record with a key of four zero bytes for a marker', () => {
    const zeros = '\0\0\0\0';
    const log = [transactional(0, 1, zeros), transactional(1, 1, 'more'), markerBatch(2, 1, 'abort')];
    expect(delivered(log, [{ producerId: 1n, firstOffset: 0 }])).toEqual([]);
    expect(delivered([transactional(0, 3, zeros), markerBatch(1, 3, 'commit')])).toEqual([zeros]);
  });

  it('delivers what the same producer wrote without a transaction', () => {
    const log = [storedBatch(0, ['plain'], { producerId: 1, isTransactional: false })];
    expect(delivered(log, [{ producerId: 1n, firstOffset: 0 }])).toEqual(['plain']);
  });
});

describe('the position', () => {
  it('moves behind control and aborted batches, also when nothing is delivered', () => {
    const views = [transactional(0, 1, 'a', 'b'), markerBatch(2, 1, 'abort')].map(viewOf);
    const result = deliverableBatches(views, 0, 'read_committed', [{ producerId: 1n, firstOffset: 0 }]);
    expect(result).toEqual({ batches: [], nextOffset: 3, leaderEpoch: 5 });
  });

  it('stays where it was when the answer is older', () => {
    const views = [storedBatch(0, ['a', 'b'])].map(viewOf);
    expect(deliverableBatches(views, 9, 'read_uncommitted', []).nextOffset).toBe(9);
  });

  it('within a batch delivers the batch, whose records before it the decoder skips', () => {
    expect(delivered([storedBatch(4, ['four', 'five', 'six'])], [], 5)).toEqual(['five', 'six']);
  });
});

describe('under read_uncommitted', () => {
  it('delivers aborted records but never markers', () => {
    const views = [transactional(0, 1, 'a'), markerBatch(1, 1, 'abort')].map(viewOf);
    const result = deliverableBatches(views, 0, 'read_uncommitted', []);
    expect(result.batches).toHaveLength(1);
    expect(result.nextOffset).toBe(2);
  });
});
