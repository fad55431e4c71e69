// Specifies that records that fail are tried again, end in the dead-letter topic, and are put back from there, exactly once, through kill -9 of whoever does
// it; told by Kafka's own console consumer.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Serdes, peekDeadLetters, readTopic } from '#libs/millrace';
import type { RedriveReport } from '#libs/millrace';
import { publish } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import type { Counted, FailingProcessOptions, FailingRecord } from '../support/failing-process.ts';
import { readToEnd } from '../support/java-reader.ts';
import { createTopics } from '../support/topics.ts';

const SCRIPT = fileURLToPath(new URL('../support/failing-process.ts', import.meta.url));
const PARTITIONS = 2;
const KEYS = 5;
const RECORDS = 90;

let stateDir: string;
const running: RunningProcess[] = [];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'millrace-failures-'));
});

afterEach(async () => {
  for (const process of running.splice(0)) await process.end('SIGKILL');
  await rm(stateDir, { recursive: true, force: true });
});

function start(options: FailingProcessOptions): RunningProcess {
  const started = startNode([
    '--conditions=millrace-source',
    '--disable-warning=ExperimentalWarning',
    SCRIPT,
    JSON.stringify(options),
  ]);
  running.push(started);
  return started;
}

/** Waits until so many committed records are in a topic. */
async function until(broker: SharedBroker, topic: string, count: number): Promise<void> {
  const bytes = Serdes.string();
  for (let attempt = 0; attempt < 200; attempt++) {
    let found = 0;
    const kafka = { brokers: broker.bootstrapServers };
    for await (const record of readTopic({ kafka, topic, keySerde: bytes, valueSerde: bytes }))
      found += record.offset >= 0 ? 1 : 0;
    if (found >= count) return;
    await delay(150);
  }
  throw new Error(`there are no ${count} records in ${topic}`);
}

const sorted = (ids: Iterable<string>): string[] => [...ids].sort();

describeWithBroker('records that fail', (broker) => {
  it('go by way of retry topics, dead letters and a redrive exactly once through kills', async () => {
    const [input, output, deadLetters] = [uniqueName('in'), uniqueName('out'), uniqueName('dead')];
    await createTopics(
      broker().bootstrapServers[0]!,
      [input, output, deadLetters].map((topic) => ({
        topic,
        numPartitions: topic === output ? 1 : PARTITIONS,
      })),
    );
    const given: FailingProcessOptions = {
      role: 'application',
      applicationId: uniqueName('app'),
      brokers: broker().bootstrapServers,
      ...{ input, output, deadLetters, stateDir, fixed: false },
    };

    const records: (FailingRecord & { readonly key: string })[] = Array.from({ length: RECORDS }, (_, i) => ({
      id: `r${i}`,
      key: `k${i % KEYS}`,
      heals: i % 6 === 1 ? null : i % 3 === 0 ? Date.now() + 1_500 + 40 * i : 0,
    }));
    const poison = records.filter(({ heals }) => heals === null).map(({ id }) => id);
    const messages = records.map(({ key, id, heals }) => ({ key, value: JSON.stringify({ id, heals }) }));
    await publish(broker(), input, messages);

    // Killed while records wait in place, while they wait in retry topics, while dead letters are written.
    for (const afterMs of [150, 400, 700, 1_000]) {
      const service = start(given);
      await service.until(/RUNNING/);
      await delay(afterMs);
      expect(await service.end('SIGKILL')).toBe('SIGKILL');
    }
    let service = start(given);
    // All may have been done before the kills: a signal to a process that only just begins would kill it.
    await service.until(/RUNNING/);
    await until(broker(), deadLetters, poison.length);
    await until(broker(), output, RECORDS - poison.length);
    expect(await service.end('SIGTERM')).toBe(0);

    const letters = await peekDeadLetters({
      kafka: { brokers: broker().bootstrapServers },
      applicationId: given.applicationId,
      topic: deadLetters,
      limit: Infinity,
    });
    expect(
      sorted(letters.map(({ value }) => (JSON.parse(Buffer.from(value!).toString()) as FailingRecord).id)),
    ).toEqual(sorted(poison));
    for (const { origin, code, attempts, node, message } of letters) {
      expect([origin!.topic, code, node]).toEqual([
        input,
        'MILLRACE_PROCESSING_FAILED',
        'KSTREAM-AGGREGATE-0000000001',
      ]);
      expect(message).toMatch(/r\d+ fails/);
      // Twice in place in each of four topics; a kill between two tries in place forgets the first.
      expect(attempts).toBeGreaterThanOrEqual(8);
    }

    // The defect is mended; the dead letters are put back, by a process that is killed again and again.
    service = start({ ...given, fixed: true });
    await service.until(/RUNNING/);
    for (const seen of [/BEGUN/, /REDRIVEN 3/, /REDRIVEN 6/]) {
      const redrive = start({ ...given, role: 'redrive' });
      await redrive.until(seen);
      expect(await redrive.end('SIGKILL')).toBe('SIGKILL');
    }
    const last = start({ ...given, role: 'redrive' });
    expect(await last.ended()).toBe(0);
    const report = JSON.parse(last.output().trimEnd().split('\n').at(-1)!) as RedriveReport;
    expect(report).toMatchObject({ complete: true, filtered: 0 });
    await until(broker(), output, RECORDS);
    expect(await service.end('SIGTERM')).toBe(0);

    const results = (await readToEnd(broker(), output, RECORDS)).map(({ key, value }) => ({
      key,
      ...(JSON.parse(value!) as Counted),
    }));
    expect(sorted(results.map(({ id }) => id))).toEqual(sorted(records.map(({ id }) => id)));
    // The state behind them counted each once.
    for (let key = 0; key < KEYS; key++) {
      const counts = results.filter((result) => result.key === `k${key}`).map(({ n }) => n);
      expect(counts).toEqual(Array.from({ length: RECORDS / KEYS }, (_, i) => i + 1));
    }
    expect(await readToEnd(broker(), deadLetters, poison.length)).toHaveLength(poison.length);
  }, 300_000);
});
