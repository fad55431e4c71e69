// Work goes on through a rebalance: what stays is processed and committed all the while, however long others take to join, and
// nothing is lost or doubled by it. In virtual time, so that a pause is a number of the design and not of the machine.
import { describe, expect, it, jest } from '@jest/globals';
import { partitionForKey } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import { createTopics, outputByKey, sorted, startSums } from './sums.ts';
import type { SumsInstance } from './sums.ts';

/** Many seconds of virtual time, on a machine that may be busy. */
jest.setTimeout(60_000);

const PARTITIONS = 2;
const RECORD_MS = 10;
const OPTIONS = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 150, requestTimeoutMs: 10_000 };

/** For each partition two keys that belong to it: the results of input partition 0 are those of output partition 0. */
const KEYS = [0, 1].map((partition) => {
  const keys: string[] = [];
  for (let i = 0; keys.length < 2; i++) {
    if (partitionForKey(`k${i}` as BinaryString, PARTITIONS) === partition) keys.push(`k${i}`);
  }
  return keys;
});

/** A cluster of two input partitions that get a record each in turn, and the longest pause in the output of each. */
class Load {
  readonly clock = new VirtualClock();
  readonly cluster: MemoryCluster;
  private readonly expected = new Map<string, number[]>();
  private count = 0;
  private readonly seen = [0, 0];
  private readonly lastAt = [0, 0];
  private readonly longest = [0, 0];

  constructor() {
    this.cluster = createMemoryCluster({ clock: this.clock, latencyMs: 1 });
    createTopics(this.cluster, PARTITIONS);
  }

  start(name: string, options: Parameters<typeof startSums>[2] = {}): SumsInstance {
    return startSums(this.cluster, name, { ...OPTIONS, ...options });
  }

  async run(durationMs: number, until: () => boolean = () => false): Promise<void> {
    const end = this.clock.monotonic() + durationMs;
    while (this.clock.monotonic() < end && !until()) {
      const partition = this.count % PARTITIONS;
      const key = KEYS[partition]![(this.count >> 1) % 2]!;
      const record = { key, value: '1', timestamp: 1_000 + this.count };
      this.cluster.topics.append('in', partition, [record]);
      this.count++;
      const values = this.expected.get(key) ?? [];
      values.push(values.length + 1);
      this.expected.set(key, values);
      await this.clock.advance(RECORD_MS);
      this.watch();
    }
  }

  private watch(): void {
    const now = this.clock.monotonic();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const count = this.cluster.inspect.recordCount('out', partition);
      this.longest[partition] = Math.max(this.longest[partition]!, now - this.lastAt[partition]!);
      if (count > this.seen[partition]!) this.lastAt[partition] = now;
      this.seen[partition] = count;
    }
  }

  forgetPauses(): void {
    this.longest.fill(0);
  }

  /** Of each partition, milliseconds. A partition has a record each 20 ms. */
  get pausesMs(): readonly number[] {
    return [...this.longest];
  }

  get generation(): number {
    return this.cluster.inspect.group('app')?.generationId ?? 0;
  }

  async expectAllOnce(...instances: readonly SumsInstance[]): Promise<void> {
    await this.clock.advance(10_000);
    expect(instances.map((instance) => instance.failure())).toEqual(instances.map(() => undefined));
    expect(sorted(outputByKey(this.cluster))).toEqual(sorted(this.expected));
    for (const { process } of instances) process.kill();
  }
}

/** A record each 20 ms, and the time of a commit or two: no more than this, and nothing was waited for. */
const NO_PAUSE_MS = 80;

describe('a partition that stays', () => {
  it.each([
    ['JoinGroup', 'request'],
    ['JoinGroup', 'answer'],
    ['SyncGroup', 'request'],
    ['SyncGroup', 'answer'],
  ] as const)('pauses for nobody while the %s (%s) of another member takes seconds', async (api, on) => {
    const load = new Load();
    const [one, two] = [load.start('one'), load.start('two')];
    await load.run(5_000);
    load.forgetPauses();
    const held = load.cluster.fault({ api, on, action: 'hold', clientId: 'two' });
    const three = load.start('three');
    await load.run(4_000);
    expect(held.hits).toBe(1);
    // From the moment when the coordinator has heard of all until a member hears of it, it takes no commit of that member.
    const paused = load.pausesMs.filter((ms) => ms >= NO_PAUSE_MS);
    expect(paused).toHaveLength(api === 'JoinGroup' && on === 'answer' ? 1 : 0);
    held.release();
    await load.run(1_000);
    await load.expectAllOnce(one, two, three);
  });

  it.each([
    ['JoinGroup', 'request'],
    ['JoinGroup', 'answer'],
    ['SyncGroup', 'request'],
    ['SyncGroup', 'answer'],
  ] as const)(
    'pauses for less than the hold of its own %s (%s), which its commits do not wait for',
    async (api, on) => {
      const load = new Load();
      const one = load.start('one');
      await load.run(2_000);
      load.forgetPauses();
      const held = load.cluster.fault({ api, on, action: 'hold', clientId: 'one' });
      const two = load.start('two');
      await load.run(3_000);
      expect(held.hits).toBe(1);
      const committing = load.pausesMs.map((ms) => ms < NO_PAUSE_MS);
      expect(committing).toEqual(api === 'JoinGroup' && on === 'answer' ? [false, false] : [true, true]);
      held.release();
      await load.run(1_000);
      await load.expectAllOnce(one, two);
    },
  );
});

