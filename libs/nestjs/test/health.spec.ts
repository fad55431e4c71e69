// Specifies the health indicators that say how much is left: to restore, and to process.
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { StreamsApplication } from '#libs/millrace';
import { MillraceHealthIndicator, MillraceModule } from '#libs/nestjs';
import { FakeApplication, silentNestLogger } from './fake-application.ts';

const OPTIONS = { applicationId: 'orders', kafka: { brokers: ['localhost:1'] } };

let fake: FakeApplication;
let health: MillraceHealthIndicator;

beforeEach(async () => {
  fake = new FakeApplication();
  const module = await Test.createTestingModule({ imports: [MillraceModule.forRoot(OPTIONS)] })
    .setLogger(silentNestLogger)
    .overrideProvider(StreamsApplication)
    .useValue(fake)
    .compile();
  health = module.get(MillraceHealthIndicator);
});

describe('restoring', () => {
  const restore = (role: string, position: number): object => ({
    role,
    startOffset: 100,
    position,
    endOffset: 300,
  });

  it('is up where nothing is restored', () => {
    expect(health.isRestored().millrace).toEqual({
      status: 'up',
      state: 'CREATED',
      restoringTasks: 0,
      remainingOffsets: 0,
      restoredPercent: 100,
    });
  });

  it('says how much is left, of what tasks wait for and not of copies', () => {
    fake.figures = { openingTasks: ['0_1'], restores: [restore('active', 150), restore('standby', 100)] };
    expect(health.isRestored('state').state).toMatchObject({
      status: 'down',
      restoringTasks: 1,
      remainingOffsets: 150,
      restoredPercent: 25,
    });
    expect(health.isRestored('state', { offsetsMax: 149 }).state.status).toBe('down');
    expect(health.isRestored('state', { offsetsMax: 150 }).state.status).toBe('up');
  });

  it('is down while a task is opened of which nothing is known yet', () => {
    fake.figures = { openingTasks: ['0_1'], restores: [] };
    expect(health.isRestored().millrace.status).toBe('down');
  });
});

describe('lag', () => {
  const partition = (topic: string, lag: number | null, lagMs: number | null): object => ({
    topic,
    lag,
    lagMs,
  });

  beforeEach(() => {
    fake.insightTasks = [
      { partitions: [partition('orders', 10, 4_000), partition('payments', 0, 0)] },
      { partitions: [partition('orders', 20, 500), partition('payments', null, null)] },
    ];
  });

  it('is told with its worst topic, whatever the limits', () => {
    expect(health.isWithinLag('lag').lag).toEqual({
      status: 'up',
      state: 'CREATED',
      lagRecords: 30,
      lagMs: 4_000,
      unknownPartitions: 1,
      worstTopic: 'orders',
    });
  });

  it.each([
    [{ recordsMax: 30 }, 'up'],
    [{ recordsMax: 29 }, 'down'],
    [{ ageMsMax: 4_000 }, 'up'],
    [{ ageMsMax: 3_999 }, 'down'],
    [{ recordsMax: 29, ageMsMax: 4_000 }, 'down'],
  ])('is held to limits: %j is %s', (limits, status) => {
    expect(health.isWithinLag('lag', limits).lag.status).toBe(status);
  });
});
