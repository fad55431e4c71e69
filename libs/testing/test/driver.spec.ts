import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { TopologyTestDriver } from '../src/index.ts';
import { countsByValue, number, sums, text } from './topologies.ts';

describe('TopologyTestDriver', () => {
  it('has processed and committed everything a record caused when its pipe resolves', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('sums', text, number);
    await input.pipe('ann', 10, { timestamp: 5 });
    expect(output.readAll()).toMatchObject([
      { key: 'ann', value: 10, timestamp: 5, partition: 0, offset: 0 },
    ]);
    await input.pipe('ann', 2.5, { timestamp: 3 });
    expect(output.readKeyValues()).toEqual([['ann', 12.5]]);
    expect(await driver.store('sums').get('ann')).toBe(12.5);
    expect(driver.streamTime).toBe(5);
  });

  it('goes through repartition topics and several partitions', async () => {
    await using driver = await TopologyTestDriver.start(countsByValue(), { partitions: 3 });
    const input = driver.inputTopic('orders', text, number);
    for (let i = 0; i < 30; i++) await input.pipe(`k${i}`, i % 3);
    expect(driver.outputTopic('counts', text, Serdes.safeInteger()).readToMap().size).toBe(3);
  });
});
