// Specifies what happens to local state when its disk, its owner or its changelog fail it.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { silentLogger, systemClock } from '#libs/core';
import type { Logger } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { describeWithBroker } from '../../support/broker.ts';
import { failureOf, freshRuns } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';

const MIB = 1024 * 1024;
const noSmallDisk = reasonForNoSmallDisk();

describeWithBroker('local state', (broker) => {
  let run: FaultRun;
  freshRuns(
    broker,
    (given) => {
      run = given;
    },
    1_000,
  );

  const kafka = (): Kafka =>
    new Kafka({ clientId: 'spec', brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });

  it('that a slow predecessor still has open is waited for', async () => {
    const stateDir = run.stateDir();
    const slow = run.spawn({ stateDir });
    await run.committed();
    // It loses its place in the group, but keeps its databases open.
    slow.child.kill('SIGSTOP');
    const second = await run.start({ stateDir, instanceId: 'second' });
    const opening = (): readonly string[] => second.runtime.figures?.openingTasks ?? [];
    while (opening().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await run.more(500);
    slow.child.kill('SIGCONT');
    await run.committed(second);
    await slow.stop();
    await second.close();
    await run.check();
  });

  // Jest says which tests it skipped, and so does the count of `npm test`.
  (noSmallDisk === null ? it : it.skip).each([
    ['while the application runs', false],
    ['before it starts', true],
  ])(
    `on a disk that is full %s stops it with a code, and is all there once there is space${noSmallDisk ?? ''}`,
    async (_when, before) => {
      const disk = smallDisk();
      const own = run;
      try {
        const topology = largeState(run.input, run.output);
        const start = (): ReturnType<FaultRun['start']> =>
          run.start({
            topology,
            writeBehindIntervalMs: 10,
            backend: createRocksStateBackend({
              stateDir: disk.path,
              clock: systemClock,
              writeBufferBytesTotal: 16 * MIB,
            }),
          });
        let application = await start();
        await run.committed(application);
        if (before) await application.close();
        disk.fill();
        if (before) application = await start();
        const failed = failureOf(application);
        let error: (Error & { code?: string }) | null = null;
        void failed.then((reason) => {
          error = reason;
        });
        for (let round = 0; error === null && round < 200; round++) await own.more(250);
        expect(await failed).toMatchObject({
          code: 'MILLRACE_STATE_FAILED',
          remedy: expect.stringMatching(/space/),
        });
        await application.close();
        // What lay on it still does: nothing was given up for lack of room.
        const kept = readdirSync(join(disk.path, run.applicationId));
        expect(kept.filter((name) => name.includes('.corrupt-'))).toEqual([]);

        disk.free();
        const again = await start();
        await run.more(250);
        await run.committed(again);
        await again.close();
        await run.check();
      } finally {
        await run.close();
        disk.unmount();
      }
    },
  );

  it('restores behind an aborted transaction at the end of its changelog', async () => {
    const first = await run.start();
    await run.committed(first);
    await first.close();
    const producer = kafka().producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: true,
      transactionalId: `${run.applicationId}-intruder`,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    for (const { partition } of run.partitionsOf(run.changelog)) {
      await transaction.send({
        topic: run.changelog,
        messages: [{ key: 'k1', value: '-1000000', partition }],
      });
    }
    await transaction.abort();
    await producer.disconnect();

    const second = await run.start();
    await run.more(500);
    await run.committed(second);
    await second.close();
    await run.check();
  });

  it('that reaches behind the truncated start of its changelog goes on from the disk', async () => {
    const stateDir = run.stateDir();
    const first = await run.start({ stateDir });
    await run.committed(first);
    await first.close();
    await truncate();
    const second = await run.start({ stateDir });
    await run.more(500);
    await run.committed(second);
    expect(second.runtime.figures!.restoredRecords).toBe(0);
    await second.close();
    await run.check();
  });

  it('older than the truncated start of its changelog is set aside, for all to see', async () => {
    const stateDir = run.stateDir();
    const first = await run.start({ stateDir });
    await run.committed(first);
    await first.close();
    // Another disk takes the state on for a while.
    const elsewhere = await run.start({ stateDir: run.stateDir() });
    await run.more(500);
    await run.committed(elsewhere);
    await elsewhere.close();
    await truncate();
    await run.check();

    const reasons: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (_message, fields) => reasons.push(String(fields?.['reason'])),
    };
    const second = await run.start({
      backend: createRocksStateBackend({ stateDir, clock: systemClock, logger }),
    });
    while (second.runtime.lifecycle.state !== 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 20));
    await second.close();
    expect(reasons).toContainEqual(expect.stringMatching(/changelog was truncated or created anew/));
    const names = readdirSync(join(stateDir, run.applicationId));
    expect(names.filter((name) => name.includes('.corrupt-')).length).toBeGreaterThan(0);
  });

  it('whose changelog was deleted while it runs stops it with a code', async () => {
    const first = await run.start({ requestTimeoutMs: 2_000 });
    await run.committed(first);
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [run.changelog] });
    await admin.disconnect();
    const failed = failureOf(first);
    await run.more(250);
    expect(await failed).toMatchObject({ code: 'MILLRACE_TOPIC_MISSING' });
  });

  it('whose changelog was deleted is not begun anew in silence', async () => {
    const first = await run.start();
    await run.committed(first);
    await first.close();
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [run.changelog] });
    const second = run.start();
    await expect(second).rejects.toMatchObject({
      code: 'MILLRACE_INTERNAL_TOPIC_INVALID',
      message: expect.stringContaining(run.changelog),
    });
    // And once it is decided to compute everything anew, it goes.
    await admin.deleteGroups([run.applicationId]);
    await admin.disconnect();
    const third = await run.start();
    await run.committed(third);
    await third.close();
  });

  it('whose offsets were forgotten does not count its input again', async () => {
    const first = await run.start();
    await run.more(250);
    await run.committed(first);
    await first.close();
    const admin = kafka().admin();
    await admin.connect();
    await admin.deleteGroups([run.applicationId]);
    const second = await run.start();
    expect(await failureOf(second)).toMatchObject({
      code: 'MILLRACE_OFFSETS_LOST',
      context: { changelogs: [expect.stringMatching(`^${run.changelog}-\\d$`)] },
    });
    await second.close();
    // It is known here how far the state has come: to the end of the input.
    const ends = await admin.fetchTopicOffsets(run.input);
    await admin.setOffsets({ groupId: run.applicationId, topic: run.input, partitions: ends });
    await admin.disconnect();
    const third = await run.start();
    await run.more(250);
    await run.committed(third);
    await third.close();
    await run.check();
  });

  /** Deletes all that the changelog holds, as an operator could. */
  async function truncate(): Promise<void> {
    const admin = kafka().admin();
    await admin.connect();
    const policy = (value: string): Promise<unknown> =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: run.changelog, configEntries: [{ name: 'cleanup.policy', value }] }],
      });
    await policy('delete');
    await admin.deleteTopicRecords({
      topic: run.changelog,
      partitions: run.partitionsOf(run.changelog).map(({ partition }) => ({ partition, offset: '-1' })),
    });
    await policy('compact');
    await admin.disconnect();
  }
});

