import { describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { Consumed, Produced, StreamsBuilder } from '#libs/topology';
import type { ProcessorContext, Topology } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import { number, sums, text } from './topologies.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Tells when a key has been silent for a minute of wall clock, and when a minute of event time has passed. */
function reminders(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .groupByKey()
    .process({
      name: 'reminders',
      valueSerde: text,
      onRecord(value: number, context) {
        context.timers.setWallTime('silent', context.wallTime + MINUTE);
        context.timers.setEventTime('passed', context.timestamp + MINUTE);
        context.emit(String(value));
      },
      onTimer(timer, context) {
        context.emit(`${timer.name} at ${timer.time}`, { timestamp: timer.time });
      },
    })
    .to('reminders');
  return builder.build();
}

describe('time in the driver', () => {
  it('stands still until it is moved, and starts where it is told', async () => {
    await using driver = await TopologyTestDriver.start(sums(), { startTimeMs: 5_000 });
    const input = driver.inputTopic('orders', text, number);
    await input.pipe('ann', 1);
    await input.pipe('ann', 1);
    expect(driver.wallClockTime).toBe(5_000);
    await driver.advanceWallClockTime(250);
    expect(driver.wallClockTime).toBe(5_250);
    expect(driver.streamTime).toBe(5_000);
    expect(
      driver
        .outputTopic('sums', text, number)
        .readAll()
        .map(({ timestamp }) => timestamp),
    ).toEqual([5_000, 5_000]);
  });

  it('gives records times of their own: the start of the input, moved on by each record or by hand', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number, { startTimeMs: 100, autoAdvanceMs: 10 });
    await input.pipe('ann', 1);
    await input.pipe('ann', 1);
    input.advanceTime(1_000);
    await input.pipe('ann', 1);
    await input.pipe('ann', 1, { timestamp: 7 });
    await input.pipe('ann', 1);
    const times = driver
      .outputTopic('sums', text, number)
      .readAll()
      .map(({ timestamp }) => timestamp);
    // An aggregate keeps the highest timestamp it has seen.
    expect(times).toEqual([100, 110, 1_120, 1_120, 1_130]);
  });

  it('fires timers of the wall clock when it is moved, and those of event time when records move it', async () => {
    await using driver = await TopologyTestDriver.start(reminders(), { startTimeMs: 0 });
    const input = driver.inputTopic('orders', text, number);
    const output = driver.outputTopic('reminders', text, text);
    await input.pipe('ann', 1, { timestamp: 5 });
    expect(output).toHaveEmitted([['ann', '1', 5]]);
    await driver.advanceWallClockTime(MINUTE - 1);
    expect(output).toHaveEmitted([]);
    await driver.advanceWallClockTime(1);
    expect(output).toHaveEmitted([['ann', `silent at ${MINUTE}`, MINUTE]]);
    await input.pipe('bob', 2, { timestamp: MINUTE + 5 });
    expect(output).toHaveEmitted([
      ['bob', '2'],
      ['ann', `passed at ${MINUTE + 5}`],
    ]);
  });

  it('keeps timers over a crash', async () => {
    await using driver = await TopologyTestDriver.start(reminders(), { startTimeMs: 0 });
    await driver.inputTopic('orders', text, number).pipe('ann', 1, { timestamp: 5 });
    await driver.crash();
    await driver.advanceWallClockTime(10 * MINUTE);
    await driver.restart();
    expect(driver.outputTopic('reminders', text, text)).toHaveEmitted([
      ['ann', '1'],
      ['ann', `silent at ${MINUTE}`],
    ]);
  });

  it('calls a punctuator of the wall clock once for each move of the clock, as Kafka Streams does', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream('orders', Consumed.with(text, number))
      .process<string, string>(
        () => ({
          init(context: ProcessorContext<string, string>) {
            context.schedule(10, 'wall-clock', (now) =>
              context.forward({ key: 'tick', value: String(now), timestamp: now }),
            );
          },
          process() {},
        }),
        { name: 'ticker' },
      )
      .to('ticks', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder, { startTimeMs: 0 });
    const ticks = driver.outputTopic('ticks', text, text);
    await driver.advanceWallClockTime(9);
    expect(ticks).toHaveEmitted([]);
    await driver.advanceWallClockTime(1);
    expect(ticks).toHaveEmitted([['tick', '10', 10]]);
    await driver.advanceWallClockTime(35);
    expect(ticks).toHaveEmitted([['tick', '45']]);
    await driver.advanceWallClockTime(5);
    expect(ticks).toHaveEmitted([['tick', '50']]);
  });

  it('moves by years at once', async () => {
    await using driver = await TopologyTestDriver.start(reminders(), { startTimeMs: 0, instances: 2 });
    await driver.inputTopic('orders', text, number).pipe('ann', 1, { timestamp: 5 });
    await driver.advanceWallClockTime(3_650 * DAY);
    const output = driver.outputTopic('reminders', text, text);
    expect(output.readValues()).toEqual(['1', `silent at ${MINUTE}`]);
  });

  it('never runs by itself', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number);
    await input.append('ann', 1);
    await new Promise((resolve) => setImmediate(resolve));
    const output = driver.outputTopic('sums', text, number);
    expect(output.isEmpty).toBe(true);
    await driver.settle();
    expect(output).toHaveEmitted([['ann', 1]]);
  });
});
