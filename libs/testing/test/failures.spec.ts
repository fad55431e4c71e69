// Specifies what becomes of records that fail, by the policies of sources, operators and sinks: what is tried again where and when, what the outcome is,
// and that a record that failed has left nothing until it succeeds.
import { describe, expect, it } from '@jest/globals';
import { DEAD_LETTER_HEADERS, deadLetter } from '#libs/runtime';
import { Serdes, createSerde } from '#libs/serde';
import { Consumed, FailurePolicy, Materialized, Named, Produced, StreamsBuilder } from '#libs/topology';
import type { Processor, ProcessorContext, RecordMetadata } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import type { TopologyTestDriverOptions } from '../src/index.ts';

const text = Serdes.string();
const START = Date.UTC(2024, 0, 1);

/** Fails for a value as often as the value says: `x3` three times, `x` never. */
class Flaky {
  readonly tries: string[] = [];
  private readonly failures = new Map<string, number>();

  readonly call = (
    value: string,
    _key?: unknown,
    { topic, partition, offset }: Partial<RecordMetadata> = {},
  ): string => {
    const times = Number(/\d+$/.exec(value)?.[0] ?? 0);
    const failed = this.failures.get(value) ?? 0;
    this.tries.push([value, topic, partition, offset].join(' '));
    if (failed < times) {
      this.failures.set(value, failed + 1);
      throw new TypeError(`${value} failed`);
    }
    return value;
  };
}

interface Drawn {
  readonly source?: FailurePolicy;
  readonly map?: FailurePolicy;
  readonly sink?: FailurePolicy;
}

function mapped(flaky: Flaky, { source, map, sink }: Drawn): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', Consumed.with(text, text, { name: 'source', failurePolicy: source }))
    .mapValues(flaky.call, Named.as('flaky', { failurePolicy: map }))
    .to('out', Produced.with(text, text, { name: 'sink', failurePolicy: sink }));
  return builder;
}

async function start(drawn: Drawn, options: TopologyTestDriverOptions = {}) {
  const flaky = new Flaky();
  const driver = await TopologyTestDriver.start(mapped(flaky, drawn), { startTimeMs: START, ...options });
  const input = driver.inputTopic('in', text, text);
  const output = driver.outputTopic('out', text, text);
  const values = (): (string | null)[] => output.readAll().map(({ value }) => value);
  return { driver, input, output, values, tries: flaky.tries };
}

const topicsOf = (delays: readonly string[], then = FailurePolicy.skip()): FailurePolicy =>
  FailurePolicy.retryTopics({ delays, then });

describe('a policy', () => {
  it('of the node that failed comes before that of the source, and that before the application’s handler', async () => {
    const handler = { exceptionHandlers: { processing: deadLetter('of-handler') } };
    const cases: [Drawn, string][] = [
      [{}, 'of-handler'],
      [{ source: FailurePolicy.deadLetter('of-source') }, 'of-source'],
      [
        { source: FailurePolicy.deadLetter('of-source'), map: FailurePolicy.deadLetter('of-node') },
        'of-node',
      ],
      [{ source: FailurePolicy.deadLetter('of-source'), sink: FailurePolicy.skip() }, 'of-source'],
      [{ map: FailurePolicy.retry({ attempts: 2 }) }, 'of-handler'],
    ];
    for (const [drawn, topic] of cases) {
      const { driver, input } = await start(drawn, { ...handler, partitions: { in: 1, out: 1, [topic]: 1 } });
      await input.pipe('k', 'x9');
      expect(
        driver
          .outputTopic(topic, text, text)
          .readAll()
          .map(({ value }) => value),
      ).toEqual(['x9']);
      await driver.close();
    }
  });

  it('of a source holds for what cannot be decoded', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream(
        'in',
        Consumed.with(text, Serdes.json<object>(), { failurePolicy: FailurePolicy.deadLetter('dead') }),
      )
      .to('out');
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('in', text, text).pipe('k', 'not JSON');
    const [letter] = driver.outputTopic('dead', text, text).readAll();
    expect(letter).toMatchObject({ key: 'k', value: 'not JSON' });
    expect(headersOf(letter!.headers)).toMatchObject({
      [DEAD_LETTER_HEADERS.stage]: 'deserialization',
      [DEAD_LETTER_HEADERS.node]: 'KSTREAM-SOURCE-0000000000',
    });
  });

  it('of a sink holds for what cannot be encoded', async () => {
    const strict = createSerde<string>({
      name: 'strict',
      serialize: (value) => (value === 'bad' ? fail() : Buffer.from(value)),
      deserialize: (bytes) => Buffer.from(bytes).toString(),
    });
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .to(
        'out',
        Produced.with(text, strict, { name: 'strict-sink', failurePolicy: FailurePolicy.deadLetter('dead') }),
      );
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('in', text, text);
    await input.pipe('k', 'bad');
    await input.pipe('k', 'good');
    const letters = driver.outputTopic('dead', text, text).readAll();
    expect(
      letters.map(({ value, headers }) => [value, headersOf(headers)[DEAD_LETTER_HEADERS.node]]),
    ).toEqual([['bad', 'strict-sink']]);
    expect(
      driver
        .outputTopic('out', text, text)
        .readAll()
        .map(({ value }) => value),
    ).toEqual(['good']);
  });
});

