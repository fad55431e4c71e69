// Specifies that an exactly-once handler is what its name says: killed again and again while it works, its output as Kafka's own console
// consumer reads it is that of an undisturbed run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { consumeWithJavaConsole } from '#libs/broker-local';
import { Serdes, readTopic } from '#libs/millrace';
import { publish } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { startNestProcess } from './nest-process.ts';
import { createTopics } from '../support/topics.ts';

const KEYS = 20;
const RECORDS = 6_000;
const KILLS = 3;

/** Records in the topic; by default those of undecided transactions too. */
async function written(
  { bootstrapServers: brokers }: SharedBroker,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
): Promise<number> {
  const text = Serdes.string();
  const serdes = { keySerde: text, valueSerde: text };
  let count = 0;
  for await (const _ of readTopic({ kafka: { brokers }, topic, ...serdes, isolation })) count++;
  return count;
}

describeWithBroker('an exactly-once handler that is killed', (broker) => {
  let stateDir: string;
  let process: RunningProcess | null = null;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'nest-handler-'));
  });

  afterEach(async () => {
    process?.child.kill('SIGKILL');
    await rm(stateDir, { recursive: true, force: true });
  });

  it('counts every record once', async () => {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopics(broker().bootstrapServers[0]!, [{ topic: input, numPartitions: 3 }]);
    await createTopics(broker().bootstrapServers[0]!, [{ topic: output, numPartitions: 3 }]);
    const options = {
      applicationId: uniqueName('app'),
      brokers: broker().bootstrapServers,
      input,
      output,
      stateDir,
      // Found in its place again by the group: the spec waits for no session.
      groupInstanceId: 'one',
      busyMs: 0.5,
    };
    const messages = Array.from({ length: RECORDS }, (_, index) => ({
      key: `key-${index % KEYS}`,
      value: String(index),
    }));
    await publish(broker(), input, messages);
    for (let round = 1; round <= KILLS; round++) {
      process = startNestProcess(options);
      await process.until(/RUNNING\n$/);
      // In the middle of its work: some of it is committed, some is not.
      await new Promise((resolve) => setTimeout(resolve, 150 * round));
      expect(await process.end('SIGKILL')).toBe('SIGKILL');
      expect(await written(broker(), output)).toBeLessThan(RECORDS);
    }
    expect(await written(broker(), output)).toBeGreaterThan(0);
    // The last time on another machine, without the state and the slot of before.
    process = startNestProcess({ ...options, stateDir: join(stateDir, 'elsewhere') });
    const records = await consumeWithJavaConsole(broker(), output, {
      maxMessages: RECORDS,
      timeoutMs: 60_000,
    });
    expect(records).toHaveLength(RECORDS);
    expect(await process.end('SIGTERM')).toBe('SIGTERM');
    // Beyond the last expected one nothing came.
    expect(await written(broker(), output, 'read_committed')).toBe(RECORDS);
    const counts = new Map<string, string[]>();
    for (const { key, value } of records) counts.set(key!, [...(counts.get(key!) ?? []), value!]);
    expect(counts.size).toBe(KEYS);
    const expected = Array.from({ length: RECORDS / KEYS }, (_, index) => String(index + 1));
    for (const values of counts.values()) expect(values).toEqual(expected);
  }, 180_000);
});
