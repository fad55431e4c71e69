// Specifies that the built package has its heartbeat thread: a record that blocks the loop for longer than the session moves nothing.
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { publish } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import { createTopics } from '../support/topics.ts';

const ROOT = join(import.meta.dirname, '../..');
// Inside the repository: the package finds itself by its own name there.
const FOLDER = join(ROOT, '.cache/heartbeat-example');

const EXAMPLE = `
import { Serdes, StreamsApplication, StreamsBuilder } from 'millrace';

const [applicationId, input, output, broker] = process.argv.slice(2);
const text = Serdes.string();
const builder = new StreamsBuilder();
builder
  .stream(input, { keySerde: text, valueSerde: text })
  .mapValues((value) => {
    console.log('BLOCKS');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(value));
    return value;
  })
  .to(output, { keySerde: text, valueSerde: text });
const application = new StreamsApplication({
  applicationId,
  kafka: { brokers: [broker] },
  topology: builder,
  state: 'memory',
  instanceId: 'one',
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 500,
  until: 'latest',
});
await application.start();
await application.whenEnded();
console.log('ENDED');
`;

beforeAll(async () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stdout + stderr);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'example.mjs'), EXAMPLE);
}, 240_000);

afterAll(() => rm(FOLDER, { recursive: true, force: true }));

describeWithBroker('the built package', (broker) => {
  it('sends heartbeats while a record blocks the event loop, and lets its process end by itself', async () => {
    const [address, input, output] = [broker().bootstrapServers[0]!, uniqueName('in'), uniqueName('out')];
    await createTopics(
      address,
      [input, output].map((topic) => ({ topic, numPartitions: 1 })),
    );
    await publish(broker(), input, [{ key: 'slow', value: '10000' }]);
    const service = startNode([join(FOLDER, 'example.mjs'), uniqueName('app'), input, output, address]);
    expect(await service.ended()).toBe(0);
    const log = service.output();
    expect(log).toContain('heartbeats were sent for it');
    expect(log.match(/BLOCKS/g)).toHaveLength(1);
    expect(log).not.toMatch(/lost/);
    expect(log).toContain('ENDED');
  }, 120_000);
});