describe('a record that is too large', () => {
  const large = 'x'.repeat(1_000);
  const doubled = (then: FailurePolicy): StreamsBuilder => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .mapValues((value) => value + value)
      .to('out', Produced.with(text, text, { name: 'sink', failurePolicy: then }));
    return builder;
  };

  it('is a dead letter of its sink, without the stack where there is no room for it', async () => {
    const policy = FailurePolicy.retry({ attempts: 9, then: FailurePolicy.deadLetter('dead') });
    await using driver = await TopologyTestDriver.start(doubled(policy), {
      config: { recordBytesMax: 1_900 },
    });
    await driver.inputTopic('in', text, text).pipe('k', large);
    const [letter] = driver.outputTopic('dead', text, text).readAll();
    expect(letter!.value).toBe(large);
    const headers = headersOf(letter!.headers);
    expect(headers).toMatchObject({
      [DEAD_LETTER_HEADERS.code]: 'MILLRACE_RECORD_TOO_LARGE',
      [DEAD_LETTER_HEADERS.stage]: 'production',
      [DEAD_LETTER_HEADERS.node]: 'sink',
      // It fails the same way each time: it was tried once.
      [DEAD_LETTER_HEADERS.attempts]: '1',
    });
    expect(headers[DEAD_LETTER_HEADERS.stacktrace]).toBeUndefined();
  });

  it('for a retry topic goes on to what comes behind it', async () => {
    const policy = FailurePolicy.retryTopics({
      delays: [1],
      retryOn: () => true,
      then: FailurePolicy.skip(),
    });
    await using driver = await TopologyTestDriver.start(doubled(policy), {
      config: { recordBytesMax: 1_050 },
    });
    await driver.inputTopic('in', text, text).pipe('k', large);
    expect(driver.droppedRecords).toBe(1);
    expect(driver.producedTopics).toEqual([]);
  });
});

describe('retrying in place', () => {
  it('keeps the order of the task, and gives what no failure would have given', async () => {
    const { driver, input, output, tries } = await start({ map: FailurePolicy.retry({ attempts: 4 }) });
    await input.append('a', 'x');
    await input.append('a', 'y3');
    await input.append('b', 'z');
    await driver.settle();
    expect(output.readAll().map(({ value }) => value)).toEqual(['x', 'y3', 'z']);
    expect(tries.filter((line) => line.startsWith('y3'))).toHaveLength(4);
    await driver.close();
  });

  it('gives up after so many tries, and begins to count anew with the next record', async () => {
    const { driver, input, values, tries } = await start({
      map: FailurePolicy.retry({ attempts: 3, then: FailurePolicy.skip() }),
    });
    await input.pipe('a', 'x9');
    await input.pipe('a', 'y2');
    await input.pipe('a', 'z2');
    expect(values()).toEqual(['y2', 'z2']);
    const [x, y, z] = ['x9', 'y2', 'z2'].map((value) => Array<string>(3).fill(value)) as [
      string[],
      string[],
      string[],
    ];
    expect(tries.map((line) => line.split(' ')[0])).toEqual([...x, ...y, ...z]);
    await driver.close();
  });

  it('does not try what fails the same way each time, unless it is told to', async () => {
    const { driver, input, values, tries } = await start({
      source: FailurePolicy.retry({
        attempts: 5,
        retryOn: (error) => !(error instanceof TypeError),
        then: FailurePolicy.skip(),
      }),
    });
    await input.pipe('a', 'x1');
    expect(tries).toHaveLength(1);
    expect(values()).toEqual([]);
    await driver.close();
  });

  it('does not hold up other tasks', async () => {
    const { driver, input, output } = await start(
      { map: FailurePolicy.retry({ attempts: 2, backoff: '5 s', jitter: 0 }) },
      { partitions: 2 },
    );
    await input.append('a', 'x1', { partition: 0 });
    await input.append('b', 'y', { partition: 1 });
    let first: (string | null)[] = [];
    for (let i = 0; i < 400 && first.length === 0; i++) {
      await driver.step(2);
      first = output.readAll().map(({ value }) => value);
    }
    expect(first).toEqual(['y']);
    await driver.settle();
    expect(output.readAll().map(({ value }) => value)).toEqual(['x1']);
    await driver.close();
  });

  it('leaves nothing of the tries that failed, and survives a crash between them', async () => {
    const flaky = new Flaky();
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>(
        'in',
        Consumed.with(text, text, { failurePolicy: FailurePolicy.retry({ attempts: 9, backoff: '10 s' }) }),
      )
      .groupByKey()
      .aggregate(
        () => 0,
        (_key, value, sum) => (flaky.call(value), sum + 1),
        Materialized.as('counts', { keySerde: text, valueSerde: Serdes.json<number>() }),
      );
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('in', text, text);
    await input.append('a', 'x');
    await input.append('a', 'y3');
    await driver.step(300);
    await driver.crash();
    await driver.restart();
    await driver.settle();
    expect(await driver.store<string, number>('counts').get('a')).toBe(2);
  });

  it('tries a punctuation again', async () => {
    let fails = 2;
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .process(
        class implements Processor<string, string, string, string> {
          init(context: ProcessorContext<string, string>): void {
            context.schedule(1_000, 'wall-clock', () => {
              if (fails-- > 0) throw new Error('not yet');
              context.forward({ key: 'p', value: 'fired', timestamp: 0 });
            });
          }

          process(): void {
            return;
          }
        },
        Named.as('ticks', { failurePolicy: FailurePolicy.retry({ attempts: 3 }) }),
      )
      .to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder);
    await driver.advanceWallClockTime(1_000);
    expect(
      driver
        .outputTopic('out', text, text)
        .readAll()
        .map(({ value }) => value),
    ).toEqual(['fired']);
  });
});

