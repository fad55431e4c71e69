// Specifies how the driver goes with calls to the outside, which are not simulated.
import { describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { Consumed, Produced, StreamsBuilder } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import { number, text } from './topologies.ts';

function prices(
  call: (item: number) => Promise<string>,
  options: {
    readonly timeoutMs?: number;
    readonly retries?: { readonly max: number; readonly backoffMs: number };
  } = {},
): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .mapAsync(call, { name: 'prices', resultSerde: text, onFailure: 'skip', ...options })
    .to('priced', Produced.with(text, text));
  return builder;
}

describe('calls to the outside', () => {
  it('that answer without delay are answered when pipe resolves', async () => {
    await using driver = await TopologyTestDriver.start(prices((item) => Promise.resolve(`${item} EUR`)));
    await driver.inputTopic('orders', text, number).pipe('ann', 5);
    expect(driver.outputTopic('priced', text, text)).toHaveEmitted([['ann', '5 EUR']]);
  });

  it('that answer later are taken up by settle, also after a crash, which makes them again', async () => {
    const calls: { readonly item: number; answer(text: string): void }[] = [];
    const topology = prices((item) => new Promise((resolve) => calls.push({ item, answer: resolve })));
    await using driver = await TopologyTestDriver.start(topology);
    const output = driver.outputTopic('priced', text, text);
    const input = driver.inputTopic('orders', text, number);
    await input.pipe('ann', 5);
    await input.pipe('bob', 6);
    expect(output).toHaveEmitted([]);
    calls[0]!.answer('cheap');
    await driver.settle();
    expect(output).toHaveEmitted([['ann', 'cheap']]);
    await driver.crash();
    await driver.restart();
    expect(calls.map(({ item }) => item)).toEqual([5, 6, 6]);
    calls[2]!.answer('dear');
    await driver.settle();
    expect(output).toHaveEmitted([['bob', 'dear']]);
  });

  it('are tried again, and given up, as time is moved', async () => {
    let calls = 0;
    const topology = prices(
      () => {
        calls++;
        return calls < 3 ? Promise.reject(new Error('busy')) : new Promise(() => undefined);
      },
      { timeoutMs: 5_000, retries: { max: 2, backoffMs: 1_000 } },
    );
    await using driver = await TopologyTestDriver.start(topology);
    await driver.inputTopic('orders', text, number).pipe('ann', 5);
    expect(calls).toBe(1);
    // Each pause counts from the failure before it: one step for each.
    await driver.advanceWallClockTime(1_000);
    expect(calls).toBe(2);
    await driver.advanceWallClockTime(2_000);
    expect(calls).toBe(3);
    await driver.advanceWallClockTime(5_000);
    expect(driver.droppedRecords).toBe(1);
  });
});
