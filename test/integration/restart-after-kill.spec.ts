// Specifies that a process that was killed goes on as soon as it is started again: its group does not wait for the member it was. The session is
// longer than the whole spec may take.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import type { CopyOptions } from '../support/application-copy.ts';
import { checkOutput, createTopics, produce } from '../support/sums-input.ts';

const SESSION_MS = 600_000;
const COPY = join(import.meta.dirname, '../support/application-copy.ts');

describeWithBroker('a process that was killed', (broker) => {
  const running: RunningProcess[] = [];
  let folder: string | null = null;

  afterEach(async () => {
    for (const process of running.splice(0)) process.child.kill('SIGKILL');
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  });

  function start(options: CopyOptions): RunningProcess {
    const process = startNode([
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      COPY,
      JSON.stringify(options),
    ]);
    running.push(process);
    return process;
  }

  it.each([
    ['alone', 1],
    ['beside another', 2],
  ])('%s in its group goes on at once when it is started again', async (_which, copies) => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('killed')];
    folder = await mkdtemp(join(tmpdir(), 'millrace-killed-'));
    await createTopics(broker(), input, output);
    const options = {
      ...{ applicationId, input, output },
      brokers: broker().bootstrapServers,
      stateDir: folder,
      sessionTimeoutMs: SESSION_MS,
    };
    const all = Array.from({ length: copies }, () => start(options));
    // All of them have tasks, so the last assignment is there.
    for (const copy of all) await copy.until(/"state":"RUNNING".*"tasks":\["/);
    await produce(broker(), input, 0, 1_000);
    const killed = all.shift()!;
    expect(await killed.end('SIGKILL')).toBe('SIGKILL');
    await produce(broker(), input, 1_000, 1_000);
    const again = start(options);
    await again.until(/"state":"RUNNING".*"tasks":\["/);
    await produce(broker(), input, 2_000, 1_000);
    await checkOutput(broker(), output, 3_000);
    for (const copy of [again, ...all]) expect(await copy.end('SIGTERM')).toBe(0);
  });
});