describe('retrying through topics', () => {
  it('lets the records behind go on, and tries again after each delay', async () => {
    const { driver, input, values } = await start({ map: topicsOf(['10 s', '1 min']) });
    await input.pipe('a', 'x2');
    await input.pipe('a', 'y');
    expect(values()).toEqual(['y']);
    expect(driver.internalTopics).toEqual(['test-in-retry-1', 'test-in-retry-2']);
    await driver.advanceWallClockTime(9_999);
    expect(values()).toEqual([]);
    await driver.advanceWallClockTime(1);
    expect(values()).toEqual([]);
    await driver.advanceWallClockTime(59_999);
    expect(values()).toEqual([]);
    await driver.advanceWallClockTime(1);
    expect(values()).toEqual(['x2']);
    await driver.close();
  });

  it('ends in the dead-letter topic, with the record as it was and where it came from', async () => {
    const { driver, input, tries } = await start(
      {
        map: FailurePolicy.retry({
          attempts: 2,
          then: FailurePolicy.retryTopics({ delays: ['1 s', '1 s'], then: FailurePolicy.deadLetter('dead') }),
        }),
      },
      { partitions: { in: 3, out: 1, dead: 1 } },
    );
    await input.pipe('other', 'x', { partition: 2 });
    await input.pipe('a', 'y9', { partition: 2, timestamp: START - 5_000, headers: { trace: 'abc' } });
    await driver.advanceWallClockTime(1_000);
    await driver.advanceWallClockTime(1_000);
    const [letter, ...others] = driver.outputTopic('dead', text, text).readAll();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ key: 'a', value: 'y9', timestamp: START - 5_000 });
    const headers = headersOf(letter!.headers);
    expect(headers).toMatchObject({
      trace: 'abc',
      [DEAD_LETTER_HEADERS.exception]: 'TypeError',
      [DEAD_LETTER_HEADERS.message]: 'y9 failed',
      [DEAD_LETTER_HEADERS.topic]: 'in',
      [DEAD_LETTER_HEADERS.partition]: '2',
      [DEAD_LETTER_HEADERS.offset]: '1',
      [DEAD_LETTER_HEADERS.timestamp]: String(START - 5_000),
      [DEAD_LETTER_HEADERS.code]: 'MILLRACE_PROCESSING_FAILED',
      [DEAD_LETTER_HEADERS.stage]: 'processing',
      [DEAD_LETTER_HEADERS.node]: 'flaky',
      [DEAD_LETTER_HEADERS.attempts]: '6',
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('millrace.retry'))).toEqual([]);
    // To the function it is always the same record.
    expect(tries.slice(1)).toEqual(Array.from({ length: 6 }, () => 'y9 in 2 1'));
    await driver.close();
  });

  it('gives results with the record’s own time and headers', async () => {
    const { driver, input, output } = await start({ source: topicsOf(['1 s']) });
    await input.pipe('a', 'x1', { timestamp: START - 1, headers: { trace: 'abc' } });
    await driver.advanceWallClockTime(1_000);
    const [record] = output.readAll();
    expect(record).toMatchObject({ value: 'x1', timestamp: START - 1 });
    expect(headersOf(record!.headers)).toEqual({ trace: 'abc' });
    await driver.close();
  });

  it('keeps keys with their state: the retry topic has the partitions of the source', async () => {
    const flaky = new Flaky();
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text, { failurePolicy: topicsOf(['1 s', '1 s']) }))
      .groupByKey()
      .aggregate(
        () => '',
        (_key, value, all) => all + flaky.call(value),
        Materialized.as('all', { keySerde: text, valueSerde: text }),
      );
    await using driver = await TopologyTestDriver.start(builder, { partitions: 4, instances: 2 });
    const input = driver.inputTopic('in', text, text);
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      await input.pipe(key, 'x');
      await input.pipe(key, `${key}1`);
      await input.pipe(key, `${key}2`);
      await input.pipe(key, 'z');
    }
    await driver.advanceWallClockTime(1_000);
    await driver.advanceWallClockTime(1_000);
    const all = driver.store<string, string>('all');
    // What failed once comes after the first delay, what failed twice after the second.
    for (const key of ['a', 'b', 'c', 'd', 'e']) expect(await all.get(key)).toBe(`xz${key}1${key}2`);
  });

  it('waits over crashes, restarts and new owners, and forwards each record once', async () => {
    const { driver, input, values } = await start(
      { map: topicsOf(['10 s', '10 s']) },
      { partitions: 2, instances: 2 },
    );
    for (let i = 0; i < 6; i++) await input.append(`k${i}`, `v${i}-${i % 3}`);
    await driver.step(60);
    await driver.crash(0);
    await driver.restart(0);
    await driver.settle();
    await driver.advanceWallClockTime(10_000);
    await driver.rebalance();
    await driver.step(25);
    await driver.crash(1);
    await driver.restart(1);
    await driver.settle();
    await driver.advanceWallClockTime(10_000);
    await driver.advanceWallClockTime(10_000);
    expect(values().sort()).toEqual(Array.from({ length: 6 }, (_, i) => `v${i}-${i % 3}`));
    await driver.close();
  });

  it('does not wait for what a retry topic may bring before it takes other inputs', async () => {
    const { driver, input, values } = await start(
      { map: topicsOf(['1 h']) },
      { config: { maxTaskIdleMs: 60_000 } },
    );
    await input.pipe('a', 'x1');
    await input.pipe('a', 'y');
    expect(values()).toEqual(['y']);
    await driver.close();
  });

  it('counts what it does', async () => {
    const { driver, input } = await start({
      map: FailurePolicy.retry({
        attempts: 2,
        then: FailurePolicy.retryTopics({ delays: [1_000], then: FailurePolicy.skip() }),
      }),
    });
    await input.pipe('a', 'x9');
    await driver.advanceWallClockTime(1_000);
    expect(driver.droppedRecords).toBe(1);
    await driver.close();
  });
});

