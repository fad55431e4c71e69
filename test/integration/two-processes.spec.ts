// Specifies that copies of a service are all it takes to scale: they share a group and a state folder, hand tasks over, restore what they
// take over from the changelogs, and the output is that of one process without faults.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createKafkaClient } from '#libs/kafka';
import { silentLogger, systemClock } from '#libs/core';
import type { CopyOptions, CopyReport } from '../support/application-copy.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { PARTITIONS, checkOutput, committed, createTopics, produce } from '../support/sums-input.ts';

const SCRIPT = join(import.meta.dirname, '../support/application-copy.ts');

class Copy {
  readonly process: RunningProcess;

  constructor(options: CopyOptions) {
    this.process = startNode([
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      SCRIPT,
      JSON.stringify(options),
    ]);
  }

  get report(): CopyReport {
    const lines = this.process.output().trimEnd().split('\n');
    return JSON.parse(lines.at(-1) ?? '') as CopyReport;
  }

  async running(tasks: readonly number[]): Promise<void> {
    const counts = tasks.map((count) => (count === 0 ? '' : `("\\d_\\d",?){${count}}`)).join('|');
    await this.process.until(new RegExp(`"state":"RUNNING"[^\\n]*"tasks":\\[(${counts})\\][^\\n]*\\n$`));
  }
}

describeWithBroker('two processes of one application', (broker) => {
  let stateDir: string;
  const copies: Copy[] = [];

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'millrace-copies-'));
  });

  afterEach(async () => {
    for (const { process } of copies.splice(0)) await process.end('SIGKILL');
    await rm(stateDir, { recursive: true, force: true });
  });

  it('share tasks, hand them over on a clean stop and on a kill, and end in the model’s output', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    const { bootstrapServers: brokers } = broker();
    await createTopics(broker(), input, output);
    const start = (): Copy => {
      const copy = new Copy({ applicationId, brokers, input, output, stateDir });
      copies.push(copy);
      return copy;
    };
    let count = 0;
    const more = async (records: number): Promise<void> => {
      await produce(broker(), input, count, records);
      count += records;
    };

    const first = start();
    await more(4_000);
    await first.running([PARTITIONS]);

    const second = start();
    await more(2_000);
    await Promise.all([first.running([1, 2]), second.running([1, 2])]);
    const { instanceId: firstId } = first.report;
    expect(second.report.instanceId).not.toBe(firstId);
    // Its state was read from the changelog: by a copy that was warmed up first, or by the task itself.
    expect(new Set(second.report.begun.map(({ taskId }) => taskId))).toEqual(new Set(second.report.tasks));
    expect(new Set([...first.report.tasks, ...second.report.tasks]).size).toBe(PARTITIONS);

    await more(2_000);
    expect(await first.process.end('SIGTERM')).toBe(0);
    expect(first.report).toMatchObject({ state: 'NOT_RUNNING', tasks: [] });
    await second.running([PARTITIONS]);

    const third = start();
    await Promise.all([second.running([1, 2]), third.running([1, 2])]);
    expect(third.report.instanceId).toBe(firstId);

    await more(1_000);
    expect(await second.process.end('SIGKILL')).toBe('SIGKILL');
    await more(1_000);
    await third.running([PARTITIONS]);

    const client = createKafkaClient({ brokers }, { clock: systemClock, logger: silentLogger });
    await committed(client, applicationId, input, count);
    await client.close();
    expect(await third.process.end('SIGTERM')).toBe(0);
    await checkOutput(broker(), output, count);
  }, 180_000);
});
