// Specifies what is said and what is left when something is wrong outside of Millrace: each time a code, what was wrong with which
// input, what to do; and the state as if the bad record had never been.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Consumed,
  DEAD_LETTER_HEADERS,
  Materialized,
  Produced,
  Serdes,
  StreamsApplication,
  StreamsBuilder,
  deadLetter,
  logAndContinue,
  silentLogger,
} from '#libs/millrace';
import type { ErrorCode, KafkaConfig, StreamsApplicationOptions } from '#libs/millrace';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import {
  createTopic,
  deadLettersIn,
  fastClock,
  publish,
  runToEnd,
  startOldBroker,
  textsOf,
} from '../support/bad-input.ts';

const text = Serdes.string();
const amounts = Serdes.json<{ amount: number }>();

/** Sums per key: one total per key and epoch at least, so the last value of a key says what the state is. */
function sums(input: string, output: string, consumed = Consumed.with(text, amounts)): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream<string, { amount: number }>(input, consumed)
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, { amount }, sum) => sum + amount,
      Materialized.as('sums', { keySerde: text, valueSerde: Serdes.json<number>() }),
    )
    .toStream()
    .to(output, Produced.with(text, Serdes.json<number>()));
  return builder;
}

function copy(input: string, output: string): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder.stream<string, string>(input, Consumed.with(text, text)).to(output);
  return builder;
}

function expectRefusal(error: unknown, code: ErrorCode, ...words: string[]): void {
  expect(error).toMatchObject({ code, remedy: expect.stringMatching(/\w/) });
  for (const word of words) expect((error as Error).message).toContain(word);
}

describe('a broker that cannot be used', () => {
  const optionsFor = (kafka: KafkaConfig): StreamsApplicationOptions => ({
    applicationId: uniqueName('app'),
    kafka,
    topology: copy('in', 'out'),
  });

  it('is named when it cannot be reached', async () => {
    const { error } = await runToEnd({ ...optionsFor({ brokers: ['127.0.0.1:1'] }), clock: fastClock(100) });
    expectRefusal(error, 'MILLRACE_BROKER_UNREACHABLE', '127.0.0.1:1');
  });

  it('is refused when it is too old', async () => {
    const old = await startOldBroker();
    try {
      const { error } = await runToEnd({ ...optionsFor({ brokers: [old.address] }), clock: fastClock(100) });
      expectRefusal(error, 'MILLRACE_BROKER_TOO_OLD', old.address);
    } finally {
      old.stop();
    }
  });
});

describeWithBroker('topics that do not fit the topology', (broker) => {
  it('are all named when they are missing', async () => {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    const { error } = await runToEnd({
      applicationId: uniqueName('app'),
      kafka: { brokers: broker().bootstrapServers },
      topology: copy(input, output),
    });
    expectRefusal(error, 'MILLRACE_TOPIC_MISSING', input, output);
  });

  it('are named with their partition counts when those do not match', async () => {
    const [stream, table, output] = [uniqueName('in'), uniqueName('table'), uniqueName('out')];
    await createTopic(broker(), stream, 3);
    await createTopic(broker(), table, 2);
    await createTopic(broker(), output, 1);
    const builder = new StreamsBuilder();
    const rates = builder.table<string, string>(table, Consumed.with(text, text), Materialized.as('rates'));
    builder
      .stream<string, string>(stream, Consumed.with(text, text))
      .join(rates, (value, rate) => value + rate, { name: 'rated' })
      .to(output, Produced.with(text, text));
    const { error } = await runToEnd({
      applicationId: uniqueName('app'),
      kafka: { brokers: broker().bootstrapServers },
      topology: builder,
    });
    expectRefusal(error, 'MILLRACE_PARTITIONS_MISMATCH', `"${stream}" has 3`, `"${table}" has 2`, 'rated');
  });
});

