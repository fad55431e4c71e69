import { beforeEach, describe, expect, it } from '@jest/globals';
import { createMemoryStateBackend } from '#libs/state';
import { Serdes } from '#libs/serde';
import { FailurePolicy } from '#libs/topology';
import type { SourceSpec, TaskPorts, Topology } from '#libs/topology';
import { logAndContinue } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { encodeText, handMade, keyValueStore } from './hand-made.ts';
import type { HandMade } from './hand-made.ts';
import { runToEnd } from './support.ts';

let broker: InProcessBroker;

beforeEach(() => {
  broker = new InProcessBroker();
  broker.createTopic('in', 1);
  broker.createTopic('out', 1);
});

/** A table of the topic itself; each record says what the table held before it and when that was set. */
const table = (ports: TaskPorts): HandMade => {
  const store = ports.store('table');
  return {
    process: (key, value, timestamp) => {
      if (key === null) return;
      const entry = store.entry(encodeText(key as string));
      const before = store.value(entry) as string | undefined;
      ports.sink(0).send(key, before === undefined ? 'nothing' : `${before}@${entry.timestamp}`, timestamp);
      store.set(entry, value, timestamp);
    },
  };
};

const topology = (source: Partial<SourceSpec> = {}): Topology =>
  handMade(table, { stores: [keyValueStore('table', { sourceTopic: 'in' })], source });

const produce = (...records: (readonly [string | null, string | null, number])[]): void =>
  broker.produce(
    'in',
    0,
    records.map(([key, value, timestamp]) => ({ key, value, timestamp })),
  );

const outputs = (): string[] =>
  broker.records('out', 0).map(({ key, value }) => `${String(key)}=${String(value)}`);

describe('a source topic that serves as changelog', () => {
  it('is restored from, with nothing written beside it', async () => {
    produce(['a', '1', 1], ['b', '2', 2], [null, 'no key', 3], ['b', null, 4]);
    await runToEnd(broker, topology());
    expect([...broker.logs.keys()]).toEqual(['in', 'out']);
    produce(['a', '3', 5], ['b', '4', 6]);
    const runtime = await runToEnd(broker, topology());
    expect(outputs().slice(-2)).toEqual(['a=1@1', 'b=nothing']);
    expect(runtime.figures!.restoredRecords).toBe(3);
  });

  it('is read up to the committed offset, and what lies behind it is processed', async () => {
    produce(['a', '1', 1]);
    await runToEnd(broker, topology());
    produce(['a', '2', 2]);
    // Both values lie in the topic now; only the first has been seen.
    await runToEnd(broker, topology());
    expect(outputs()).toEqual(['a=nothing', 'a=1@1']);
  });

  it('is replayed from where the local state had come to', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    produce(['a', '1', 1], ['b', '1', 1]);
    await runToEnd(broker, topology(), { backend });
    produce(['a', '2', 2]);
    const runtime = await runToEnd(broker, topology(), { backend });
    expect(runtime.figures!.restoredRecords).toBe(0);
    expect(outputs().at(-1)).toBe('a=1@1');
  });

  it('goes through the extractor, and leaves out what the policy let go', async () => {
    const source: Partial<SourceSpec> = {
      valueSerde: Serdes.json<string>(),
      timestampExtractor: (value, _key, recordTimestamp) => recordTimestamp + Number(value) * 100,
    };
    const json = { ...keyValueStore('table', { sourceTopic: 'in' }), valueSerde: source.valueSerde! };
    const options = { exceptionHandlers: { deserialization: logAndContinue } };
    produce(['a', '"1"', 1], ['a', 'not json', 2], ['b', '"7"', -1_000]);
    await runToEnd(broker, handMade(table, { stores: [json], source }), options);
    produce(['a', '"2"', 5], ['b', '"8"', 6]);
    await runToEnd(broker, handMade(table, { stores: [json], source }), options);
    expect(outputs().slice(-2)).toEqual(['a=1@101', 'b=nothing']);
  });

  it('leaves out what the policy of the source let go, whatever the application’s handler says', async () => {
    const source: Partial<SourceSpec> = {
      valueSerde: Serdes.json<string>(),
      failurePolicy: FailurePolicy.retry({
        attempts: 2,
        backoff: 0,
        retryOn: () => true,
        then: FailurePolicy.skip(),
      }),
    };
    const json = { ...keyValueStore('table', { sourceTopic: 'in' }), valueSerde: source.valueSerde! };
    const topology = handMade(table, { stores: [json], source });
    produce(['a', '"1"', 1], ['a', 'not json', 2], ['b', '"7"', 3]);
    await runToEnd(broker, topology);
    produce(['a', '"2"', 5], ['b', '"8"', 6]);
    await runToEnd(broker, topology);
    expect(outputs().slice(-2)).toEqual(['a=1@1', 'b=7@3']);
  });

  it.each([
    ['a source that starts at the end of its topic', { offsetReset: 'latest' }],
    ['a source that refuses future timestamps', { futureTimestamps: { aheadMsMax: 1, policy: 'drop' } }],
  ] as const)(
    'is not used for %s: the topic alone does not say what the store held',
    async (_what, source) => {
      await runToEnd(broker, topology(source));
      expect(broker.logs.has('app-table-changelog')).toBe(true);
    },
  );
});
