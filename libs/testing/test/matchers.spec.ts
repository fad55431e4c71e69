import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { TopologyTestDriver } from '../src/index.ts';
import type { TestInputTopic, TestOutputTopic } from '../src/index.ts';
import { number, sums, text } from './topologies.ts';

let driver: TopologyTestDriver;
let orders: TestInputTopic<string, number>;
let output: TestOutputTopic<string, number>;

beforeEach(async () => {
  driver = await TopologyTestDriver.start(sums());
  orders = driver.inputTopic('orders', text, number);
  output = driver.outputTopic('sums', text, number);
});

afterEach(() => driver.close());

function messageOf(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return stripVTControlCharacters((error as Error).message);
  }
  throw new Error('the assertion held');
}

describe('toHaveEmitted', () => {
  it('compares what is not read yet, in any of the short forms, and reads it', async () => {
    await orders.pipeAll([
      ['ann', 1, 10],
      ['bob', 2, 20],
      { key: 'ann', value: 3, timestamp: 30, headers: { trace: 'x' } },
    ]);
    expect(output).toHaveEmitted([
      ['ann', 1],
      ['bob', 2, 20],
      { key: 'ann', value: 4, headers: { trace: 'x' } },
    ]);
    expect(output).toHaveEmitted([]);
    await orders.pipe('bob', 1);
    expect(output).toHaveEmitted([['bob', expect.any(Number)]]);
  });

  it.each([
    ['a missing record', [['ann', 1] as const, ['bob', 2] as const]],
    ['one too many', []],
    ['another value', [['ann', 2] as const]],
    ['another timestamp', [['ann', 1, 11] as const]],
    ['another header', [{ key: 'ann', headers: { trace: 'y' } }]],
  ])('fails for %s', async (_what, expected) => {
    await orders.pipe('ann', 1, { timestamp: 10, headers: { trace: 'x' } });
    expect(output).not.toHaveEmitted(expected);
  });

  it('says what differs', async () => {
    await orders.pipe('ann', 1);
    const message = messageOf(() => expect(output).toHaveEmitted([['ann', 2]]));
    expect(message).toContain('-     2,');
    expect(message).toContain('+     1,');
  });

  it('refuses what is no topic', () => {
    expect(() => (expect([]) as unknown as { toHaveEmitted(expected: []): void }).toHaveEmitted([])).toThrow(
      'MILLRACE_ILLEGAL_STATE',
    );
  });
});

describe('toHaveReceived', () => {
  it('compares all since the start and leaves it unread', async () => {
    await orders.pipeAll([
      ['ann', 1],
      ['ann', 2],
    ]);
    output.read();
    expect(output).toHaveReceived([
      ['ann', 1],
      ['ann', 3],
    ]);
    expect(output.size).toBe(1);
  });
});

describe('toHaveState', () => {
  it('compares the whole store, as an object, as pairs or as a map', async () => {
    await orders.pipeAll([
      ['bob', 1],
      ['ann', 2],
    ]);
    const store = driver.store<string, number>('sums');
    await expect(store).toHaveState({ ann: 2, bob: 1 });
    await expect(store).toHaveState([
      ['ann', 2],
      ['bob', 1],
    ]);
    await expect(store).toHaveState(new Map([['bob', 1]]).set('ann', 2));
    await expect(store).not.toHaveState({ ann: 2 });
  });

  it('is typed by the topic and the store', () => {
    const typed = (): void => {
      // @ts-expect-error the topic's values are numbers
      expect(output).toHaveEmitted([['ann', '1']]);
      // @ts-expect-error a topic has no state
      void expect(output).toHaveState({});
    };
    expect(typed).toBeInstanceOf(Function);
  });
});
