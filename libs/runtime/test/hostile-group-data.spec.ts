// Specifies that what members of a group, and whoever commits offsets for it, may say is read or refused with a code, whatever its bytes; and
// costs no more than its length.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MillraceError } from '#libs/core';
import {
  decodeAssignmentData,
  decodeMemberData,
  encodeAssignmentData,
  encodeMemberData,
} from '../src/assignor/group-data.ts';
import { decodeOffsetMetadata, encodeOffsetMetadata } from '../src/offset-metadata.ts';
import { readCursor } from '../src/queries/store-reader.ts';

/** How many characters it comes to as text, where it is read. */
function read(decode: () => unknown): number {
  try {
    const decoded = decode();
    expect(Object.keys(Object.prototype)).toEqual([]);
    return JSON.stringify(decoded, (_key, value: unknown) => (value instanceof Map ? [...value] : value))
      .length;
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    return 0;
  }
}

const MEMBER = encodeMemberData({
  transactionalId: 'app-one-0',
  instanceId: 'one',
  tasks: ['0_0', '0_1', '1_7'],
  expects: ['0_3'],
  standbys: ['0_4'],
  positions: new Map([['0_0', 17]]),
  rack: 'r1',
  applicationServer: '10.0.0.7:8080',
  capacity: 1,
  shapes: null,
  repeats: 0,
});
const ASSIGNMENT = encodeAssignmentData(
  {
    active: ['0_0', '0_1', '1_7'],
    standby: ['0_3'],
    warmup: [],
    givesUp: [],
    expects: [],
    live: ['app-one-0'],
    departed: ['app-two-0'],
    handover: true,
    memberCount: 2,
    seen: 7,
    hosts: [{ host: '10.0.0.7:8080', active: ['0_0'], standby: [] }],
    probeInMs: 5,
  },
  2,
);
const METADATA = Buffer.from(
  encodeOffsetMetadata({
    epochId: 7,
    streamTime: 1_000,
    transactionalId: 'app-one-0',
    eventTime: 1_000,
    clocks: new Map([['abcdefgh', 990]]),
    stores: '',
  }),
);
/** A run of tasks is a few bytes; a million of them is the most that is read. */
const TASKS_TEXT_MAX = 16_000_000;

it.each<[string, Uint8Array, (bytes: Uint8Array) => unknown]>([
  ['what a member says', MEMBER, (bytes) => decodeMemberData('m', bytes)],
  ['an assignment', ASSIGNMENT, (bytes) => decodeAssignmentData(bytes)],
  ['what is beside an offset', METADATA, (bytes) => decodeOffsetMetadata(Buffer.from(bytes).toString())],
  [
    'a cursor',
    Buffer.from('[[0,null],[1,"AAAA"]]'),
    (bytes) => readCursor('s', Buffer.from(bytes).toString('base64url')),
  ],
])('%s is read, or refused', (_what, sound, decode) => {
  expect(read(() => decode(sound))).toBeGreaterThan(1);
  const change = fc.tuple(fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.boolean(),
      (changes, cut, isCut) => {
        const bytes = Buffer.from(sound);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const given = isCut ? bytes.subarray(0, cut % bytes.length) : bytes;
        expect(read(() => decode(given))).toBeLessThan(TASKS_TEXT_MAX);
      },
    ),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(read(() => decode(bytes))).toBeLessThan(TASKS_TEXT_MAX);
    }),
    { numRuns: 500 },
  );
  for (const json of [
    '[[[[',
    '{"__proto__":{"a":1}}',
    '['.repeat(100_000),
    '[1,2,3]',
    '{"version":2,"more":1}',
    'null',
    '""',
  ])
    read(() => decode(Buffer.from(json)));
});
