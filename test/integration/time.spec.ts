import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { partitionForKey } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { createKafkaClient } from '#libs/kafka';
import { silentLogger, systemClock } from '#libs/core';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { readToEnd } from '../support/java-reader.ts';
import { PARTITIONS, committed, createTopics } from '../support/sums-input.ts';
import { expectedLines, spawnTimeApplication } from '../support/time-application.ts';
import type { TimedRecord } from '../support/time-application.ts';

const KEYS = 40;
const COUNT = 6_000;
/** Recent, so that no retention takes windows away while the spec runs. */
const BASE = Math.floor(systemClock.now() / 1_000) * 1_000 - 120_000;

/** Ten milliseconds a record, out of order by less than the bound; keys fall quiet in turn. */
function recordsOf(from: number, count: number): TimedRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const i = from + n;
    const key = `k${(i * 7 + Math.floor(i / 120) * 11) % KEYS}`;
    return { key, value: i, timestamp: BASE + i * 10 - ((i * 13) % 4) * 10 };
  });
}

async function produce(broker: SharedBroker, topic: string, records: readonly TimedRecord[]): Promise<void> {
  const kafka = new Kafka({ brokers: [...broker.bootstrapServers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  });
  await producer.connect();
  for (let start = 0; start < records.length; start += 200) {
    await producer.send({
      topic,
      messages: records.slice(start, start + 200).map(({ key, value, timestamp }) => ({
        key,
        value: String(value),
        timestamp: String(timestamp),
      })),
    });
  }
  await producer.disconnect();
}

function expected(records: readonly TimedRecord[]): string[] {
  const partitions: TimedRecord[][] = Array.from({ length: PARTITIONS }, () => []);
  for (const record of records)
    partitions[partitionForKey(record.key as BinaryString, PARTITIONS)]!.push(record);
  return partitions.flatMap((partition) => expectedLines(partition)).sort();
}

describeWithBroker('a process killed with windows and timers open', (broker) => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  function stateDir(): string {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-time-'));
    folders.push(folder);
    return folder;
  }

  it.each([
    ['on its own state', true],
    ['by another instance with an empty disk', false],
  ])(
    'is gone on with %s: each window and each timer comes once, with all that belongs to it',
    async (_how, sameInstance) => {
      const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
      const client = createKafkaClient(
        { brokers: [...broker().bootstrapServers] },
        { clock: systemClock, logger: silentLogger },
      );
      await createTopics(broker(), input, output);
      const first = {
        applicationId,
        instanceId: 'first',
        brokers: broker().bootstrapServers,
        stateDir: stateDir(),
        input,
        output,
      };
      const killed = spawnTimeApplication(first);
      await killed.running();
      await produce(broker(), input, recordsOf(0, COUNT / 2));
      await committed(client, applicationId, input, COUNT / 4);
      // In the middle of its epochs, with most windows of the last second and all timers open.
      killed.child.kill('SIGKILL');
      await once(killed.child, 'exit');

      const next = sameInstance ? first : { ...first, instanceId: 'second', stateDir: stateDir() };
      const successor = spawnTimeApplication(next);
      await successor.running();
      await produce(broker(), input, recordsOf(COUNT / 2, COUNT / 2));
      await committed(client, applicationId, input, COUNT);
      successor.child.kill('SIGTERM');
      await once(successor.child, 'exit');
      await client.close();

      const wanted = expected(recordsOf(0, COUNT));
      expect(wanted.length).toBeGreaterThan(COUNT / 20);
      const records = await readToEnd(broker(), output, wanted.length);
      const lines = records.map(({ key, value }) => `${String(key)} ${String(value)}`).sort();
      expect(lines).toEqual(wanted);
    },
  );
});
