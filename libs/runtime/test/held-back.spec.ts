// Specifies when it is said that a partition is held back: once per transaction, after a minute of knowing nothing else, and when it is over.
import { describe, expect, it } from '@jest/globals';
import { VirtualClock } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import { HeldBackWatch } from '../src/held-back.ts';

describe('HeldBackWatch', () => {
  function fixture() {
    const clock = new VirtualClock();
    const ends = { topic: 'in', partition: 1, lastStableOffset: 5, highWatermark: 5 };
    const state = { known: true };
    const warned: Readonly<Record<string, unknown>>[] = [];
    const over: unknown[] = [];
    const issues: string[] = [];
    const watch = new HeldBackWatch({
      ends: () => [{ ...ends, knownAt: state.known ? clock.now() : clock.now() - 11_000 }],
      clock,
      logger: {
        ...silentLogger,
        warn: (message, fields) => warned.push({ message, ...fields }),
        info: (_message, fields) => over.push(fields?.['partition']),
      },
      insight: { issue: (kind, code, where) => issues.push(`${kind} ${code} ${where}`) },
    });
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 1_000) {
        await clock.advance(1_000);
        watch.turn();
      }
    };
    return { ends, state, warned, over, issues, pass };
  }

  it('says after a minute which partition is held back, from where on, and how to find out by whom', async () => {
    const { ends, warned, issues, pass } = fixture();
    await pass(120_000);
    expect(warned).toEqual([]);
    ends.highWatermark = 25;
    await pass(55_000);
    expect(warned).toEqual([]);
    await pass(15_000);
    expect(warned).toEqual([
      {
        code: 'MILLRACE_HELD_BACK',
        message: expect.stringMatching(
          /^20 offset\(s\) of in-1 cannot be read: a transaction that began at offset 5 has not ended for 6\d s or more\.$/,
        ),
        remedy: expect.stringContaining('describe-producers --topic in --partition 1'),
        topic: 'in',
        partition: 1,
        lastStableOffset: 5,
        highWatermark: 25,
      },
    ]);
    expect(issues).toEqual(['heldBack MILLRACE_HELD_BACK in-1']);
  });

  it('says it once for a transaction, says when it is over, and says it anew of the next', async () => {
    const { ends, warned, over, pass } = fixture();
    ends.highWatermark = 25;
    await pass(600_000);
    expect(warned).toHaveLength(1);
    expect(over).toEqual([]);
    ends.lastStableOffset = 25;
    await pass(10_000);
    expect(over).toEqual(['in-1']);
    ends.highWatermark = 30;
    await pass(70_000);
    expect(warned).toHaveLength(2);
  });

  it('says nothing of one transaction after the other', async () => {
    const { ends, warned, pass } = fixture();
    for (let round = 0; round < 20; round++) {
      ends.highWatermark += 3;
      await pass(30_000);
      ends.lastStableOffset += 3;
    }
    expect(warned).toEqual([]);
  });

  it('goes by fresh knowledge alone: a partition whose reading rests is not heard of', async () => {
    const { ends, state, warned, pass } = fixture();
    ends.highWatermark = 25;
    await pass(50_000);
    state.known = false;
    await pass(600_000);
    expect(warned).toEqual([]);
    state.known = true;
    await pass(50_000);
    expect(warned).toEqual([]);
    await pass(20_000);
    expect(warned).toHaveLength(1);
  });
});
