// Specifies what a crash, and a stop at a bad moment, cost: the tail of a changelog at most, never an input or an output.
import { cpSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { describeWithBroker } from '../../support/broker.ts';
import { freshRunsBehindProxy } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';
import type { FaultProxy } from '../../support/proxy.ts';
import { PARTITIONS, publishPadding } from '../../support/sums-input.ts';

const FOR_EVER = { times: Infinity } as const;
const NEVER_MS = 600_000;

describeWithBroker('a process that dies or is stopped', (broker) => {
  let proxy: FaultProxy;
  let run: FaultRun;
  freshRunsBehindProxy(broker, (...given) => {
    [run, proxy] = given;
  });

  it('between a commit and the write of its state replays the tail of the changelog, and no more', async () => {
    const stateDir = run.stateDir();
    const first = run.spawn({ stateDir });
    for (let epoch = 0; epoch < 5; epoch++) {
      await run.more(500);
      await run.committed();
    }
    expect(await first.stop()).toBe(0);
    const written = await run.end(run.changelog);
    // From here on nothing reaches the disk; what commits is in Kafka alone.
    const second = run.spawn({ stateDir, writeBehindIntervalMs: NEVER_MS });
    await second.reached('RUNNING');
    await run.more(1_000);
    await run.committed();
    await second.kill();
    const tail = (await run.end(run.changelog)) - written;

    const third = await run.start({ stateDir });
    await run.more(500);
    await run.committed(third);
    const { restoredRecords } = third.runtime.figures!;
    expect(restoredRecords).toBeGreaterThan(0);
    expect(restoredRecords).toBeLessThanOrEqual(tail);
    expect(tail).toBeLessThan(written);
    await third.close();
    await run.check();
  });

  it('between the write of its state and the next fetch replays nothing', async () => {
    const stateDir = run.stateDir();
    const brokers = [proxy.address];
    const first = run.spawn({ stateDir, brokers, writeBehindIntervalMs: 1 });
    await first.reached('RUNNING');
    await run.more(2_000);
    await run.committed();
    const held = proxy.fault({ api: 'Fetch', on: 'answer', action: 'hold', ...FOR_EVER });
    await held.hit();
    await run.more(500);
    // The write began a millisecond after the commit; nothing tells from outside that it is done.
    await delay(1_000);
    await first.kill();
    held.remove();

    const second = await run.start({ stateDir });
    await run.committed(second);
    expect(second.runtime.figures!.restoredRecords).toBe(0);
    await second.close();
    await run.check();
  });

  it('by SIGTERM with a commit under way waits for it', async () => {
    const stateDir = run.stateDir();
    const first = run.spawn({ stateDir, brokers: [proxy.address] });
    await first.reached('RUNNING');
    const held = proxy.fault({ api: 'EndTxn', on: 'request', action: 'hold', ...FOR_EVER });
    for (; held.hits === 0;) await run.more(250);
    const ended = first.stop();
    await first.reached('PENDING_SHUTDOWN');
    held.release();
    expect(await ended).toBe(0);

    const second = await run.start({ stateDir });
    await run.committed(second);
    // A clean stop writes what it committed.
    expect(second.runtime.figures!.restoredRecords).toBe(0);
    await second.close();
    await run.check();
  });

  it('by SIGTERM in the middle of a restore ends at once, and keeps what was restored', async () => {
    const stateDir = run.stateDir();
    await run.more(1_000);
    const filling = await run.start();
    await run.committed(filling);
    await filling.close();
    const padding = await publishPadding(broker(), run.changelog);

    const held = proxy.fault({ api: 'Fetch', on: 'answer', action: 'hold', skip: 2, ...FOR_EVER });
    const first = run.spawn({ stateDir, brokers: [proxy.address] });
    await held.hit();
    expect(await first.stop()).toBe(0);
    held.remove();

    const second = await run.start({ stateDir });
    await run.more(500);
    await run.committed(second);
    const { restoredRecords } = second.runtime.figures!;
    expect(restoredRecords).toBeGreaterThan(0);
    expect(restoredRecords).toBeLessThan(padding);
    await second.close();
    await run.check();
  });

  it('by kill −9 in mid-transaction has its standby copies promoted, which replay only what they lack', async () => {
    const first = run.spawn({ stateDir: run.stateDir(), brokers: [proxy.address], numStandbys: 1 });
    await first.reached('RUNNING');
    for (let epoch = 0; epoch < 5; epoch++) {
      await run.more(500);
      await run.committed();
    }
    const padding = await publishPadding(broker(), run.changelog);
    const second = await run.start({ stateDir: run.stateDir(), instanceId: 'two', numStandbys: 1 });
    const figures = () => second.runtime.figures!;
    const warm = (): boolean => {
      const { copies, runningTasks } = figures();
      return copies.length + runningTasks.length === PARTITIONS && copies.every(({ lag }) => lag === 0);
    };
    while (figures().runningTasks.length === 0 || !warm()) await delay(50);
    const restored = figures().restoredRecords;
    const held = proxy.fault({ api: 'EndTxn', on: 'request', action: 'hold', ...FOR_EVER });
    while (held.hits === 0) await run.more(250);
    await first.kill();
    held.remove();

    await run.more(500);
    await run.committed(second);
    expect(figures().runningTasks).toHaveLength(PARTITIONS);
    expect(figures().restoredRecords - restored).toBeLessThan(padding / 10);
    await second.close();
    await run.check();
  });

  it('by kill −9 with files torn afterwards opens at a consistent prefix, or restores from scratch', async () => {
    const killedAt = run.stateDir();
    await run.more(2_000);
    const first = run.spawn({ stateDir: killedAt, writeBehindIntervalMs: 1 });
    await run.committed();
    await delay(200);
    await first.kill();

    const damages: readonly (readonly [what: string, damage: (directory: string) => void])[] = [
      ['WAL cut short', (at) => cutShort(at, /\.log$/)],
      ['WAL with flipped bits', (at) => flip(at, /\.log$/)],
      ['MANIFEST cut short', (at) => cutShort(at, /^MANIFEST/)],
      ['MANIFEST with flipped bits', (at) => flip(at, /^MANIFEST/)],
      ['CURRENT that is empty', (at) => writeFileSync(join(at, 'CURRENT'), '')],
    ];
    const torn: number[] = [];
    for (const [what, damage] of damages) {
      const stateDir = run.stateDir();
      cpSync(killedAt, stateDir, { recursive: true });
      for (let task = 0; task < PARTITIONS; task++) damage(join(stateDir, run.applicationId, `0_${task}`));
      const next = await run.start({ stateDir });
      await run.more(200);
      await run.committed(next);
      await next.close();
      expect([what, next.runtime.error]).toEqual([what, null]);
      torn.push(next.runtime.figures!.restoredRecords);
    }
    // None of them went unnoticed for lack of anything to tear.
    expect(torn.at(-1)).toBeGreaterThan(0);
    await run.check();
  });

  it('leaving a table with flipped bits behind restores that task from scratch', async () => {
    const stateDir = run.stateDir();
    await run.more(2_000);
    const first = await run.start({ stateDir });
    await run.committed(first);
    await first.close();
    // A clean stop leaves no log to replay: all of the state is in tables.
    flip(join(stateDir, run.applicationId, '0_0'), /\.sst$/);

    const second = await run.start({ stateDir });
    await run.more(500);
    await run.committed(second);
    expect(second.runtime.figures!.restoredRecords).toBeGreaterThan(0);
    await second.close();
    const aside = readdirSync(join(stateDir, run.applicationId)).filter((name) => name.includes('.corrupt-'));
    expect(aside).toEqual([expect.stringMatching(/^0_0\.corrupt-/)]);
    await run.check();
  });
});

function fileIn(directory: string, pattern: RegExp): string {
  // The newest of its kind: older ones may be done with.
  const name = readdirSync(directory)
    .filter((candidate) => pattern.test(candidate))
    .sort()
    .at(-1);
  if (name === undefined) throw new Error(`no ${String(pattern)} in ${directory}`);
  return join(directory, name);
}

/** To two thirds of what it holds; preallocated zeros are none of it. */
function cutShort(directory: string, pattern: RegExp): void {
  const file = fileIn(directory, pattern);
  truncateSync(file, Math.floor((lengthOf(readFileSync(file)) * 2) / 3));
}

/** 32 bytes in the middle of what it holds. */
function flip(directory: string, pattern: RegExp): void {
  const file = fileIn(directory, pattern);
  const bytes = readFileSync(file);
  const start = Math.floor(lengthOf(bytes) / 2);
  for (let i = start; i < Math.min(bytes.length, start + 32); i++) bytes[i] = bytes[i]! ^ 0xff;
  writeFileSync(file, bytes);
}

function lengthOf(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}