describe('a call to the outside', () => {
  it('that failed for good leaves a dead letter with its record, once', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .mapAsync(
        (value) =>
          value === 'bad' ? Promise.reject(new RangeError('no such thing')) : Promise.resolve(value),
        { name: 'call', resultSerde: text, failurePolicy: FailurePolicy.deadLetter('dead') },
      )
      .to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('in', text, text);
    await input.pipe('k', 'bad', { headers: { trace: 'abc' }, timestamp: START });
    await input.pipe('k', 'good');
    expect(driver.outputTopic('out', text, text).readValues()).toEqual(['good']);
    const [letter, ...others] = driver.outputTopic('dead', text, text).readAll();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ key: 'k', value: 'bad', timestamp: START });
    const headers = headersOf(letter!.headers);
    expect(headers).toMatchObject({
      trace: 'abc',
      [DEAD_LETTER_HEADERS.exception]: 'RangeError',
      [DEAD_LETTER_HEADERS.node]: 'call',
    });
    // It is the record that the operator was given, which may be another than the one that was read.
    expect(headers[DEAD_LETTER_HEADERS.topic]).toBeUndefined();
  });
});

describe('the application’s handlers', () => {
  it('see where the record lay at first, the node, and how often it was tried', async () => {
    const seen: unknown[] = [];
    const { driver, input } = await start(
      { map: FailurePolicy.retry({ attempts: 2, then: FailurePolicy.retryTopics({ delays: [1_000] }) }) },
      {
        exceptionHandlers: {
          processing: ({ topic, offset, node, attempts, stage }) => {
            seen.push([topic, offset, node, attempts, stage]);
            return 'continue';
          },
        },
      },
    );
    await input.pipe('a', 'x9');
    await driver.advanceWallClockTime(1_000);
    expect(seen).toEqual([['in', 0, 'flaky', 4, 'processing']]);
    await driver.close();
  });
});

function fail(): never {
  throw new Error('cannot be encoded');
}

function headersOf(
  headers: Iterable<{ readonly key: string; readonly value: Uint8Array | null }>,
): Record<string, string> {
  return Object.fromEntries([...headers].map(({ key, value }) => [key, Buffer.from(value ?? []).toString()]));
}
