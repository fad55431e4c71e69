// Specifies that a Nest service that is restarted, as `nest start --watch` does at each change of a file, leaves no member behind in its group: a
// member that nobody hears of would keep its partitions until its session is over, here longer than the spec may take.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { treeKillSync } from '@nestjs/cli/lib/utils/tree-kill.js';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { publish, textsOf } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { startNestProcess } from './nest-process.ts';
import type { NestProcessOptions } from './nest-process.ts';
import { createTopics } from '../support/topics.ts';

const SESSION_TIMEOUT_MS = 300_000;

describeWithBroker('a Nest service that is restarted', (broker) => {
  let stateDir: string;
  let options: NestProcessOptions;
  const started: RunningProcess[] = [];

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'nest-restarts-'));
    options = {
      applicationId: uniqueName('app'),
      brokers: broker().bootstrapServers,
      input: uniqueName('in'),
      output: uniqueName('out'),
      stateDir,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
    };
    await createTopics(broker().bootstrapServers[0]!, [{ topic: options.input, numPartitions: 2 }]);
    await createTopics(broker().bootstrapServers[0]!, [{ topic: options.output, numPartitions: 2 }]);
  });

  afterEach(async () => {
    for (const { child } of started.splice(0)) child.kill('SIGKILL');
    await rm(stateDir, { recursive: true, force: true });
  });

  function start(more: Partial<NestProcessOptions> = {}): RunningProcess {
    const process = startNestProcess({ ...options, ...more });
    started.push(process);
    return process;
  }

  async function members(): Promise<number> {
    const admin = new Kafka({ brokers: [...options.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const { groups } = await admin.describeGroups([options.applicationId]);
      return groups[0]!.members.length;
    } finally {
      await admin.disconnect();
    }
  }

  const signalled = (signal: NodeJS.Signals) => (process: RunningProcess) => process.end(signal);

  it.each<
    [string, Partial<NestProcessOptions>, (process: RunningProcess) => Promise<number | NodeJS.Signals>]
  >([
    ['by SIGTERM, with Nest’s shutdown hooks', { shutdownHooks: true }, signalled('SIGTERM')],
    ['by SIGTERM, without them', {}, signalled('SIGTERM')],
    ['by SIGTERM, a server without them', { server: true }, signalled('SIGTERM')],
    [
      'by the watcher of nest start, as it kills the old process',
      { server: true },
      (process) => {
        treeKillSync(process.child.pid!);
        return process.ended();
      },
    ],
    [
      'by Ctrl-C under nest start, which hands on what the terminal has sent already',
      {},
      (process) => {
        process.child.kill('SIGINT');
        return process.end('SIGINT');
      },
    ],
  ])(
    '%s, is the only member each time',
    async (_how, more, end) => {
      for (let round = 1; round <= 3; round++) {
        const process = start(more);
        await process.until(/RUNNING\n$/);
        expect(await members()).toBe(1);
        await publish(broker(), options.input, [{ key: 'a', value: '1' }]);
        while ((await textsOf(broker(), options.output)).length < round) expect(await members()).toBe(1);
        expect(String(await end(process))).toMatch(/^SIG(TERM|INT)$/);
        expect(process.output()).toContain('NOT_RUNNING');
        expect(await members()).toBe(0);
      }
      expect((await textsOf(broker(), options.output)).map(({ value }) => value)).toEqual(['1', '2', '3']);
    },
    120_000,
  );

  it('while it still joins its group, leaves it too', async () => {
    const process = start();
    await process.until(/REBALANCING/);
    await process.end('SIGTERM');
    expect(process.output()).toMatch(/NOT_RUNNING\n$/);
    expect(await members()).toBe(0);
    await start().until(/RUNNING\n$/);
  }, 60_000);

  it('leaves a member behind where it is told to leave signals alone: what this spec looks for is there to be seen', async () => {
    const process = start({ drainOnSignals: false });
    await process.until(/RUNNING\n$/);
    await process.end('SIGTERM');
    expect(await members()).toBe(1);
  }, 60_000);

  it('finds its place again after a kill −9 when it is a static member', async () => {
    const first = start({ groupInstanceId: 'one' });
    await first.until(/RUNNING\n$/);
    await first.end('SIGKILL');
    const second = start({ groupInstanceId: 'one' });
    await second.until(/RUNNING\n$/);
    expect(await members()).toBe(1);
  }, 60_000);
});
