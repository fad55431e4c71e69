// Calls to the outside: order, concurrency, time limits, retries, and what is left in the store while they are under way.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Consumed, StreamsBuilder } from '#libs/topology';
import type { AsyncCall, AsyncOptions } from '#libs/topology';
import { Driver } from './driver.ts';
import { text, thrownBy } from './fixtures.ts';

interface Pending {
  readonly value: string;
  readonly call: AsyncCall<string>;
  answer(result: string): Promise<void>;
  refuse(why: string): Promise<void>;
}

/** A stage whose calls are answered by hand. */
function stage(options: Partial<AsyncOptions<string, string, string>> = {}): {
  readonly driver: Driver;
  readonly calls: Pending[];
  rows(): number;
} {
  const calls: Pending[] = [];
  const builder = new StreamsBuilder();
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    driver.settle();
  };
  builder
    .stream<string, string>('in', Consumed.with(text, text))
    .mapAsync(
      (value, call) =>
        new Promise<string>((resolve, reject) => {
          calls.push({
            value,
            call,
            answer: (result) => {
              resolve(result);
              return settled();
            },
            refuse: (why) => {
              reject(new Error(why));
              return settled();
            },
          });
        }),
      { name: 'ask', resultSerde: text, ...options },
    )
    .to('out');
  const driver = new Driver(builder.build());
  return { driver, calls, rows: () => driver.orderedStores.get('ask-in-flight')!.rows().length };
}

const values = (calls: readonly Pending[]): string[] => calls.map(({ value }) => value);