describeWithBroker('a record that cannot be read', (broker) => {
  const bad = [
    [
      'an undecodable key',
      'MILLRACE_DESERIALIZATION_FAILED',
      { key: Buffer.from([0xff, 0xfe]), value: '{"amount":1}' },
    ],
    ['an undecodable value', 'MILLRACE_DESERIALIZATION_FAILED', { key: 'a', value: '{"amount":' }],
    [
      'a timestamp that is none',
      'MILLRACE_INVALID_TIMESTAMP',
      { key: 'a', value: '{"amount":1,"bad":true}' },
    ],
  ] as const;

  const consumed = Consumed.with(text, amounts, {
    timestampExtractor: (value, _key, timestamp) => ('bad' in value ? -1 : timestamp),
  });

  interface Prepared {
    readonly output: string;
    readonly deadLetters: string;
    readonly options: StreamsApplicationOptions;
  }

  async function prepare(record: { key: string | Buffer; value: string }): Promise<Prepared> {
    const [input, output, deadLetters] = [uniqueName('in'), uniqueName('out'), uniqueName('dead')];
    for (const topic of [input, output, deadLetters]) await createTopic(broker(), topic);
    const good = { key: 'a', value: '{"amount":10}' };
    await publish(broker(), input, [good, { ...record, headers: { trace: 'abc' } }, good]);
    return {
      output,
      deadLetters,
      options: {
        applicationId: uniqueName('app'),
        kafka: { brokers: broker().bootstrapServers },
        topology: sums(input, output, consumed),
      },
    };
  }

  it.each(bad)('stops the application by default: %s', async (_what, code, record) => {
    const { output, options } = await prepare(record);
    const { error } = await runToEnd(options);
    expectRefusal(error, code, 'offset 1');
    // Whatever was committed before it, nothing of it or behind it is there; and it is met again after a restart.
    expect((await textsOf(broker(), output)).at(-1)?.value ?? '10').toBe('10');
    expectRefusal((await runToEnd(options)).error, code, 'offset 1');
    // Once somebody has decided about it, the state goes on from where it was.
    const decided = await runToEnd({ ...options, exceptionHandlers: { deserialization: logAndContinue } });
    expect(decided.error).toBeNull();
    expect((await textsOf(broker(), output)).map(({ value }) => value)).toEqual(['10', '20']);
  });

  it.each(bad)('is skipped by choice, and leaves nothing: %s', async (_what, _code, record) => {
    const { output, options } = await prepare(record);
    const { error, droppedRecords } = await runToEnd({
      ...options,
      exceptionHandlers: { deserialization: logAndContinue },
    });
    expect(error).toBeNull();
    expect(droppedRecords).toBe(1);
    expect((await textsOf(broker(), output)).at(-1)).toMatchObject({ key: 'a', value: '20' });
  });

  it.each(bad)('goes to the dead-letter topic as it was: %s', async (_what, code, record) => {
    const { output, deadLetters, options } = await prepare(record);
    const { error } = await runToEnd({
      ...options,
      exceptionHandlers: { deserialization: deadLetter(deadLetters) },
    });
    expect(error).toBeNull();
    expect((await textsOf(broker(), output)).at(-1)).toMatchObject({ key: 'a', value: '20' });
    const letters = await deadLettersIn(broker(), deadLetters, 1);
    expect(letters[0]!.key.equals(Buffer.from(record.key))).toBe(true);
    expect(letters[0]!.value).toBe(record.value);
    expect(letters[0]!.headers).toMatchObject({
      trace: 'abc',
      [DEAD_LETTER_HEADERS.code]: code,
      [DEAD_LETTER_HEADERS.offset]: '1',
      [DEAD_LETTER_HEADERS.stage]: 'deserialization',
    });
  });

  it('is dropped and counted when its key is null where one is needed', async () => {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopic(broker(), input);
    await createTopic(broker(), output);
    await publish(broker(), input, [
      { key: 'a', value: '{"amount":10}' },
      { key: null, value: '{"amount":1}' },
      { key: 'a', value: '{"amount":10}' },
    ]);
    const { error, droppedRecords } = await runToEnd({
      applicationId: uniqueName('app'),
      kafka: { brokers: broker().bootstrapServers },
      topology: sums(input, output),
    });
    expect(error).toBeNull();
    expect(droppedRecords).toBe(1);
    expect((await textsOf(broker(), output)).map(({ value }) => value)).toEqual(['10', '20']);
  });
});

