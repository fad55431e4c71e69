// The framing that Kafka's tools read.
import { describe, expect, it } from '@jest/globals';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/group/consumer-protocol.ts';

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

describe('a subscription', () => {
  it('comes back as it was written', () => {
    const subscription = {
      topics: ['orders', 'ünïcode'],
      ownedPartitions: [
        { topic: 'orders', partition: 0 },
        { topic: 'orders', partition: 7 },
        { topic: 'other', partition: 1 },
      ],
      userData: text('ours'),
    };
    expect(decodeSubscription(encodeSubscription(subscription, 9))).toEqual({
      ...subscription,
      generationId: 9,
    });
  });

  it('is laid out as ConsumerProtocolSubscription version 3', () => {
    const bytes = encodeSubscription(
      { topics: ['t'], ownedPartitions: [{ topic: 't', partition: 2 }], userData: text('u') },
      5,
    );
    expect(bytes.toString('hex')).toBe(
      [
        '0003',
        '00000001',
        '000174',
        '00000001',
        '75',
        '00000001',
        '000174',
        '00000001',
        '00000002',
        '00000005',
        'ffff',
      ].join(''),
    );
  });

  it('of version 0 has neither owned partitions nor a generation', () => {
    const bytes = Buffer.from('0000' + '00000001' + '000174' + 'ffffffff', 'hex');
    expect(decodeSubscription(bytes)).toEqual({
      topics: ['t'],
      userData: new Uint8Array(0),
      ownedPartitions: [],
      generationId: -1,
    });
  });

  it('of a newer version is read as far as it is known', () => {
    const bytes = Buffer.concat([
      encodeSubscription({ topics: ['t'], ownedPartitions: [], userData: text('') }, 1),
      text('new'),
    ]);
    bytes.writeInt16BE(9, 0);
    expect(decodeSubscription(bytes).topics).toEqual(['t']);
  });

  it.each(['', '00', '0003', '00037fffffff', '000300000001000f74', '0003ffffffff'])(
    'of bytes %s is refused with a code',
    (hex) => {
      expect(() => decodeSubscription(Buffer.from(hex, 'hex'))).toThrow(/MILLRACE_PROTOCOL_ERROR/);
    },
  );
});

describe('an assignment', () => {
  it('comes back as it was written', () => {
    const assignment = { partitions: [{ topic: 'orders', partition: 3 }], userData: text('tasks') };
    expect(decodeAssignment(encodeAssignment(assignment))).toEqual(assignment);
  });

  it('of no bytes is empty', () => {
    expect(decodeAssignment(Buffer.alloc(0))).toEqual({ partitions: [], userData: new Uint8Array(0) });
  });
});
