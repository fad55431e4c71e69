// Claims of tasks that are being opened: what an epoch that carries one commits, holds, and comes to.
import { describe, expect, it } from '@jest/globals';
import type { CommittableOffset, GroupMetadata } from '#libs/broker';
import { systemClock } from '#libs/core';
import { claimOffsets } from '../src/early-claims.ts';
import { EpochCoordinator } from '../src/epoch-coordinator.ts';
import type { CommitTarget, SealedEpoch } from '../src/epoch-commit.ts';
import { EpochLog } from '../src/insight/epoch-log.ts';
import { Flows } from '../src/insight/flows.ts';
import { decodeOffsetMetadata } from '../src/offset-metadata.ts';
import { OutputCollector } from '../src/output-collector.ts';
import type { OwningMember } from '../src/ownership.ts';
import type { StartingPoint } from '../src/starting-point.ts';

const GENERATION: GroupMetadata = { groupId: 'app', generationId: 3, memberId: 'm', groupInstanceId: null };
const OFFSETS: readonly CommittableOffset[] = [
  { topic: 'in', partition: 0, offset: 7, leaderEpoch: -1, metadata: '' },
];

function fixture() {
  const sent: SealedEpoch[] = [];
  const answers: { readonly commit: () => void; readonly fail: (error: Error) => void }[] = [];
  const target: CommitTarget = {
    stream: () => undefined,
    commit: (epoch) => {
      sent.push(epoch);
      return new Promise((resolve, reject) =>
        answers.push({ commit: () => resolve(new Map()), fail: reject }),
      );
    },
  };
  const member: OwningMember = {
    losses: 0,
    metadata: GENERATION,
    renewed: () => Promise.resolve(null),
  };
  const epochs = new EpochCoordinator({
    tasks: () => [],
    collector: new OutputCollector(16_384, 1_048_576),
    target,
    limits: { commitIntervalMs: 100_000, epochBytesMax: 1_000_000, commitWhenIdle: true },
    transactionalId: 'app-one-0',
    clock: systemClock,
    member: () => member,
    onCommitEnd: () => undefined,
    insight: new EpochLog(systemClock, new Flows()),
  });
  return { epochs, sent, answers };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a claim', () => {
  it('is committed with the next epoch, though nothing else is to be', async () => {
    const { epochs, sent, answers } = fixture();
    epochs.turn(false);
    expect(sent).toEqual([]);
    const claimed = epochs.claims.make('0_0', OFFSETS, new AbortController().signal);
    epochs.turn(false);
    expect(sent.map(({ offsets }) => offsets)).toEqual([OFFSETS]);
    answers[0]!.commit();
    expect(await claimed).toBe(true);
    epochs.turn(false);
    expect(sent).toHaveLength(1);
  });

  it('of a task that was given up before is never sent', () => {
    const { epochs, sent } = fixture();
    const abort = new AbortController();
    void epochs.claims.make('0_0', OFFSETS, abort.signal);
    abort.abort();
    epochs.turn(true);
    expect(sent).toEqual([]);
  });

  it('that is on its way is waited for before its task is given up', async () => {
    const { epochs, answers } = fixture();
    void epochs.claims.make('0_0', OFFSETS, new AbortController().signal);
    epochs.turn(false);
    await epochs.settledBeyond(['0_0']);
    let mayJoin = false;
    const beyond = epochs.settledBeyond(['0_1']).then(() => (mayJoin = true));
    await settled();
    expect(mayJoin).toBe(false);
    answers[0]!.commit();
    await beyond;
    expect(mayJoin).toBe(true);
  });

  it('comes to nothing when its epoch fails, or is abandoned', async () => {
    const { epochs, answers } = fixture();
    const failing = epochs.claims.make('0_0', OFFSETS, new AbortController().signal);
    epochs.turn(false);
    answers[0]!.fail(new Error('no'));
    expect(await failing).toBe(false);
    await epochs.settled();
    epochs.restart();
    const abandoned = epochs.claims.make('0_0', OFFSETS, new AbortController().signal);
    epochs.turn(false);
    epochs.restart();
    expect(await abandoned).toBe(false);
    answers[1]!.commit();
  });
});

describe('what a claim commits', () => {
  const start: StartingPoint = {
    offsets: new Map([
      ['in-0', 7],
      ['more-0', 0],
    ]),
    committed: new Set(['in-0']),
    leaderEpochs: new Map([['in-0', 2]]),
    epochId: 11,
    streamTime: 100,
    eventTime: 110,
    clocks: new Map([['abcdef', 90]]),
    goneStores: '',
    stores: new Map([['in-0', 'counts']]),
    needsClaim: true,
  };
  const inputs = [
    { topic: 'in', partition: 0 },
    { topic: 'more', partition: 0 },
  ];

  it('is where the task starts, with all that was known of it, under a new name and epoch', () => {
    const offsets = claimOffsets(start, inputs, 'app-two-0')!;
    expect(offsets.map(({ topic, offset, leaderEpoch }) => [topic, offset, leaderEpoch])).toEqual([
      ['in', 7, 2],
      ['more', 0, -1],
    ]);
    const [first, second] = offsets.map(({ metadata }) => decodeOffsetMetadata(metadata)!);
    expect(first).toEqual({
      epochId: 12,
      streamTime: 100,
      transactionalId: 'app-two-0',
      eventTime: 110,
      clocks: new Map([['abcdef', 90]]),
      stores: 'counts',
    });
    expect(second).toMatchObject({ epochId: 12, transactionalId: 'app-two-0', stores: '' });
  });

  it('is left to the task where it does not fit beside an offset', () => {
    expect(claimOffsets(start, inputs, 'x'.repeat(4_000))).toBeNull();
  });
});
