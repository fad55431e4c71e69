// Specifies looking at dead letters and putting them back: exactly once, whatever is chosen and wherever a run is killed.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sleep, systemClock } from '#libs/core';
import {
  DEAD_LETTER_HEADERS as NAMES,
  REDRIVE_COUNT_HEADER,
  SimulatedKafka,
  peekDeadLetters,
  redriveDeadLetters,
  summarizeDeadLetters,
} from '../src/index.ts';
import type { DeadLetterFilter, RedriveOptions, SimulatedConnection } from '../src/index.ts';
import { RedriveProgress } from '../src/dead-letters/redrive-progress.ts';

const APPLICATION = 'app';

interface Letter {
  readonly id: string;
  readonly code?: string;
  readonly origin?: string | null;
  readonly partition?: number;
  readonly failedAt?: number;
  readonly redrives?: number;
}

function deadRecord({ id, code = 'E', origin = 'in', partition = 0, failedAt = 5, redrives = 0 }: Letter) {
  const said: Record<string, string> = {
    trace: `trace-${id}`,
    [NAMES.exception]: 'TypeError',
    [NAMES.message]: `${id} failed`,
    [NAMES.code]: code,
    [NAMES.failedAt]: String(failedAt),
    ...(origin === null
      ? {}
      : { [NAMES.topic]: origin, [NAMES.partition]: String(partition), [NAMES.offset]: '7' }),
    ...(redrives === 0 ? {} : { [REDRIVE_COUNT_HEADER]: String(redrives) }),
  };
  const headers = Object.entries(said).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  return { key: `key-${id}`, value: id, timestamp: 1_000, headers };
}

function clusterWith(letters: readonly Letter[], partitions = 1): SimulatedKafka {
  const kafka = new SimulatedKafka();
  kafka.createTopic('dead', partitions);
  kafka.createTopic('in', 2);
  kafka.createTopic('other', 1);
  kafka.publish('dead', letters.map(deadRecord));
  return kafka;
}

const of = (
  kafka: SimulatedConnection,
): { kafka: SimulatedConnection; applicationId: string; topic: string } => ({
  kafka,
  applicationId: APPLICATION,
  topic: 'dead',
});

/** What lies in a topic, as it would be read as dead letters. */
async function inTopic(kafka: SimulatedConnection, topic: string) {
  return peekDeadLetters({ kafka, applicationId: 'reader', topic, limit: Infinity });
}

async function idsIn(kafka: SimulatedConnection, topic: string): Promise<string[]> {
  return (await inTopic(kafka, topic)).map(({ value }) => Buffer.from(value!).toString());
}

describe('looking at dead letters', () => {
  const kafka = clusterWith([
    { id: 'a', code: 'X', failedAt: 10 },
    { id: 'b', code: 'Y', failedAt: 20, origin: 'other' },
    { id: 'c', code: 'X', failedAt: 30 },
  ]);

  it('counts them by code, exception and origin', async () => {
    expect(await summarizeDeadLetters(of(kafka))).toEqual({
      pending: 3,
      done: 0,
      byCode: { X: 2, Y: 1 },
      byException: { TypeError: 3 },
      byOrigin: { in: 2, other: 1 },
      byNode: { unknown: 3 },
      oldest: 10,
      newest: 30,
    });
  });

  it('shows one with its origin and its own headers', async () => {
    const [letter] = await peekDeadLetters({ ...of(kafka), limit: 1 });
    expect(letter).toMatchObject({
      offset: 0,
      origin: { topic: 'in', partition: 0, offset: 7, timestamp: 1_000 },
      code: 'X',
      message: 'a failed',
      attempts: null,
      redrives: 0,
    });
    expect(letter!.headers.map(({ key }) => key)).toEqual(['trace']);
  });

  it.each<[string, DeadLetterFilter, string[]]>([
    ['a code', { codes: ['Y'] }, ['b']],
    ['an origin', { origins: ['in'] }, ['a', 'c']],
    ['offsets', { offsets: { from: 1, to: 2 } }, ['b']],
    ['the time of failure', { failed: { from: 20 } }, ['b', 'c']],
    ['a key', { key: 'key-c' }, ['c']],
    ['an exception', { exceptions: ['RangeError'] }, []],
    ['what is asked', { where: ({ message }) => message === 'a failed' }, ['a']],
  ])('chooses by %s', async (_what, filter, ids) => {
    const letters = await peekDeadLetters({ ...of(kafka), filter });
    expect(letters.map(({ value }) => Buffer.from(value!).toString())).toEqual(ids);
  });
});

