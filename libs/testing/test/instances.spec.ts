import { describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '../src/jest.ts';
import { Serdes } from '#libs/serde';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { TopologyTestDriver } from '../src/index.ts';
import { countsByValue, number, sums, text } from './topologies.ts';

/** Each task on exactly one instance. */
function tasks(driver: TopologyTestDriver): string[] {
  const all: string[] = [];
  for (let i = 0; i < driver.instanceCount; i++) all.push(...driver.tasksOf(i));
  return all.toSorted();
}

describe('instances', () => {
  it('share the tasks out, and again when one comes or goes', async () => {
    await using driver = await TopologyTestDriver.start(sums(), { partitions: 4 });
    const four = ['0_0', '0_1', '0_2', '0_3'];
    expect(driver.tasksOf(0)).toHaveLength(4);
    expect(await driver.addInstance()).toBe(1);
    expect([driver.tasksOf(0).length, driver.tasksOf(1).length]).toEqual([2, 2]);
    expect(tasks(driver)).toEqual(four);
    await driver.removeInstance(0);
    expect([driver.tasksOf(0).length, driver.tasksOf(1).length]).toEqual([0, 4]);
    await driver.restart(0);
    expect(tasks(driver)).toEqual(four);
    await driver.rebalance();
    expect(tasks(driver)).toEqual(four);
  });

  it('take over from a killed one, with its state', async () => {
    await using driver = await TopologyTestDriver.start(sums(), { partitions: 4, instances: 2 });
    const input = driver.inputTopic('orders', text, number);
    for (let i = 0; i < 8; i++) await input.pipe(`k${i}`, 1);
    await driver.crash(1);
    for (let i = 0; i < 8; i++) await input.pipe(`k${i}`, 1);
    expect(driver.tasksOf(0)).toHaveLength(4);
    const state = await driver.store<string, number>('sums').all();
    expect(new Set(state.values())).toEqual(new Set([2]));
  });

  it('that stand still for longer than their session are fenced, and come back', async () => {
    await using driver = await TopologyTestDriver.start(sums(), { partitions: 2, instances: 2 });
    const input = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('sums', text, number);
    await input.pipe('ann', 1);
    await input.append('ann', 2);
    await driver.step(4);
    driver.freeze(0);
    driver.freeze(1);
    await driver.thaw(1);
    expect(driver.tasksOf(1)).toHaveLength(2);
    await driver.thaw(0);
    await input.pipe('ann', 3);
    expect(output).toHaveEmitted([
      ['ann', 1],
      ['ann', 3],
      ['ann', 6],
    ]);
    expect(tasks(driver)).toEqual(['0_0', '0_1']);
  });

  it('process what came while all of them were down once one is back', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number);
    await driver.crash();
    await input.pipe('ann', 1);
    expect(driver.outputTopic('sums', text, number)).toHaveEmitted([]);
    await driver.restart();
    expect(driver.outputTopic('sums', text, number)).toHaveEmitted([['ann', 1]]);
  });

  it('give the same results, offsets and order each time', async () => {
    const run = async (): Promise<unknown> => {
      await using driver = await TopologyTestDriver.start(countsByValue(), { partitions: 3, instances: 2 });
      const input = driver.inputTopic('orders', text, number);
      for (let i = 0; i < 20; i++) await input.pipe(i % 3 === 0 ? null : `k${i}`, i % 4);
      await driver.crash(0);
      for (let i = 0; i < 20; i++) await input.pipe(`k${i}`, i % 4);
      return driver.outputTopic('counts', text, Serdes.safeInteger()).readAll();
    };
    expect(await run()).toEqual(await run());
  });
});

describe('another state backend', () => {
  it('keeps state on disk over a crash', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'test-driver-'));
    try {
      await using driver = await TopologyTestDriver.start(sums(), {
        stateBackend: ({ instanceId, clock, logger }) =>
          createRocksStateBackend({ stateDir: join(directory, instanceId), clock, logger }),
      });
      const input = driver.inputTopic('orders', text, number);
      await input.pipe('ann', 1);
      await driver.crash();
      await driver.restart();
      await input.pipe('ann', 2);
      expect(driver.outputTopic('sums', text, number)).toHaveEmitted([
        ['ann', 1],
        ['ann', 3],
      ]);
      await expect(driver.store<string, number>('sums')).toHaveState({ ann: 3 });
      await driver.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
