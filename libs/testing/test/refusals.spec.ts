import { describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { deadLetter, logAndContinue } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { Consumed, Produced, StreamsBuilder } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import { countsByValue, number, sums, text } from './topologies.ts';

describe('a test that does what cannot be', () => {
  it('is told which topics there are', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    expect(() => driver.inputTopic('oders', text, number)).toThrow(
      /MILLRACE_TOPIC_MISSING.*"oders".*"orders", "sums"/,
    );
    expect(() => driver.outputTopic('sms', text, number).read()).toThrow('MILLRACE_TOPIC_MISSING');
  });

  it('is told when there is nothing to read', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const output = driver.outputTopic('sums', text, number);
    expect(output.isEmpty).toBe(true);
    expect(() => output.read()).toThrow(/MILLRACE_TEST_TOPIC_EMPTY.*"sums"/);
  });

  it('is told which topic a serde does not fit, and may read the record with another', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const wrong = driver.inputTopic('orders', text, Serdes.int32());
    await expect(wrong.pipe('ann', 'one' as unknown as number)).rejects.toThrow(
      /MILLRACE_SERIALIZATION_FAILED: Piping into topic "orders" failed/,
    );
    await driver.inputTopic('orders', text, number).pipe('ann', 1);
    expect(() => driver.outputTopic('sums', text, Serdes.int32()).read()).toThrow(
      /MILLRACE_DESERIALIZATION_FAILED: Reading from topic "sums" failed/,
    );
    expect(driver.outputTopic('sums', text, number)).toHaveEmitted([['ann', 1]]);
  });

  it('is told that a partition is not there', async () => {
    await using driver = await TopologyTestDriver.start(sums(), { partitions: 2 });
    const input = driver.inputTopic('orders', text, number);
    await expect(input.pipe('ann', 1, { partition: 2 })).rejects.toThrow(/no partition 2: it has 2/);
    await input.pipe('ann', 1, { partition: 1 });
    await input.pipe('ann', 1, { partition: 0 });
    expect(driver.outputTopic('sums', text, number).readValues()).toEqual([1, 1]);
  });

  it('is told that the driver is closed', async () => {
    const driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('sums', text, number);
    await driver.close();
    await driver.close();
    await expect(input.pipe('ann', 1)).rejects.toThrow('MILLRACE_ILLEGAL_STATE: The test driver is closed.');
    expect(() => output.read()).toThrow('MILLRACE_ILLEGAL_STATE');
    expect(() => driver.store('sums')).toThrow('MILLRACE_ILLEGAL_STATE');
    await expect(driver.settle()).rejects.toThrow('MILLRACE_ILLEGAL_STATE');
    await expect(driver.advanceWallClockTime(1)).rejects.toThrow('MILLRACE_ILLEGAL_STATE');
    await expect(driver.crash()).rejects.toThrow('MILLRACE_ILLEGAL_STATE');
  });

  it('is told when it closes the driver under a call that it does not await', async () => {
    const driver = await TopologyTestDriver.start(sums());
    await driver.inputTopic('orders', text, number).pipe('ann', 1);
    const reading = driver.store('sums').entries();
    await driver.close();
    await expect(reading).rejects.toThrow('MILLRACE_ILLEGAL_STATE: The test driver is closed.');
  });

  it('is told which stores and instances there are', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    expect(() => driver.store('sum')).toThrow(/MILLRACE_INVALID_TOPOLOGY.*"sum".*"sums"/);
    await expect(driver.crash(1)).rejects.toThrow('There is no instance 1: the driver has 1');
    await driver.crash();
    await expect(driver.store('sums').get('ann')).rejects.toThrow('needs a running instance');
  });

  it('is told what is wrong with its options', async () => {
    await expect(TopologyTestDriver.start(sums(), { partitions: 0 })).rejects.toThrow(
      /MILLRACE_INVALID_CONFIG.*cannot have 0 partitions/,
    );
    await expect(TopologyTestDriver.start(sums(), { applicationId: 'no spaces' })).rejects.toThrow(
      'MILLRACE_INVALID_CONFIG',
    );
    await expect(TopologyTestDriver.start(sums(), { config: { commitIntervalMs: -1 } })).rejects.toThrow(
      'commitIntervalMs',
    );
    await using driver = await TopologyTestDriver.start(sums());
    await expect(driver.advanceWallClockTime(-1)).rejects.toThrow('cannot be advanced by -1 ms');
  });
});