describe('a commit under way while the group moves on', () => {
  it.each([
    ['TxnOffsetCommit', 'request'],
    ['TxnOffsetCommit', 'answer'],
    ['EndTxn', 'request'],
    ['EndTxn', 'answer'],
    ['Produce', 'request'],
    ['Produce', 'answer'],
  ] as const)('(%s, %s) is committed once, and costs its member nothing', async (api, on) => {
    const load = new Load();
    const one = load.start('one');
    await load.run(2_000);
    const before = load.generation;
    const held = load.cluster.fault({ api, on, action: 'hold', clientId: 'one' });
    await load.run(1_000, () => held.hits > 0);
    const two = load.start('two');
    // The member joins with all it has, although a commit of it is under way; to give tasks up it must wait.
    await load.run(2_000, () => load.generation > before);
    expect(load.generation).toBeGreaterThan(before);
    await load.run(1_000);
    expect(two.running()).toEqual([]);
    held.release();
    await load.run(5_000, () => two.running().length > 0);
    expect(two.running()).toHaveLength(1);
    await load.expectAllOnce(one, two);
    expect(load.cluster.inspect.openTransactions()).toEqual([]);
  });

  it('is abandoned when the member lost its place meanwhile, and its records are processed again', async () => {
    const load = new Load();
    const [one, two] = [load.start('one'), load.start('two')];
    await load.run(5_000);
    const held = load.cluster.fault({
      api: 'TxnOffsetCommit',
      on: 'request',
      action: 'hold',
      clientId: 'one',
    });
    await load.run(1_000, () => held.hits > 0);
    const cut = load.cluster.fault({
      api: ['Heartbeat', 'JoinGroup', 'SyncGroup', 'FindCoordinator'],
      on: 'request',
      action: 'drop',
      times: Infinity,
      clientId: 'one',
    });
    await load.run(10_000);
    cut.remove();
    held.release();
    await load.run(5_000);
    await load.expectAllOnce(one, two);
  });
});

describe('an answer of JoinGroup that is lost without a word', () => {
  /** Kafka's default: for so long a join may take. */
  const patient = { rebalanceTimeoutMs: 300_000, sessionTimeoutMs: 45_000, requestTimeoutMs: 30_000 };
  const lose = (load: Load) =>
    load.cluster.fault({ api: 'JoinGroup', on: 'answer', action: 'drop', clientId: 'one' });

  it('holds the commits of its member up for a second or so', async () => {
    const load = new Load();
    const one = load.start('one', patient);
    await load.run(2_000);
    load.forgetPauses();
    const lost = lose(load);
    const two = load.start('two', patient);
    await load.run(8_000);
    expect(lost.hits).toBe(1);
    expect(Math.max(...load.pausesMs)).toBeLessThan(1_500);
    expect([one.running(), two.running()].flat()).toHaveLength(PARTITIONS);
    await load.expectAllOnce(one, two);
  });

  it('holds no stop up for longer, nor those that stay', async () => {
    const load = new Load();
    const one = load.start('one', patient);
    await load.run(2_000);
    const lost = lose(load);
    const two = load.start('two', patient);
    await load.run(2_000, () => lost.hits > 0);
    let stopped = false;
    void one.runtime.stop().then(() => (stopped = true));
    await load.run(2_500, () => stopped);
    expect(stopped).toBe(true);
    await load.run(5_000, () => two.running().length === PARTITIONS);
    expect(two.running()).toHaveLength(PARTITIONS);
    await load.expectAllOnce(two);
    one.process.kill();
  });
});

describe('a handover', () => {
  it('to a member that joins takes two rounds that wait for no heartbeat but the first', async () => {
    const load = new Load();
    const one = load.start('one');
    await load.run(2_000);
    load.forgetPauses();
    const two = load.start('two');
    await load.run(3_000);
    expect(Math.max(...load.pausesMs)).toBeLessThan(OPTIONS.heartbeatIntervalMs);
    await load.expectAllOnce(one, two);
  });

  it('from a member that leaves takes a heartbeat and a round', async () => {
    const load = new Load();
    const [one, two] = [load.start('one'), load.start('two')];
    await load.run(5_000);
    load.forgetPauses();
    const stopped = two.runtime.stop();
    await load.run(3_000);
    await stopped;
    expect(Math.max(...load.pausesMs)).toBeLessThan(OPTIONS.heartbeatIntervalMs + 150);
    await load.expectAllOnce(one);
  });
});