describe('putting dead letters back', () => {
  it('gives the records back as they were, counted, to the partitions they came from', async () => {
    const kafka = clusterWith([
      { id: 'a', partition: 1 },
      { id: 'b', redrives: 2 },
    ]);
    const report = await redriveDeadLetters(of(kafka));
    expect(report).toMatchObject({ redriven: 2, filtered: 0, before: 0, byTopic: { in: 2 }, complete: true });
    const back = await inTopic(kafka, 'in');
    expect(
      back.map(({ partition, value, key, timestamp, redrives, headers, code }) => [
        partition,
        Buffer.from(key!).toString(),
        Buffer.from(value!).toString(),
        timestamp,
        redrives,
        headers.map((header) => header.key),
        code,
      ]),
    ).toEqual(
      expect.arrayContaining([
        [1, 'key-a', 'a', 1_000, 1, ['trace'], null],
        [0, 'key-b', 'b', 1_000, 3, ['trace'], null],
      ]),
    );
  });

  it('puts nothing back twice, and what was left out later', async () => {
    const kafka = clusterWith([
      { id: 'a', code: 'X' },
      { id: 'b', code: 'Y' },
      { id: 'c', code: 'X' },
      { id: 'd', code: 'Y' },
    ]);
    const first = await redriveDeadLetters({ ...of(kafka), filter: { codes: ['Y'] } });
    expect(first).toMatchObject({ redriven: 2, filtered: 2, before: 0 });
    expect(await redriveDeadLetters({ ...of(kafka), filter: { codes: ['Y'] } })).toMatchObject({
      redriven: 0,
      before: 2,
    });
    expect(await summarizeDeadLetters(of(kafka))).toMatchObject({ pending: 2, byCode: { X: 2 } });
    const rest = await redriveDeadLetters(of(kafka));
    expect(rest).toMatchObject({ redriven: 2, filtered: 0 });
    expect((await idsIn(kafka, 'in')).sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(await redriveDeadLetters(of(kafka))).toMatchObject({ redriven: 0, filtered: 0, complete: true });
    expect(kafka.lag('app-dlq-redrive', ['dead'])).toBe(0);
  });

  it('refuses those without a usable origin, says why, and keeps them', async () => {
    const kafka = clusterWith([
      { id: 'a', origin: null },
      { id: 'b', origin: 'gone' },
      { id: 'c', partition: 9 },
      { id: 'd', origin: '__consumer_offsets' },
      { id: 'e', origin: 'dead' },
      { id: 'f', redrives: 3 },
      { id: 'h', origin: 'app-sums-changelog' },
      { id: 'g' },
    ]);
    const report = await redriveDeadLetters({ ...of(kafka), redrivesMax: 3 });
    expect(report).toMatchObject({
      redriven: 1,
      refused: { noOrigin: 1, topicGone: 1, partitionGone: 1, forbiddenTopic: 3, tooOften: 1 },
    });
    expect(await idsIn(kafka, 'in')).toEqual(['g']);
    expect(await summarizeDeadLetters(of(kafka))).toMatchObject({ pending: 7 });
  });

  it('writes nothing in a dry run, and says what it would do', async () => {
    const kafka = clusterWith([{ id: 'a' }, { id: 'b', origin: null }]);
    const report = await redriveDeadLetters({ ...of(kafka), dryRun: true });
    expect(report).toMatchObject({ redriven: 1, refused: { noOrigin: 1 }, byTopic: { in: 1 } });
    expect(await idsIn(kafka, 'in')).toEqual([]);
    expect(await redriveDeadLetters(of(kafka))).toMatchObject({ redriven: 1 });
  });

  it('ends at its limit, and goes on from there', async () => {
    const kafka = clusterWith(Array.from({ length: 7 }, (_, i) => ({ id: `r${i}` })));
    const options = { ...of(kafka), limit: 3, batchRecords: 2 };
    expect(await redriveDeadLetters(options)).toMatchObject({ redriven: 3, complete: false });
    expect(await redriveDeadLetters(options)).toMatchObject({ redriven: 3 });
    expect(await redriveDeadLetters(options)).toMatchObject({ redriven: 1, complete: true });
    expect((await idsIn(kafka, 'in')).sort()).toEqual(Array.from({ length: 7 }, (_, i) => `r${i}`));
  });

  it('discards what is not worth it', async () => {
    const kafka = clusterWith([{ id: 'a', origin: null }, { id: 'b' }]);
    expect(await redriveDeadLetters({ ...of(kafka), discard: true, filter: { key: 'key-a' } })).toMatchObject(
      { redriven: 1 },
    );
    expect(await redriveDeadLetters(of(kafka))).toMatchObject({ redriven: 1 });
    expect(await idsIn(kafka, 'in')).toEqual(['b']);
  });

  it('stops with a code before what it would do cannot be noted', async () => {
    const kafka = clusterWith(
      Array.from({ length: 30_000 }, (_, i) => ({ id: `${i}`, code: hash(i) % 2 === 0 ? 'X' : 'Y' })),
    );
    await expect(redriveDeadLetters({ ...of(kafka), filter: { codes: ['X'] } })).rejects.toMatchObject({
      code: 'MILLRACE_REDRIVE_SCATTERED',
    });
    const done = await idsIn(kafka, 'in');
    expect(done.length).toBeGreaterThan(10_000);
    await redriveDeadLetters(of(kafka));
    const all = await idsIn(kafka, 'in');
    expect([all.length, new Set(all).size]).toEqual([30_000, 30_000]);
  }, 60_000);

  it('is ended by another one, and nothing is put back twice', async () => {
    const kafka = clusterWith(Array.from({ length: 4 }, (_, i) => ({ id: `r${i}` })));
    const options = { ...of(kafka), batchRecords: 1 };
    let other: Promise<unknown> = Promise.resolve();
    const first = redriveDeadLetters({
      ...options,
      rate: 10,
      onProgress: () => {
        other = redriveDeadLetters(options);
      },
    });
    await expect(first).rejects.toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
    await other;
    expect((await idsIn(kafka, 'in')).sort()).toEqual(['r0', 'r1', 'r2', 'r3']);
  });

  it('refuses options that say nothing', async () => {
    const kafka = clusterWith([]);
    await expect(redriveDeadLetters({ ...of(kafka), applicationId: '', limit: 0 })).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_CONFIG',
      context: { faults: ['applicationId is missing', 'limit must be above 0'] },
    });
    await expect(redriveDeadLetters({ ...of(kafka), topic: 'nowhere' })).rejects.toMatchObject({
      code: 'MILLRACE_TOPIC_MISSING',
    });
  });
});