describe('a record that fails', () => {
  it('fails the call that brought it, and every later one', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, text);
    await expect(input.pipe('ann', 'no number')).rejects.toMatchObject({
      code: 'MILLRACE_DESERIALIZATION_FAILED',
    });
    await expect(input.pipe('ann', '1')).rejects.toMatchObject({ code: 'MILLRACE_DESERIALIZATION_FAILED' });
  });

  it('is skipped or dead-lettered by an exception handler', async () => {
    await using driver = await TopologyTestDriver.start(sums(), {
      exceptionHandlers: { deserialization: deadLetter('dead') },
    });
    const input = driver.inputTopic('orders', text, text);
    await input.pipe('ann', 'no number');
    await input.pipe('ann', '1');
    expect(driver.outputTopic('dead', text, text)).toHaveEmitted([['ann', 'no number']]);
    expect(driver.outputTopic('sums', text, number)).toHaveEmitted([['ann', 1]]);

    await using skipping = await TopologyTestDriver.start(sums(), {
      exceptionHandlers: { deserialization: logAndContinue },
    });
    await skipping.inputTopic('orders', text, text).pipe('ann', 'no number');
    expect(skipping.droppedRecords).toBe(1);
  });
});

describe('topics', () => {
  it('that records choose come to be as they are chosen', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('orders', Consumed.with(text, number))
      .to((key) => `orders-of-${key}`, Produced.with(text, number));
    await using driver = await TopologyTestDriver.start(builder, { partitions: { 'orders-of-bob': 2 } });
    const input = driver.inputTopic('orders', text, number);
    await input.pipe('ann', 1);
    await input.pipe('bob', 2);
    expect(driver.outputTopic('orders-of-ann', text, number)).toHaveEmitted([['ann', 1]]);
    expect(driver.outputTopic('orders-of-bob', text, number)).toHaveEmitted([['bob', 2]]);
  });

  it('carry headers through, give tombstones, and are read in any form', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, number | null>('orders', Consumed.with(text, number))
      .to('copies', Produced.with(text, number));
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('copies', text, number);
    await input.pipeAll([
      ['ann', 1],
      ['bob', 2],
      { key: 'ann', value: null, headers: { why: 'gone' } },
      { value: 3 },
    ]);
    expect(output.size).toBe(4);
    expect(output.readValue()).toBe(1);
    expect(output.readKeyValue()).toEqual(['bob', 2]);
    expect(Buffer.from(output.read().headers[0]!.value!).toString()).toBe('gone');
    expect(output.readKeyValues()).toEqual([[null, 3]]);
    expect(output.history().map(({ value }) => value)).toEqual([1, 2, null, 3]);
    await input.pipeAll([
      ['ann', 1],
      ['bob', 2],
      ['ann', 4],
      ['bob', null],
    ]);
    expect(output.readToMap()).toEqual(new Map([['ann', 4]]));
  });

  it('must be co-partitioned where the topology needs it', async () => {
    const builder = new StreamsBuilder();
    const table = builder.table('people', Consumed.with(text, text), { name: 'people' });
    builder
      .stream('orders', Consumed.with(text, number))
      .join(table, (value, person) => `${person}: ${value}`)
      .to('named', Produced.with(text, text));
    await expect(TopologyTestDriver.start(builder, { partitions: { orders: 2, people: 3 } })).rejects.toThrow(
      'MILLRACE_PARTITIONS_MISMATCH',
    );
  });

  it('of a guarantee of at least once are written too', async () => {
    await using driver = await TopologyTestDriver.start(countsByValue(), {
      processingGuarantee: 'at_least_once',
    });
    await driver.inputTopic('orders', text, number).pipe('ann', 1);
    expect(driver.outputTopic('counts', text, Serdes.safeInteger())).toHaveEmitted([['v1', 1]]);
  });
});

describe('an output that cannot be written', () => {
  it('fails its record also when the function that forwarded it caught the error', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('in', Consumed.with(text, text))
      .groupByKey()
      .process({
        name: 'careless',
        valueSerde: text,
        onRecord(value, context) {
          try {
            context.emit(value === 'long' ? 'x'.repeat(5_000) : value);
          } catch {
            context.emit('it failed');
          }
        },
      })
      .to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder, {
      config: { recordBytesMax: 1_000 },
      exceptionHandlers: { production: logAndContinue },
    });
    await driver.inputTopic('in', text, text).pipeAll([
      ['a', 'short'],
      ['a', 'long'],
      ['a', 'short again'],
    ]);
    expect(driver.outputTopic('out', text, text)).toHaveEmitted([
      ['a', 'short'],
      ['a', 'short again'],
    ]);
    expect(driver.droppedRecords).toBe(1);
  });
});
