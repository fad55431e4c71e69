// Specifies that event time comes moment by moment, however far it goes with one record: what a timer forwards is early enough for timers
// and windows downstream. In Flink an operator's timers have fired before the watermark goes on to the next.
import { describe, expect, it } from '@jest/globals';
import {
  BufferConfig,
  Consumed,
  Grouped,
  Materialized,
  Produced,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  WatermarkStrategy,
} from '#libs/topology';
import type { KStream } from '#libs/topology';
import { Serdes } from '#libs/serde';
import { TopologyTestDriver } from '../src/index.ts';

const text = Serdes.string();

/** Forwards each value ten milliseconds later than it was. */
function tenLater(builder: StreamsBuilder, watermarks?: WatermarkStrategy): KStream<string, string> {
  return builder
    .stream<string, string>('in', Consumed.with(text, text, { watermarks }))
    .groupByKey()
    .process<string, Record<string, never>>({
      name: 'ten-later',
      valueSerde: text,
      onRecord(value, { timers, timestamp }) {
        timers.setEventTime(value, timestamp + 10);
      },
      onTimer({ name }, context) {
        context.emit(name);
      },
    });
}

/** Says what it is given, and when the time is there that it was given with. */
function said(stream: KStream<string, string>): KStream<string, string> {
  return stream.groupByKey().process<string, Record<string, never>>({
    name: 'said',
    valueSerde: text,
    onRecord(value, context) {
      context.emit(`${value} at ${context.timestamp}`);
      context.timers.setEventTime(value, context.timestamp + 5);
    },
    onTimer({ name, time }, context) {
      context.emit(`timer of ${name} at ${time}`);
    },
  });
}

describe.each([
  ['by watermarks', WatermarkStrategy.monotonous()],
  ['by stream time', undefined],
])('event time %s that goes far with one record', (_mode, watermarks) => {
  it('fires timers of several operators in the order of their times', async () => {
    const builder = new StreamsBuilder();
    said(tenLater(builder, watermarks)).to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('in', text, text);
    await input.pipe('key', 'a', { timestamp: 0 });
    await input.pipe('key', 'b', { timestamp: 3 });
    await input.pipe('key', 'c', { timestamp: 8 });
    await input.pipe('key', 'far', { timestamp: 1_000 });
    expect(driver.outputTopic('out', text, text).readValues()).toEqual([
      ...['a at 10', 'b at 13', 'timer of a at 15'],
      ...['c at 18', 'timer of b at 18', 'timer of c at 23'],
    ]);
  });
});

describe('a watermark that goes far with one record', () => {
  it('closes a window downstream once the timers within it have fired', async () => {
    const builder = new StreamsBuilder();
    tenLater(builder, WatermarkStrategy.monotonous())
      .groupByKey(Grouped.with(text, text))
      .windowedBy(TimeWindows.ofSizeWithNoGrace(20))
      .count(Materialized.as('counts'))
      .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final'))
      .toStream()
      .map(({ window }, count) => [String(window.start), String(count)])
      .to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('in', text, text);
    for (const timestamp of [0, 5, 15]) await input.pipe('key', `at ${timestamp}`, { timestamp });
    await input.pipe('key', 'far', { timestamp: 1_000 });
    expect(driver.droppedRecords).toBe(0);
    expect(driver.outputTopic('out', text, text).readKeyValues()).toEqual([
      ['0', '2'],
      ['20', '1'],
    ]);
  });
});