type Moment = 'before' | 'during' | 'after';

/** Runs a redrive in a process of its own that is killed at its nth commit. */
async function killedRedrive(
  kafka: SimulatedKafka,
  options: Partial<RedriveOptions>,
  commits: number,
  moment: Moment,
): Promise<void> {
  const host = kafka.host(`run ${Math.random()}`);
  let seen = 0;
  const connection: SimulatedConnection = {
    createClient: (parts) => {
      const client = host.kafka.createClient(parts);
      return {
        ...client,
        createTransactionalWriter: (writerOptions) => {
          const writer = client.createTransactionalWriter(writerOptions);
          const { commit } = writer;
          writer.commit = async (...given) => {
            if (++seen !== commits) return commit.apply(writer, given);
            if (moment === 'before') host.kill();
            const committing = commit.apply(writer, given);
            if (moment === 'during') host.kill();
            const committed = await committing;
            host.kill();
            return committed;
          };
          return writer;
        },
      };
    },
  };
  const run = redriveDeadLetters({ ...of(connection), ...options, clock: host.clock }).catch(() => undefined);
  await Promise.race([run, sleep(systemClock, 60)]);
}

describe('a redrive that is killed', () => {
  it('leaves nothing out and puts nothing back twice, once it is run again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ code: fc.constantFrom('X', 'Y'), partition: fc.nat({ max: 1 }) }), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.array(
          fc.record({
            commits: fc.integer({ min: 1, max: 4 }),
            moment: fc.constantFrom<Moment>('before', 'during', 'after'),
            batchRecords: fc.integer({ min: 1, max: 6 }),
            codes: fc.constantFrom(['X'], ['Y'], ['X', 'Y']),
          }),
          { minLength: 1, maxLength: 3 },
        ),
        async (drawn, kills) => {
          const letters = drawn.map((letter, i) => ({ ...letter, id: `r${i}` }));
          const kafka = clusterWith(letters, 2);
          for (const { commits, moment, batchRecords, codes } of kills)
            await killedRedrive(kafka, { batchRecords, filter: { codes } }, commits, moment);
          await redriveDeadLetters({ ...of(kafka), batchRecords: 5 });
          expect((await idsIn(kafka, 'in')).sort()).toEqual(letters.map(({ id }) => id).sort());
          expect(await summarizeDeadLetters(of(kafka))).toMatchObject({ pending: 0 });
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe('what is noted beside an offset', () => {
  it('says of each dead letter whether it was dealt with', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000_000 }),
        fc.array(fc.array(fc.boolean(), { maxLength: 200 }), { minLength: 1, maxLength: 4 }),
        (start, runs) => {
          const done = new Set<number>();
          let noted = { offset: start, metadata: '' };
          for (const chosen of runs) {
            const progress = new RedriveProgress('dead', 0, noted.offset, noted.metadata);
            for (let i = noted.offset - start; i < chosen.length; i++) {
              const offset = start + i;
              progress.scannedTo = offset + 1;
              if (progress.isDone(offset) !== done.has(offset)) throw new Error(`${offset} is wrong`);
              if (done.has(offset)) continue;
              if (chosen[i]!) {
                progress.done(offset);
                done.add(offset);
              } else progress.pending(offset);
            }
            noted = progress.encode();
          }
          const last = new RedriveProgress('dead', 0, noted.offset, noted.metadata);
          const wrong = Array.from({ length: 210 }, (_, i) => start + i).filter(
            (offset) => last.isDone(offset) !== done.has(offset),
          );
          expect(wrong).toEqual([]);
        },
      ),
    );
  });

  it('is refused when somebody else wrote it', () => {
    for (const metadata of ['d1:***', 'x', `d1:${Buffer.from('no').toString('base64')}`])
      expect(() => new RedriveProgress('dead', 0, 0, metadata)).toThrow(/MILLRACE_INVALID_CONFIG/);
  });
});

function hash(i: number): number {
  let mixed = Math.imul(i + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 7;
}
