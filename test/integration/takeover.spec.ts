import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy } from '../support/proxy.ts';
import { startSums, sumsTopology } from '../support/sums-application.ts';
import { checkOutput, committed, createTopics, produce } from '../support/sums-input.ts';
import { spawnSums } from '../support/sums-process.ts';

/** Short, so that a killed member is missed soon. The transaction timeout stays at 60 s: nobody may wait for it. */
const SESSION = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };

describeWithBroker('a worker killed with its transaction open', (broker) => {
  let proxy: FaultProxy;
  const folders: string[] = [];
  beforeAll(async () => {
    proxy = await startFaultProxy(broker());
  });
  afterEach(() => proxy.heal());
  afterAll(async () => {
    await proxy.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  function stateDir(): string {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-takeover-'));
    folders.push(folder);
    return folder;
  }

  it.each([
    ['its successor on another machine', false],
    ['itself, started again on its own state', true],
  ])('is settled at once by %s, and nothing is lost or doubled', async (_who, sameInstance) => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    await produce(broker(), input, 0, 4_000);
    const firstDir = stateDir();
    const first = spawnSums({
      applicationId,
      instanceId: 'first',
      brokers: [proxy.address],
      input,
      output,
      stateDir: firstDir,
      commitIntervalMs: 20,
      ...SESSION,
    });
    await first.reached('RUNNING');
    // From here on no transaction of it ends: outputs and offsets are written, and hang.
    const held = proxy.fault({ api: 'EndTxn', on: 'request', action: 'hold', times: Infinity });
    let produced = 4_000;
    for (; held.hits === 0; produced += 250) await produce(broker(), input, produced, 250);
    await first.kill();
    held.remove();

    const started = Date.now();
    const second = await startSums(sumsTopology(input, output), {
      applicationId,
      instanceId: sameInstance ? 'first' : 'second',
      brokers: broker().bootstrapServers,
      ...SESSION,
    });
    await committed(second.client, applicationId, input, produced, () => second.runtime.error);
    const tookMs = Date.now() - started;
    await second.close();
    // Not a measure of speed: the transaction's own timeout, which nobody waited for, is 60 s.
    expect(tookMs).toBeLessThan(45_000);
    await checkOutput(broker(), output, produced);
  });

  it('refuses a second process under the same name instead of being fenced for ever', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    const options = {
      applicationId,
      instanceId: 'twin',
      brokers: broker().bootstrapServers,
      commitIntervalMs: 20,
      ...SESSION,
    };
    const twins = [
      await startSums(sumsTopology(input, output), options),
      await startSums(sumsTopology(input, output), options),
    ];
    let count = 0;
    const failed = (): (Error & { code?: string }) | null =>
      twins.map(({ runtime }) => runtime.error).find((error) => error !== null) ?? null;
    while (failed() === null) {
      await produce(broker(), input, count, 250);
      count += 250;
    }
    expect(failed()!.code).toBe('MILLRACE_PRODUCER_FENCED');
    const survivor = twins.find(({ runtime }) => runtime.error === null)!;
    await committed(survivor.client, applicationId, input, count, () => survivor.runtime.error);
    for (const twin of twins) await twin.close();
    await checkOutput(broker(), output, count);
  });
});
