// Owns one application under a fault: its topics and folders, its input, and the check that nothing of it was lost, doubled or left
// hanging; and how suites get one for each test. The application is the sums of sums-application.ts; how the fault comes about is the
// spec's.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import type { BrokerClient } from '#libs/broker';
import { javaTool } from '#libs/broker-local';
import { formatTopicPartition, silentLogger, sleep, systemClock } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { createKafkaClient } from '#libs/kafka';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import type { Topology } from '#libs/topology';
import { textsOf } from './bad-input.ts';
import { uniqueName } from './broker.ts';
import type { SharedBroker } from './broker.ts';
import { createSilentOr } from './logging.ts';
import { startFaultProxy } from './proxy.ts';
import type { FaultProxy } from './proxy.ts';
import { startSums, sumsTopology } from './sums-application.ts';
import type { SumsApplication, SumsOptions } from './sums-application.ts';
import { KEYS, PARTITIONS, committed, createTopics, produce } from './sums-input.ts';
import { spawnSums } from './sums-process.ts';
import type { SumsProcess, SumsProcessOptions } from './sums-process.ts';

type Addressed = Pick<SharedBroker, 'bootstrapServers' | 'version'>;
type Proxied = Addressed & Pick<SharedBroker, 'proxyListener'>;

/** Short, so that specs wait little; long enough for a busy machine. */
export const SHORT_SESSION = { sessionTimeoutMs: 4_000, heartbeatIntervalMs: 300, commitIntervalMs: 20 };

export class FaultRun {
  readonly broker: Addressed;
  readonly input = uniqueName('in');
  readonly output = uniqueName('out');
  readonly applicationId = uniqueName('app');
  /** Records produced so far. */
  count = 0;
  private readonly folders: string[] = [];
  private readonly applications: SumsApplication[] = [];
  private readonly processes: SumsProcess[] = [];
  private ownClient: BrokerClient | null = null;

  constructor(broker: Addressed) {
    this.broker = broker;
  }

  static async create(broker: Addressed, records = 0): Promise<FaultRun> {
    const run = new FaultRun(broker);
    await createTopics(broker, run.input, run.output);
    if (records > 0) await run.more(records);
    return run;
  }

  get changelog(): string {
    return `${this.applicationId}-sums-changelog`;
  }

  /** A client that meets no fault. */
  get client(): BrokerClient {
    this.ownClient ??= createKafkaClient(
      { brokers: [...this.broker.bootstrapServers], clientId: 'observer' },
      { clock: systemClock, logger: silentLogger },
    );
    return this.ownClient;
  }

  async more(records: number): Promise<void> {
    await produce(this.broker, this.input, this.count, records);
    this.count += records;
  }

  stateDir(): string {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-fault-'));
    this.folders.push(folder);
    return folder;
  }

  /** In this process. With a `stateDir` its state is on RocksDB. */
  async start(
    options: Partial<SumsOptions> & { readonly stateDir?: string; readonly topology?: Topology } = {},
  ): Promise<SumsApplication> {
    const { stateDir, topology = sumsTopology(this.input, this.output), ...rest } = options;
    const logger = createSilentOr('MILLRACE_TEST_LOG');
    const application = await startSums(topology, {
      applicationId: this.applicationId,
      brokers: this.broker.bootstrapServers,
      ...SHORT_SESSION,
      ...(stateDir === undefined
        ? {}
        : { backend: createRocksStateBackend({ stateDir, clock: systemClock, logger }) }),
      ...rest,
    });
    this.applications.push(application);
    return application;
  }

  /** In a process of its own, on RocksDB. */
  spawn(options: Partial<SumsProcessOptions> & { readonly stateDir: string }): SumsProcess {
    const process = spawnSums({
      applicationId: this.applicationId,
      instanceId: 'one',
      brokers: this.broker.bootstrapServers,
      input: this.input,
      output: this.output,
      ...SHORT_SESSION,
      ...options,
    });
    this.processes.push(process);
    return process;
  }

  /** Resolves when all that was produced, or `count` of it, is processed and committed. @throws what stopped `application`. */
  async committed(application?: SumsApplication, count = this.count): Promise<void> {
    const failure = (): Error | null => application?.runtime.error ?? null;
    await committed(this.client, this.applicationId, this.input, count, failure);
  }

  partitionsOf(topic: string): TopicPartition[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  }

  /** The sum of a topic's end offsets. */
  async end(
    topic: string,
    isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
  ): Promise<number> {
    const offsets = await this.client.admin.offsets(this.partitionsOf(topic), 'latest', isolation);
    let sum = 0;
    for (const offset of offsets.values()) sum += offset;
    return sum;
  }

