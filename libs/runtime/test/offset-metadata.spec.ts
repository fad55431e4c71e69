import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeOffsetMetadata, encodeOffsetMetadata } from '../src/index.ts';
import { METADATA_BYTES_MAX, metadataBytesMax, shortHash } from '../src/offset-metadata.ts';

const time = fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 52 }));

describe('the metadata beside an offset', () => {
  it('comes back as it was, but for clocks that were never set', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        time,
        time,
        fc.array(fc.tuple(fc.string({ minLength: 1 }), time), { maxLength: 20 }),
        (epochId, streamTime, eventTime, named) => {
          const clocks = new Map(named.map(([name, now]) => [shortHash(name), now]));
          const stores = shortHash('a store', 18);
          const metadata = { epochId, streamTime, transactionalId: 'app-one-0', eventTime, clocks, stores };
          const decoded = decodeOffsetMetadata(encodeOffsetMetadata(metadata));
          const set = new Map([...clocks].filter(([, now]) => now >= 0));
          expect(decoded).toEqual({ ...metadata, clocks: set });
        },
      ),
    );
  });

  it('is read as the first version wrote it: event time is stream time then', () => {
    expect(decodeOffsetMetadata('[1,7,99,"app-one-0"]')).toEqual({
      epochId: 7,
      streamTime: 99,
      transactionalId: 'app-one-0',
      eventTime: 99,
      clocks: new Map(),
      stores: '',
    });
  });

  it.each(['', 'text', '[', '[2,1,1,"x"]', '[1,"a",1,"x"]', '{}', null])(
    'is nobody’s when it is %j',
    (text) => {
      expect(decodeOffsetMetadata(text)).toBeNull();
    },
  );

  it('takes no more bytes than are reckoned with at start', () => {
    const transactionalId = 'application-instance-0';
    for (const count of [0, 1, 50, 200]) {
      const clocks = new Map(
        Array.from({ length: count }, (_, i): [string, number] => [shortHash(`operator ${i}`), i * 7]),
      );
      const text = encodeOffsetMetadata({
        epochId: Number.MAX_SAFE_INTEGER,
        streamTime: 2 ** 52,
        transactionalId,
        eventTime: 2 ** 52,
        clocks,
        stores: '',
      });
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(metadataBytesMax(transactionalId, count, ''));
    }
    expect(metadataBytesMax(transactionalId, 200, '')).toBeLessThanOrEqual(METADATA_BYTES_MAX);
  });
});