describe('mapAsync', () => {
  it('holds results back until those before are out, by default', async () => {
    const { driver, calls, rows } = stage();
    driver.pipe('in', 'a', '1', 10);
    driver.pipe('in', 'b', '2', 11);
    expect(values(calls)).toEqual(['1', '2']);
    expect(rows()).toBe(2);
    await calls[1]!.answer('two');
    expect(driver.lines('out')).toEqual([]);
    await calls[0]!.answer('one');
    expect(driver.lines('out')).toEqual(['a=one@10', 'b=two@11']);
    expect(rows()).toBe(0);
  });

  it('gives results as they come when unordered', async () => {
    const { driver, calls, rows } = stage({ order: 'unordered' });
    driver.pipe('in', 'a', '1', 10);
    driver.pipe('in', 'b', '2', 11);
    await calls[1]!.answer('two');
    expect(driver.lines('out')).toEqual(['b=two@11']);
    expect(rows()).toBe(1);
  });

  it('keeps the order of each key, one call of a key at a time', async () => {
    const { driver, calls } = stage({ order: 'perKey' });
    driver.pipe('in', 'a', '1');
    driver.pipe('in', 'a', '2');
    driver.pipe('in', 'b', '3');
    expect(values(calls)).toEqual(['1', '3']);
    await calls[1]!.answer('three');
    await calls[0]!.answer('one');
    expect(values(calls)).toEqual(['1', '3', '2']);
    await calls[2]!.answer('two');
    expect(driver.lines('out')).toEqual(['b=three@0', 'a=one@0', 'a=two@0']);
  });

  it('makes no more calls than allowed, and takes no further input when its buffer is full', async () => {
    const { driver, calls, rows } = stage({ concurrency: 1, bufferedRecordsMax: 3 });
    for (const value of ['1', '2', '3']) driver.pipe('in', 'a', value);
    expect(values(calls)).toEqual(['1']);
    expect(rows()).toBe(3);
    expect(driver.isHeld()).toBe(true);
    await calls[0]!.answer('one');
    expect(values(calls)).toEqual(['1', '2']);
    expect(driver.isHeld()).toBe(false);
  });

  it('tries again with a growing pause, and fails when no try is left', async () => {
    const { driver, calls } = stage({ retries: { max: 2, backoffMs: 100 } });
    driver.pipe('in', 'a', '1');
    await calls[0]!.refuse('down');
    driver.advanceWallClock(99);
    expect(calls).toHaveLength(1);
    driver.advanceWallClock(1);
    expect(calls).toHaveLength(2);
    await calls[1]!.refuse('down');
    driver.advanceWallClock(199);
    expect(calls).toHaveLength(2);
    driver.advanceWallClock(1);
    expect(calls.map(({ call }) => call.attempt)).toEqual([1, 2, 3]);
    await expect(calls[2]!.refuse('still down')).rejects.toThrow(/MILLRACE_ASYNC_CALL_FAILED.*still down/);
  });

  it('times a try out, tells the call, and ignores its late answer', async () => {
    const { driver, calls } = stage({ timeoutMs: 50, retries: { max: 1, backoffMs: 10 } });
    driver.pipe('in', 'a', '1');
    driver.advanceWallClock(50);
    expect(calls[0]!.call.signal.aborted).toBe(true);
    await calls[0]!.answer('too late');
    driver.advanceWallClock(10);
    await calls[1]!.answer('in time');
    expect(driver.lines('out')).toEqual(['a=in time@0']);
  });

  it('skips or replaces what failed when told so', async () => {
    const skipping = stage({ onFailure: 'skip' });
    skipping.driver.pipe('in', 'a', '1');
    await skipping.calls[0]!.refuse('no');
    expect(skipping.driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_ASYNC_CALL_FAILED']);
    expect(skipping.rows()).toBe(0);
    const replacing = stage({ onFailure: (error, value, key) => `${key}:${value}:${error.message}` });
    replacing.driver.pipe('in', 'a', '1');
    await replacing.calls[0]!.refuse('no');
    expect(replacing.driver.lines('out')).toEqual(['a=a:1:no@0']);
  });

  it('gives results the headers of their records', async () => {
    const { driver, calls } = stage();
    const headers = [{ key: 'trace', value: new Uint8Array([1, 2]) }];
    driver.pipe('in', 'a', '1', 5, undefined, headers);
    driver.pipe('in', 'a', '2', 6);
    await calls[0]!.answer('one');
    await calls[1]!.answer('two');
    const [first, second] = driver.outputs('out');
    expect(first!.headers.map(({ key, value }) => [key, [...value!]])).toEqual([['trace', [1, 2]]]);
    expect(second!.headers).toEqual([]);
  });

  it('forwards every result once and in its order, whatever the order of the answers', async () => {
    const event = fc.record({ key: fc.constantFrom('a', 'b', 'c'), answer: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 25 }),
        fc.constantFrom('ordered', 'perKey', 'unordered'),
        fc.integer({ min: 1, max: 4 }),
        async (events, order, concurrency) => {
          const { driver, calls, rows } = stage({ order, concurrency });
          const answered = new Set<number>();
          const answerOne = async (pick: number): Promise<void> => {
            const open = [...calls.keys()].filter((index) => !answered.has(index));
            if (open.length === 0) return;
            const index = open[pick % open.length]!;
            answered.add(index);
            await calls[index]!.answer(`r${calls[index]!.value}`);
          };
          for (const [index, { key, answer }] of events.entries()) {
            driver.pipe('in', key, String(index), index);
            if (answer > 4) await answerOne(answer);
          }
          for (let left = events.length; left > 0; left--) await answerOne(left);
          const expected = events.map(({ key }, index) => `${key}=r${index}@${index}`);
          const lines = driver.lines('out');
          expect(rows()).toBe(0);
          expect([...lines].sort()).toEqual([...expected].sort());
          if (order === 'ordered') expect(lines).toEqual(expected);
          if (order === 'perKey') {
            for (const key of ['a', 'b', 'c']) {
              const ofKey = (line: string): boolean => line.startsWith(key);
              expect(lines.filter(ofKey)).toEqual(expected.filter(ofKey));
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is refused with options that make no sense', () => {
    const { faults } = thrownBy(() => stage({ concurrency: 0, order: 'random' as never, name: '' })).context;
    expect(faults.map(({ problem }) => problem)).toEqual([
      'the name is empty.',
      'concurrency is 0.',
      'order is "random".',
    ]);
  });
});

describe('flatMapAsync', () => {
  it('forwards each of the results', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .flatMapAsync(async (value) => value.split(' '), { name: 'words', resultSerde: text })
      .to('out');
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 'to be', 3);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    driver.settle();
    expect(driver.lines('out')).toEqual(['a=to@3', 'a=be@3']);
  });
});