  /** Every update of every key is there, once and in order, as far as input was produced; and no transaction is open. */
  async check(): Promise<void> {
    await this.expectNothingHangs();
    const updates = new Map<string, number[]>();
    for (const { key, value } of await textsOf(this.broker, this.output)) {
      const list = updates.get(key!) ?? [];
      list.push(Number(value));
      updates.set(key!, list);
    }
    const expected = new Map<string, number[]>();
    for (let i = 0; i < this.count; i++) {
      const list = expected.get(`k${i % KEYS}`) ?? [];
      list.push((list.at(-1) ?? 0) + i);
      expected.set(`k${i % KEYS}`, list);
    }
    // Not all at once: what a spec says when it fails should be read.
    const wrong = [...expected].find(([key, sums]) => String(updates.get(key)) !== String(sums));
    expect([wrong?.[0], updates.get(wrong?.[0] ?? '')]).toEqual([wrong?.[0], wrong?.[1]]);
    expect([...updates.keys()].sort()).toEqual([...expected.keys()].sort());
  }

  /** On every topic of the application the committed end is the uncommitted one: markers may be a moment behind, never more. */
  async expectNothingHangs(): Promise<void> {
    const existing = await this.client.admin.describeTopics([this.input, this.output, this.changelog]);
    const partitions = [...existing.keys()].flatMap((topic) => this.partitionsOf(topic));
    let hanging: string[] = [];
    for (let attempt = 0; attempt < 100; attempt++) {
      const stable = await this.client.admin.offsets(partitions, 'latest', 'read_committed');
      const ends = await this.client.admin.offsets(partitions, 'latest', 'read_uncommitted');
      hanging = [...ends]
        .filter(([key, end]) => stable.get(key) !== end)
        .map(([key, end]) => `${key}: committed end ${String(stable.get(key))}, end ${end}`);
      if (hanging.length === 0) break;
      await sleep(systemClock, 50);
    }
    expect(hanging).toEqual([]);
    const inputs = this.partitionsOf(this.input);
    const [pending, settled] = await Promise.all([
      this.client.admin.committedOffsets(this.applicationId, inputs, { requireStable: false }),
      this.client.admin.committedOffsets(this.applicationId, inputs),
    ]);
    for (const { topic, partition } of inputs) {
      const key = formatTopicPartition(topic, partition);
      expect(settled.get(key)?.offset).toBe(pending.get(key)?.offset);
    }
  }

  /** Ends whatever of it still runs. */
  async close(): Promise<void> {
    for (const { child } of this.processes) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    for (const application of this.applications) await application.close().catch(() => undefined);
    await this.ownClient?.close();
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** The end of a run that stopped with an error. */
export async function failureOf(application: SumsApplication): Promise<Error & { readonly code?: string }> {
  return application.runtime.whenEnded().then(
    () => {
      throw new Error('the application ended without an error');
    },
    (error: unknown) => error as Error,
  );
}

/** What Kafka's own tool says: of all transactional ids that the cluster knows, none has a transaction open. */
export async function expectNoOpenTransactions(broker: Addressed): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { stdout, stderr, exitCode } = await javaTool(
      broker,
      'org.apache.kafka.tools.TransactionsCommand',
      ['--bootstrap-server', broker.bootstrapServers[0]!, 'list'],
    );
    const lines = stdout.toString().trim().split('\n');
    expect([exitCode, lines[0]]).toEqual([0, expect.stringContaining('TransactionState')]);
    const open = lines.slice(1).filter((line) => !/\b(Empty|CompleteCommit|CompleteAbort)\b/.test(line));
    if (open.length === 0 || attempt === 3) {
      expect([open, exitCode === 0 ? '' : stderr]).toEqual([[], '']);
      return;
    }
  }
}

/** For the tests of a suite: each has a run of its own, with `records` of input, and behind all of them no transaction is open. */
export function freshRuns(broker: () => Addressed, take: (run: FaultRun) => void, records = 0): void {
  let run: FaultRun | undefined;
  beforeEach(async () => {
    run = await FaultRun.create(broker(), records);
    take(run);
  });
  afterEach(() => run?.close());
  afterAll(() => expectNoOpenTransactions(broker()));
}

/** The same, with one proxy before the broker; behind each test it is as before. */
export function freshRunsBehindProxy(
  broker: () => Proxied,
  take: (run: FaultRun, proxy: FaultProxy) => void,
): void {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await startFaultProxy(broker());
  });
  freshRuns(broker, (run) => take(run, proxy));
  afterEach(() => proxy.heal());
  afterAll(() => proxy.close());
}