describeWithBroker('a record that is too large', (broker) => {
  const grow = (input: string, output: string): StreamsBuilder => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>(input, Consumed.with(text, text))
      .mapValues((value) => value.repeat(100))
      .to(output, Produced.with(text, text));
    return builder;
  };

  async function prepare(
    configs: Readonly<Record<string, string>> = {},
  ): Promise<[string, StreamsApplicationOptions]> {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopic(broker(), input);
    await createTopic(broker(), output, 1, configs);
    await publish(broker(), input, [
      { key: 'a', value: 'x' },
      { key: 'a', value: 'large '.repeat(10) },
      { key: 'a', value: 'y' },
    ]);
    const applicationId = uniqueName('app');
    const kafka = { brokers: broker().bootstrapServers };
    return [output, { applicationId, kafka, topology: grow(input, output) }];
  }

  it('is caught as it is appended, before anything is sent', async () => {
    const [output, options] = await prepare();
    const { error } = await runToEnd({ ...options, recordBytesMax: 2_000 });
    expectRefusal(error, 'MILLRACE_RECORD_TOO_LARGE', output);
    expect((await textsOf(broker(), output)).map(({ value }) => value?.[0])).not.toContain('y');
  });

  it('is left out by choice, and nothing else is', async () => {
    const [output, options] = await prepare();
    const { error } = await runToEnd({
      ...options,
      recordBytesMax: 2_000,
      exceptionHandlers: { production: logAndContinue },
    });
    expect(error).toBeNull();
    expect((await textsOf(broker(), output)).map(({ value }) => value?.[0])).toEqual(['x', 'y']);
  });

  it('stops the application when only the broker knows that it is', async () => {
    const [output, options] = await prepare({ 'max.message.bytes': '2000' });
    const { error } = await runToEnd(options);
    expect(['MILLRACE_RECORD_TOO_LARGE', 'MILLRACE_BATCH_TOO_LARGE']).toContain(error?.code);
    expect(error?.remedy).toMatch(/\w/);
    expect(await textsOf(broker(), output)).toEqual([]);
  });
});

describeWithBroker('a state directory in use', (broker) => {
  let stateDir: string;
  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'millrace-in-use-'));
  });
  afterAll(() => rm(stateDir, { recursive: true, force: true }));

  it('is refused to a second instance of the same name; the first goes on', async () => {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopic(broker(), input);
    await createTopic(broker(), output);
    const options: StreamsApplicationOptions = {
      applicationId: uniqueName('app'),
      instanceId: 'blue',
      kafka: { brokers: broker().bootstrapServers },
      topology: sums(input, output),
      stateDir,
      logger: silentLogger,
    };
    const first = new StreamsApplication(options);
    await first.start();
    await first.whenRunning();
    const second = new StreamsApplication(options);
    await expect(second.start()).rejects.toMatchObject({ code: 'MILLRACE_STATE_LOCKED' });
    expectRefusal(second.error, 'MILLRACE_STATE_LOCKED', 'blue', stateDir);
    expect(second.state).toBe('ERROR');
    await publish(broker(), input, [{ key: 'a', value: '{"amount":7}' }]);
    // Not a count of epochs: the first may only claim the task.
    while ((await textsOf(broker(), output)).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(first.state).toBe('RUNNING');
    await first.stop();
    expect((await textsOf(broker(), output)).map(({ value }) => value)).toEqual(['7']);
  });
});

describeWithBroker(
  'credentials that are wrong',
  (broker) => {
    it.each(['plain', 'scram-sha-256'] as const)(
      'are refused by the broker, and never shown: %s',
      async (mechanism) => {
        const { error } = await runToEnd({
          applicationId: uniqueName('app'),
          kafka: {
            brokers: [broker().endpoints.saslPlaintext!],
            sasl: { mechanism, username: 'alice', password: 'not-her-secret' },
          },
          topology: copy('in', 'out'),
        });
        expectRefusal(error, 'MILLRACE_AUTHENTICATION_FAILED');
        expect(JSON.stringify([error?.message, error?.context])).not.toContain('not-her-secret');
      },
    );
  },
  { security: { sasl: { users: [{ name: 'alice', password: 'alice-secret' }] } } },
);
