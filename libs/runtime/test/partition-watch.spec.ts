// Specifies what is made of partition counts that change under an application: inputs stop it, outputs are followed.
import { describe, expect, it } from '@jest/globals';
import { partitionForKey } from '#libs/broker';
import { silentLogger } from '#libs/core';
import type { BinaryString, FatalError } from '#libs/core';
import { VirtualClock } from '#libs/broker-memory';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import { ClusterLayout } from '../src/cluster-layout.ts';
import { OutputCollector } from '../src/output-collector.ts';
import { PartitionWatch } from '../src/partition-watch.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { createRuntime } from './support.ts';

const text = Serdes.string();
const INTERVAL_MS = 60_000;

describe('PartitionWatch', () => {
  function fixture() {
    const clock = new VirtualClock();
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', { keySerde: text, valueSerde: text })
      .groupByKey()
      .count({ name: 'counts', keySerde: text })
      .toStream()
      .to('out', { keySerde: text, valueSerde: Serdes.json<number>() });
    const layout = new ClusterLayout('app', builder.build(), new Map([['in', 2]]), 'earliest');
    const counts = new Map([
      ['in', 2],
      ['out', 2],
      ['app-counts-changelog', 2],
    ]);
    const collector = new OutputCollector(1_000, 1_000);
    for (const [topic, count] of counts) collector.addTopic(topic, count);
    const refused: FatalError[] = [];
    const asked: (readonly string[])[] = [];
    const watch = new PartitionWatch({
      layout,
      admin: {
        describeTopics: (topics) => {
          asked.push(topics);
          const found = topics.filter((name) => counts.has(name));
          return Promise.resolve(
            new Map(found.map((name) => [name, { name, topicId: name, partitionCount: counts.get(name)! }])),
          );
        },
      },
      collector,
      intervalMs: INTERVAL_MS,
      clock,
      logger: silentLogger,
      onRefused: (error) => refused.push(error),
    });
    const pass = async (ms: number): Promise<void> => {
      await clock.advance(ms);
      watch.turn();
      await clock.advance(1);
    };
    return { counts, collector, watch, refused, asked, pass };
  }

  it('looks at inputs and outputs once an interval, and never at changelogs', async () => {
    const { asked, pass } = fixture();
    await pass(INTERVAL_MS - 2);
    expect(asked).toEqual([]);
    await pass(2);
    await pass(INTERVAL_MS / 2);
    expect(asked).toEqual([['in', 'out']]);
  });

  it('lets an output grow once another look has seen the same, at the end of the epoch', async () => {
    const { counts, collector, refused, pass } = fixture();
    const output = collector.topic('out');
    counts.set('out', 5);
    await pass(INTERVAL_MS);
    expect(collector.isGrowing).toBe(false);
    await pass(2_000);
    expect([collector.isGrowing, output.partitions.length]).toEqual([true, 2]);
    collector.cutAll();
    collector.endEpoch();
    expect(collector.topic('out').partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4]);
    for (let i = 0; i < 100; i++) {
      const key = `key-${i}` as BinaryString;
      expect(output.choose(key).partition).toBe(partitionForKey(key, 5));
    }
    await pass(INTERVAL_MS);
    expect([collector.isGrowing, refused.length]).toEqual([false, 0]);
  });

  it('believes no count that only one broker has told', async () => {
    const { counts, collector, refused, pass } = fixture();
    counts.set('out', 1);
    await pass(INTERVAL_MS);
    counts.set('out', 2);
    await pass(2_000);
    counts.set('out', 1);
    await pass(INTERVAL_MS);
    expect([collector.isGrowing, refused.length]).toEqual([false, 0]);
  });

  it('stops at an output that was made again with fewer partitions, and waits for one that is gone', async () => {
    const { counts, refused, pass } = fixture();
    counts.delete('out');
    for (let i = 0; i < 3; i++) await pass(INTERVAL_MS);
    expect(refused).toEqual([]);
    counts.set('out', 1);
    await pass(INTERVAL_MS);
    await pass(2_000);
    expect(refused).toMatchObject([
      {
        code: 'MILLRACE_PARTITIONS_MISMATCH',
        message: expect.stringContaining('"out" had 2 and has 1'),
        context: { topics: ['out'] },
      },
    ]);
  });

  it('stops at an input that got more', async () => {
    const { counts, refused, pass } = fixture();
    counts.set('in', 3);
    await pass(INTERVAL_MS);
    expect(refused).toMatchObject([
      { code: 'MILLRACE_PARTITIONS_MISMATCH', message: expect.stringContaining('"in" had 2 and has 3') },
    ]);
  });
});

describe('an application whose output gets more partitions', () => {
  it('writes to them, by sinks of a fixed topic and by those that choose one', async () => {
    const broker = new InProcessBroker();
    broker.createTopic('in', 1);
    broker.createTopic('out', 2);
    broker.createTopic('chosen', 2);
    const builder = new StreamsBuilder();
    const input = builder.stream<string, string>('in', { keySerde: text, valueSerde: text });
    input.to('out', { keySerde: text, valueSerde: text });
    input.to(() => 'chosen', { keySerde: text, valueSerde: text });
    const runtime = createRuntime(broker, builder.build(), { until: 'stopped', metadataMaxAgeMs: 20 });
    await runtime.start();
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    const publish = (): void =>
      broker.produce(
        'in',
        0,
        keys.map((key) => ({ key, value: 'x', timestamp: 1 })),
      );
    const written = (topic: string): number => broker.logs.get(topic)!.reduce((sum, { end }) => sum + end, 0);
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    publish();
    await until(() => written('out') === 50 && written('chosen') === 50);
    for (const topic of ['out', 'chosen']) {
      for (let i = 0; i < 3; i++) broker.logs.get(topic)!.push({ batches: [], end: 0 });
    }
    const before = broker.logs.get('out')!.map(({ end }) => end);
    // Each round may still go by the old count, until the watch has looked.
    while (broker.log('out', 4).end === 0 || broker.log('chosen', 4).end === 0) {
      const sum = written('chosen');
      publish();
      await until(() => written('chosen') === sum + 50 && written('out') === sum + 50);
    }
    await runtime.stop();
    for (const topic of ['out', 'chosen']) {
      for (const [partition, first] of before.entries()) {
        for (const { key, offset } of broker.records(topic, partition)) {
          const counts = partition > 1 ? [5] : offset < first ? [2] : [2, 5];
          expect(counts.map((count) => partitionForKey(key as BinaryString, count))).toContain(partition);
        }
      }
    }
  });
});
