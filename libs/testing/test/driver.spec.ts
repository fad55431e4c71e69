import { describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { Serdes } from '#libs/serde';
import { Consumed, Materialized, Produced, StreamsBuilder } from '#libs/topology';
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

  it('keeps tables in order with what they are joined with: what is piped first is there first', async () => {
    const builder = new StreamsBuilder();
    const people = builder.table('people', Consumed.with(text, text), Materialized.as('people'));
    const rates = builder.globalTable('rates', Consumed.with(text, number), Materialized.as('rates'));
    builder
      .stream('orders', Consumed.with(text, number))
      .join(people, (amount, name) => ({ amount, name }))
      .join(
        rates,
        () => 'EUR',
        ({ amount, name }, rate) => `${name}: ${amount * rate}`,
      )
      .to('named', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder, { partitions: { orders: 2, people: 2 } });
    const orders = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('named', text, text);
    await orders.pipe('a', 1);
    await driver.inputTopic('people', text, text).pipe('a', 'Ann');
    await driver.inputTopic('rates', text, number).pipe('EUR', 2);
    await orders.pipe('a', 10);
    await driver.inputTopic('rates', text, number).pipe('EUR', 3);
    await orders.pipe('a', 10);
    expect(output).toHaveEmitted([
      ['a', 'Ann: 20'],
      ['a', 'Ann: 30'],
    ]);
    await expect(driver.store<string, number>('rates')).toHaveState({ EUR: 3 });
    await driver.crash();
    await driver.restart();
    await orders.pipe('a', 1);
    expect(output).toHaveEmitted([['a', 'Ann: 3']]);
  });
});
