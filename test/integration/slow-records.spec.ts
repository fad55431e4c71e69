// Records that block the event loop for longer than the session timeout, and than the transaction timeout.
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import type { SlowProcessOptions } from '../support/slow-process.ts';
import { readToEnd } from '../support/java-reader.ts';
import { sideBySide } from '../support/side-by-side.ts';
import { createTopics } from '../support/topics.ts';

const PARTITIONS = 2;
const SCRIPT = fileURLToPath(new URL('../support/slow-process.ts', import.meta.url));

const running: RunningProcess[] = [];
afterAll(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
});

function start(options: SlowProcessOptions): RunningProcess {
  const started = startNode(['--conditions=millrace-source', SCRIPT, JSON.stringify(options)]);
  running.push(started);
  return started;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function settled(...copies: readonly RunningProcess[]): Promise<number[]> {
  let counts: number[] = [];
  for (let quiet = 0; quiet < 20; quiet++) {
    await pause(100);
    const now = copies.map(joins);
    if (now.some((count, index) => count !== counts[index])) quiet = 0;
    counts = now;
  }
  return counts;
}

const joins = (copy: RunningProcess): number => copy.output().match(/^JOINED$/gm)?.length ?? 0;

/** Records of no effort to all partitions until told to end, with what is slow in between. */
async function feed(broker: SharedBroker, topic: string) {
  const kafka = new Kafka({
    clientId: 'spec',
    brokers: [...broker.bootstrapServers],
    logLevel: logLevel.NOTHING,
  });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
  await producer.connect();
  let next = 0;
  let ended = false;
  const slow: { partition: number; blockMs: number }[] = [];
  const feeding = (async () => {
    while (!ended || slow.length > 0) {
      const messages = [];
      for (let partition = 0; partition < PARTITIONS; partition++) {
        messages.push({
          partition,
          key: String(partition),
          value: JSON.stringify({ id: next++, blockMs: 0 }),
        });
      }
      const record = slow.shift();
      if (record !== undefined) {
        const { partition, blockMs } = record;
        messages.push({ partition, key: String(partition), value: JSON.stringify({ id: next++, blockMs }) });
      }
      await producer.send({ topic, messages });
      await pause(5);
    }
    await producer.disconnect();
  })();
  return {
    addSlow: (partition: number, blockMs: number) => slow.push({ partition, blockMs }),
    /** How many records there are. */
    async end(): Promise<number> {
      ended = true;
      await feeding;
      return next;
    },
  };
}

/** Of what should be `count` records. */
async function idsOf(broker: SharedBroker, topic: string, count: number): Promise<number[]> {
  const records = await readToEnd(broker, topic, count);
  return records.map(({ value }) => (JSON.parse(value!) as { id: number }).id).sort((a, b) => a - b);
}

const idsBelow = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describeWithBroker('a record that blocks the event loop', (broker) => {
  const it = sideBySide(240_000);

  it('for longer than session and transaction timeout moves no partition, is got past, and is written once', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(
      broker().bootstrapServers[0]!,
      [input, output].map((topic) => ({ topic, numPartitions: PARTITIONS })),
    );
    const brokers = broker().bootstrapServers;
    const copies = ['one', 'two'].map((instanceId) =>
      start({ applicationId, instanceId, brokers, input, output }),
    );
    await Promise.all(copies.map((copy) => copy.until(/RUNNING/)));
    const before = await settled(...copies);
    const feeding = await feed(broker(), input);
    await pause(1_000);
    for (let partition = 0; partition < PARTITIONS; partition++) feeding.addSlow(partition, 12_000);
    await pause(1_000);
    const count = await feeding.end();
    // The loops are free again: before, they hear no signal.
    await Promise.all(copies.map((copy) => copy.until(/heartbeats were sent for it/)));
    expect(copies.map(joins)).toEqual(before);
    expect(await Promise.all(copies.map((copy) => copy.end('SIGTERM')))).toEqual([0, 0]);
    const last = start({ applicationId, instanceId: 'one', brokers, input, output, until: 'latest' });
    expect(await last.ended()).toBe(0);
    expect(await idsOf(broker(), output, count)).toEqual(idsBelow(count));
  });

  it('for longer than the session keeps the tasks that the broker assigned', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(
      broker().bootstrapServers[0]!,
      [input, output].map((topic) => ({ topic, numPartitions: PARTITIONS })),
    );
    const brokers = broker().bootstrapServers;
    const options = { applicationId, instanceId: 'one', brokers, input, output };
    const copy = start({ ...options, groupProtocol: 'streams' });
    await copy.until(/RUNNING/);
    const feeding = await feed(broker(), input);
    await pause(1_000);
    // The session of these groups is the broker's: 6 s here.
    feeding.addSlow(0, 9_000);
    await copy.until(/SLOW/);
    const count = await feeding.end();
    await copy.until(/heartbeats were sent for it/);
    expect(await copy.end('SIGTERM')).toBe(0);
    expect(copy.output()).not.toMatch(/membership was lost/);
    const last = start({ ...options, groupProtocol: 'streams', until: 'latest' });
    expect(await last.ended()).toBe(0);
    expect(await idsOf(broker(), output, count)).toEqual(idsBelow(count));
  });

  it('for longer than it may loses its partitions to another, and the process says why', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(
      broker().bootstrapServers[0]!,
      [input, output].map((topic) => ({ topic, numPartitions: PARTITIONS })),
    );
    const options = { applicationId, brokers: broker().bootstrapServers, input, output, maxBlockedMs: 7_000 };
    const stuck = start({ ...options, instanceId: 'stuck' });
    await stuck.until(/RUNNING/);
    const feeding = await feed(broker(), input);
    feeding.addSlow(0, 17_000);
    await stuck.until(/SLOW/);
    const other = start({ ...options, instanceId: 'other', maxBlockedMs: 300_000 });
    const count = await feeding.end();
    await stuck.until(/blocked for longer than maxBlockedMs \(7000 ms\)/);
    // The successor meets the same record, and has the time for it.
    await other.until(/SLOW/);
    await stuck.until(/The worker lost its place/);
    expect(await stuck.end('SIGTERM')).toBe(0);
    await other.until(/heartbeats were sent for it/);
    expect(await other.end('SIGTERM')).toBe(0);
    const last = start({ ...options, instanceId: 'other', until: 'latest' });
    expect(await last.ended()).toBe(0);
    expect(await idsOf(broker(), output, count)).toEqual(idsBelow(count));
  });
});
