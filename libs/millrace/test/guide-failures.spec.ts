// docs/guide/failures.md shows the code that runs here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { TopologyTestDriver } from '#libs/testing';
import { DEAD_LETTER_HEADERS, Serdes, SimulatedKafka } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { composed, policies, putBack, service, whileBusy } from './guide-failures-snippets.ts';
import type { Order } from './guide-failures-snippets.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/failures.md'), 'utf8');
const source = readFileSync(join(import.meta.dirname, 'guide-failures-snippets.ts'), 'utf8').replaceAll(
  "'#libs/millrace'",
  "'millrace'",
);
const shown = new Map(
  [...guide.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map((match): [string, string] => [
    match[1]!,
    match[2]!,
  ]),
);
const written = new Map(
  [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
    (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
  ),
);

const text = Serdes.string();

afterEach(() => {
  service.isBusy = false;
});

async function start(topology: StreamsBuilder) {
  const driver = await TopologyTestDriver.start(topology, {
    partitions: { orders: 1, charged: 1, 'orders-dead': 1 },
  });
  const orders = driver.inputTopic('orders', text, Serdes.json<Order>());
  const ids = (topic: string): string[] =>
    driver
      .outputTopic(topic, text, Serdes.json<Order>())
      .readValues()
      .map((value) => value!.id);
  return { driver, orders, ids };
}

describe('the guide to failures', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });

  it('names every header of a dead letter', () => {
    for (const name of Object.values(DEAD_LETTER_HEADERS)) expect(guide).toContain(`\`${name}\``);
  });

  it('gives each node a policy of its own', async () => {
    const { driver, orders, ids } = await start(policies());
    await driver.inputTopic('orders', text, text).pipe('k', 'not JSON');
    expect(driver.outputTopic('orders-dead', text, text).readValues()).toEqual(['not JSON']);
    await orders.pipe('k', { id: 'a', amount: 1 });
    expect(ids('charged')).toEqual(['a']);
    await expect(orders.pipe('k', { id: 'b', amount: -1 })).rejects.toMatchObject({
      code: 'MILLRACE_PROCESSING_FAILED',
    });
    await driver.close();
  });

  it('retries in place, through topics, and ends with a dead letter', async () => {
    const { driver, orders, ids } = await start(composed());
    await orders.pipe('k', { id: 'a', amount: -1 });
    service.isBusy = true;
    await orders.pipe('k', { id: 'b', amount: 1 });
    service.isBusy = false;
    await orders.pipe('k', { id: 'c', amount: 1 });
    expect(ids('charged')).toEqual(['c']);
    await driver.advanceWallClockTime(10_000);
    expect(ids('charged')).toEqual(['b']);
    await driver.advanceWallClockTime(60_000);
    await driver.advanceWallClockTime(600_000);
    expect(ids('orders-dead')).toEqual(['a']);
    await driver.close();
  });

  it('retries what is worth it', async () => {
    const { driver, orders, ids } = await start(whileBusy());
    await orders.pipe('k', { id: 'a', amount: -1 });
    service.isBusy = true;
    await orders.append('k', { id: 'b', amount: 1 });
    await driver.step(200);
    service.isBusy = false;
    await driver.settle();
    expect([ids('orders-dead'), ids('charged')]).toEqual([['a'], ['b']]);
    await driver.close();
  });

  it('puts back what was chosen', async () => {
    const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    const kafka = new SimulatedKafka();
    kafka.createTopic('orders', 1);
    kafka.createTopic('orders-dead', 1);
    for (const exception of ['ServiceBusy', 'RangeError']) {
      const said = {
        [DEAD_LETTER_HEADERS.exception]: exception,
        [DEAD_LETTER_HEADERS.topic]: 'orders',
        [DEAD_LETTER_HEADERS.partition]: '0',
        [DEAD_LETTER_HEADERS.failedAt]: String(Date.UTC(2026, 1, 1)),
      };
      const headers = Object.entries(said).map(([key, value]) => ({ key, value: Buffer.from(value) }));
      kafka.publish('orders-dead', [{ key: 'k', value: '{}', headers }]);
    }
    expect(await putBack(kafka)).toMatchObject({
      redriven: 1,
      filtered: 1,
      byTopic: { orders: 1 },
      complete: true,
    });
    expect(print).toHaveBeenCalledTimes(3);
    print.mockRestore();
  });
});
