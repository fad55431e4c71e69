// Specifies that what could not be deleted of a repartition topic is deleted later, though no more was consumed since.
import { expect, it } from '@jest/globals';
import { silentLogger, systemClock, yieldToIo } from '#libs/core';
import { RepartitionTrimmer } from '../src/repartition-trimmer.ts';

it('tries again what could not be deleted, and does not delete the same twice', async () => {
  let now = 0;
  const asked: number[] = [];
  const admin = {
    committedOffsets: async () => new Map([['re-0', { offset: 7, leaderEpoch: 0, metadata: '' }]]),
    deleteRecords: async ([first]: readonly { readonly offset: number }[]) => {
      asked.push(first!.offset);
      if (asked.length === 1) throw new Error('not allowed');
    },
  };
  const trimmer = new RepartitionTrimmer(
    { applicationId: 'app', internalInputs: new Set(['re']) } as never,
    admin as never,
    { tasks: [{ group: { queues: [{ topic: 're', partition: 0 }] } }] } as never,
    { ...systemClock, monotonic: () => now },
    silentLogger,
  );
  for (let round = 0; round < 4; round++) {
    now += 60_000;
    trimmer.turn();
    await yieldToIo(systemClock);
  }
  expect(asked).toEqual([7, 7]);
});