/** The sums, and beside them a store whose values are large. */
function largeState(input: string, output: string): Topology {
  const key = Serdes.string();
  const number = Serdes.json<number>();
  const builder = new StreamsBuilder();
  const grouped = builder
    .stream<string, number>(input, { keySerde: key, valueSerde: number })
    .groupByKey({ keySerde: key, valueSerde: number });
  grouped
    .aggregate(
      () => 0,
      (_key, amount, sum) => sum + amount,
      { name: 'sums', keySerde: key, valueSerde: number },
    )
    .toStream()
    .to(output, { keySerde: key, valueSerde: number });
  grouped.aggregate(
    () => '',
    (_key, amount) => String(amount).padEnd(20_000, 'x'),
    { name: 'large', keySerde: key, valueSerde: Serdes.string() },
  );
  return builder.build();
}

interface SmallDisk {
  readonly path: string;
  fill(): void;
  free(): void;
  unmount(): void;
}

/** Why this process can make no small file system, as a remark behind the name of a test; `null`: it can. */
function reasonForNoSmallDisk(): string | null {
  try {
    smallDisk().unmount();
    return null;
  } catch (error) {
    const [reason] = String((error as { readonly stderr?: Buffer }).stderr ?? error)
      .trim()
      .split('\n');
    return ` (skipped: no tmpfs can be mounted here: ${reason ?? ''})`;
  }
}

/** A file system of 48 MiB. @throws Error where this process may not make one. */
function smallDisk(): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
  try {
    const mount = ['-t', 'tmpfs', '-o', 'size=48m', 'millrace-fault', path];
    execFileSync('mount', mount, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
  const filler = join(path, 'filler');
  return {
    path,
    fill() {
      const file = openSync(filler, 'w');
      try {
        for (let block = Buffer.alloc(MIB); block.length > 0;) {
          try {
            writeSync(file, block);
          } catch {
            block = block.subarray(0, Math.floor(block.length / 2));
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(filler),
    unmount() {
      execFileSync('umount', ['-l', path]);
      rmdirSync(path);
    },
  };
}
