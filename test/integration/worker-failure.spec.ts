// What becomes of a process whose worker meets a record that always fails.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from '@jest/globals';
import { publish } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import type { SlowProcessOptions } from '../support/slow-process.ts';
import { createTopics } from '../support/topics.ts';

const SCRIPT = fileURLToPath(new URL('../support/slow-process.ts', import.meta.url));

const running: RunningProcess[] = [];
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
});

async function start(broker: SharedBroker, options: Partial<SlowProcessOptions>): Promise<RunningProcess> {
  const [input, output] = [uniqueName('in'), uniqueName('out')];
  await createTopics(
    broker.bootstrapServers[0]!,
    [input, output].map((topic) => ({ topic, numPartitions: 1 })),
  );
  await publish(broker, input, [{ key: 'poison', value: JSON.stringify({ id: 1, blockMs: -1 }) }]);
  const given: SlowProcessOptions = {
    applicationId: uniqueName('app'),
    instanceId: 'one',
    brokers: broker.bootstrapServers,
    input,
    output,
    ...options,
  };
  const started = startNode(['--conditions=millrace-source', SCRIPT, JSON.stringify(given)]);
  running.push(started);
  return started;
}

describeWithBroker('a worker that met a record which always fails', (broker) => {
  it('ends its process with code 1 under the policy stopProcess, though something keeps it alive', async () => {
    const service = await start(broker(), { onWorkerFailure: 'stopProcess' });
    expect(await service.ended()).toBe(1);
    expect(service.output()).toMatch(/PENDING_ERROR\n(.*\n)*ERROR/);
  });

  it('leaves its process alone under the policy stopClient', async () => {
    const service = await start(broker(), { onWorkerFailure: 'stopClient' });
    await service.until(/^FAILED$/m);
    expect(service.child.exitCode).toBeNull();
  });

  it('is replaced to the limit under the policy replace, under the same names, and says so', async () => {
    const service = await start(broker(), { onWorkerFailure: 'replace', workerReplacementsMax: 2 });
    await service.until(/^FAILED$/m);
    const output = service.output();
    expect(output.match(/The worker died and is replaced: .*record 1 cannot be processed/g)).toHaveLength(2);
    expect(output).toContain('The worker is not replaced again: 2 were replaced within 600000 ms');
    expect(output.match(/^JOINED$/gm)).toHaveLength(3);
    expect(output).not.toMatch(/FENCED/);
  });
});
