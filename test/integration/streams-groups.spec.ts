// Specifies groupProtocol streams (KIP-1071) on a real broker: the broker assigns the tasks, Kafka's own tool reads the group, and what
// the suites of the classic protocol promise holds: nothing lost or doubled by joins, leaves, kills and lost answers. The suites
// themselves run on it with MILLRACE_TEST_GROUP_PROTOCOL=streams.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { javaTool, startLocalBroker } from '#libs/broker-local';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { describeWithBroker, ownTestBrokerOptions, uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy } from '../support/proxy.ts';
import { startSums, sumsTopology } from '../support/sums-application.ts';
import type { SumsApplication } from '../support/sums-application.ts';
import { checkOutput, committed, createTopics, produce } from '../support/sums-input.ts';
import { spawnSums } from '../support/sums-process.ts';
import type { SumsProcess } from '../support/sums-process.ts';

const STREAMS = { groupProtocol: 'streams', heartbeatIntervalMs: 300, commitIntervalMs: 20 } as const;
const PATIENCE_MS = 90_000;

describeWithBroker('a group whose tasks the broker assigns', (broker) => {
  const folders: string[] = [];
  const open: SumsApplication[] = [];
  const processes: SumsProcess[] = [];
  let proxy: FaultProxy;
  let input: string;
  let output: string;
  let applicationId: string;

  beforeAll(async () => {
    proxy = await startFaultProxy(broker());
  });
  afterEach(async () => {
    proxy.heal();
    for (const application of open.splice(0)) await application.close();
    for (const { child } of processes.splice(0)) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await proxy.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  async function topics(): Promise<void> {
    [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
  }

  async function start(
    instanceId: string,
    options: Partial<Parameters<typeof startSums>[1]> = {},
    topology: Topology = sumsTopology(input, output),
  ): Promise<SumsApplication> {
    const brokers = broker().bootstrapServers;
    const application = await startSums(topology, {
      applicationId,
      instanceId,
      brokers,
      ...STREAMS,
      ...options,
    });
    open.push(application);
    return application;
  }

  function spawn(instanceId: string): SumsProcess {
    const stateDir = mkdtempSync(join(tmpdir(), 'millrace-streams-'));
    folders.push(stateDir);
    const { bootstrapServers: brokers } = broker();
    const process = spawnSums({ applicationId, instanceId, brokers, input, output, stateDir, ...STREAMS });
    processes.push(process);
    return process;
  }

  /** Resolves when all of the input is committed. @throws Error where it stands instead, before the spec's own time is over. */
  async function all({ client, runtime }: SumsApplication, count: number): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      late = setTimeout(
        () => reject(new Error(`not all is committed: ${JSON.stringify(runtime.insight(), null, 1)}`)),
        PATIENCE_MS / 2,
      );
    });
    await Promise.race([committed(client, applicationId, input, count, () => runtime.error), limit]);
    clearTimeout(late);
  }

  /** Resolves when the application runs so many tasks. @throws Error what it does instead, before the spec's own time is over. */
  async function runs({ runtime }: SumsApplication, tasks: number): Promise<void> {
    const started = Date.now();
    while (runtime.figures?.runningTasks.length !== tasks) {
      if (runtime.error !== null) throw runtime.error;
      if (Date.now() - started > PATIENCE_MS / 2)
        throw new Error(`not ${tasks} tasks but ${JSON.stringify(runtime.insight(), null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it(
    "is read by Kafka's own tool: its members, their tasks, its offsets",
    async () => {
      await topics();
      await produce(broker(), input, 0, 3_000);
      const application = await start('one');
      await all(application, 3_000);
      await runs(application, 3);
      const tool = async (...args: string[]): Promise<string> => {
        const main = 'org.apache.kafka.tools.streams.StreamsGroupCommand';
        const server = ['--bootstrap-server', broker().endpoints.plaintext];
        const result = await javaTool(broker(), main, [
          ...server,
          '--describe',
          '--group',
          applicationId,
          ...args,
        ]);
        const text = result.stdout.toString();
        expect([result.exitCode, text, result.stderr]).toEqual([0, text, expect.anything()]);
        return text;
      };
      expect(await tool('--members')).toMatch(/one\s+one\s+ACTIVE: 0:\[0,1,2\]/);
      expect(await tool('--state')).toMatch(/Stable\s+1/);
      expect(await tool('--offsets')).toMatch(new RegExp(`${input}\\s+2\\s+\\d+`));
      await application.close();
      expect(await tool('--state')).toMatch(/Empty\s+0/);
      await checkOutput(broker(), output, 3_000);
    },
    PATIENCE_MS,
  );

  it(
    'goes on when members join, leave and are killed, and nothing is lost or doubled',
    async () => {
      await topics();
      let count = 0;
      const more = async (): Promise<void> => {
        await produce(broker(), input, count, 1_000);
        count += 1_000;
      };
      await more();
      const first = await start('first');
      await runs(first, 3);
      const second = spawn('second');
      await more();
      await runs(first, 2);
      await second.reached('RUNNING');
      await more();
      expect(await second.stop()).toBe(0);
      await runs(first, 3);
      await more();
      const third = spawn('third');
      await runs(first, 2);
      await third.reached('RUNNING');
      await more();
      await third.kill();
      await more();
      await runs(first, 3);
      await all(first, count);
      await first.close();
      await checkOutput(broker(), output, count);
    },
    PATIENCE_MS,
  );

  it(
    'gives an instance of a given name its tasks again at once, however it ended',
    async () => {
      await topics();
      await produce(broker(), input, 0, 1_000);
      const stays = await start('stays');
      const before = await start('returns', { groupInstanceId: 'returns' });
      await runs(stays, 2);
      await runs(before, 1);
      const [task] = before.runtime.figures!.runningTasks;
      // It does not leave: the group expects it back.
      await before.close();
      const after = await start('returns', { groupInstanceId: 'returns' });
      await runs(after, 1);
      expect(after.runtime.figures!.runningTasks).toEqual([task]);
      expect(stays.runtime.figures!.runningTasks).toHaveLength(2);
      await produce(broker(), input, 1_000, 1_000);
      await all(stays, 2_000);
      await stays.close();
      await after.close();
      await checkOutput(broker(), output, 2_000);
    },
    PATIENCE_MS,
  );

  it(
    'learns of an assignment whose answer was lost',
    async () => {
      await topics();
      await produce(broker(), input, 0, 1_000);
      const first = await start('first', { requestTimeoutMs: 1_000 });
      await runs(first, 3);
      const second = await start('second', { brokers: [proxy.address], requestTimeoutMs: 1_000 });
      // Whichever answers it gets while the first one gives a task up: that with the task is among them.
      const lost = proxy.fault({
        api: 'StreamsGroupHeartbeat',
        on: 'answer',
        action: 'cut',
        skip: 1,
        times: 4,
      });
      await lost.hit(4);
      await runs(first, 2);
      await runs(second, 1);
      await produce(broker(), input, 1_000, 1_000);
      await all(second, 2_000);
      await first.close();
      await second.close();
      await checkOutput(broker(), output, 2_000);
    },
    PATIENCE_MS,
  );

  it(
    'ends a bounded run when the group has processed all of the input',
    async () => {
      await topics();
      await produce(broker(), input, 0, 4_000);
      const bounded = { until: 'latest' } as const;
      const both = await Promise.all([start('one', bounded), start('two', bounded)]);
      await Promise.all(both.map(({ runtime }) => runtime.whenEnded()));
      await checkOutput(broker(), output, 4_000);
    },
    PATIENCE_MS,
  );

  it(
    'refuses another topology, with what to do',
    async () => {
      await topics();
      await runs(await start('one'), 3);
      const key = Serdes.string();
      const builder = new StreamsBuilder();
      builder
        .stream<string, string>(input, { keySerde: key, valueSerde: key })
        .to(output, { keySerde: key, valueSerde: key });
      const other = await start('two', {}, builder.build());
      await expect(other.runtime.whenEnded()).rejects.toMatchObject({
        code: 'MILLRACE_STREAMS_TOPOLOGY_REFUSED',
      });
    },
    PATIENCE_MS,
  );

  it(
    'does not mix with the classic protocol, and says so on either side',
    async () => {
      await topics();
      await runs(await start('one'), 3);
      const classic = await start('two', { groupProtocol: 'classic' });
      await expect(classic.runtime.whenEnded()).rejects.toMatchObject({
        code: 'MILLRACE_GROUP_TYPE_MISMATCH',
      });

      await topics();
      await runs(await start('one', { groupProtocol: 'classic' }), 3);
      const streams = await start('two');
      await expect(streams.runtime.whenEnded()).rejects.toMatchObject({
        code: 'MILLRACE_GROUP_TYPE_MISMATCH',
      });
    },
    PATIENCE_MS,
  );

  it(
    'takes over the offsets of an empty classic group',
    async () => {
      await topics();
      await produce(broker(), input, 0, 1_000);
      const classic = await start('one', { groupProtocol: 'classic' });
      await all(classic, 1_000);
      await classic.close();
      await produce(broker(), input, 1_000, 1_000);
      const streams = await start('one');
      await all(streams, 2_000);
      await streams.close();
      await checkOutput(broker(), output, 2_000);
    },
    PATIENCE_MS,
  );
});

describeWithBroker(
  'a broker without streams groups',
  () => {
    it(
      'is refused before anything is made',
      async () => {
        const properties = { 'group.coordinator.rebalance.protocols': 'classic,consumer' };
        const own = await startLocalBroker({ ...ownTestBrokerOptions(), properties });
        try {
          const [input, output] = [uniqueName('in'), uniqueName('out')];
          await createTopics(own, input, output);
          const started = startSums(sumsTopology(input, output), {
            brokers: own.bootstrapServers,
            ...STREAMS,
          });
          await expect(started).rejects.toMatchObject({ code: 'MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED' });
        } finally {
          await own.stop();
        }
      },
      PATIENCE_MS,
    );
  },
  ownTestBrokerOptions(),
);
