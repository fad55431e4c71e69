import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, it } from '@jest/globals';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaClient } from '#libs/kafka';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { checkOutput, committed, createTopics, produce } from '../support/sums-input.ts';
import { spawnSums } from '../support/sums-process.ts';

const SESSION = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500, commitIntervalMs: 50 };
const PAUSE_MS = 9_000;

describeWithBroker('a worker paused for longer than its session', (broker) => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  function start(applicationId: string, instanceId: string, input: string, output: string) {
    const stateDir = mkdtempSync(join(tmpdir(), 'millrace-zombie-'));
    folders.push(stateDir);
    const brokers = broker().bootstrapServers;
    return spawnSums({ applicationId, instanceId, brokers, input, output, stateDir, ...SESSION });
  }

  it.each([
    ['while another takes its tasks over', true],
    ['alone in its group', false],
  ])('and woken again, %s, loses and doubles nothing', async (_what, hasSuccessor) => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    await produce(broker(), input, 0, 2_000);
    const client = createKafkaClient(
      { brokers: [...broker().bootstrapServers] },
      { clock: systemClock, logger: silentLogger },
    );
    const first = start(applicationId, 'first', input, output);
    await first.reached('RUNNING');
    let count = 2_000;
    // Stopped in the midst of work: an epoch is open, and with luck one on its way.
    const feeding = (async () => {
      while (count < 4_000) {
        await produce(broker(), input, count, 100);
        count += 100;
      }
    })();
    await committed(client, applicationId, input, 2_500);
    first.child.kill('SIGSTOP');
    await feeding;
    const second = hasSuccessor ? start(applicationId, 'second', input, output) : null;
    if (second === null) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    else await committed(client, applicationId, input, count);
    first.child.kill('SIGCONT');
    await produce(broker(), input, count, 1_000);
    count += 1_000;
    await committed(client, applicationId, input, count);
    await first.stop();
    await second?.stop();
    await client.close();
    await checkOutput(broker(), output, count);
  });
});
