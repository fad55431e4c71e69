// What Kafka's own tools say of what libs/broker did: the group and its members, the offsets, the transactional id.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createBrokerClient, RecordBatchEncoder } from '#libs/broker';
import type { BrokerClient, GroupMember } from '#libs/broker';
import { javaTool } from '#libs/broker-local';
import { silentLogger, sleep, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { describeWithBroker, uniqueName } from '../support/broker.ts';

const TOOL_MS = 60_000;

describeWithBroker(
  "Kafka's own tools",
  (broker) => {
    let client: BrokerClient;
    let member: GroupMember;
    const topic = uniqueName('tools');
    const groupId = uniqueName('group');
    const transactionalId = uniqueName('id');

    beforeAll(async () => {
      const rpc = createKafkaRpc(
        { brokers: broker().bootstrapServers, clientId: 'tools-spec' },
        { clock: systemClock, logger: silentLogger },
      );
      client = createBrokerClient({ rpc });
      await client.admin.createTopics([{ name: topic, partitionCount: 3 }]);
      const assigned = new Promise<void>((resolve, reject) => {
        member = client.createGroupMember(
          { groupId, groupInstanceId: 'instance-a', sessionTimeoutMs: 30_000 },
          {
            beforeJoin: () =>
              Promise.resolve({ topics: [topic], ownedPartitions: [], userData: new Uint8Array([1, 2, 3]) }),
            assign: (members) =>
              Promise.resolve(
                new Map(
                  members.map(({ memberId }) => [
                    memberId,
                    {
                      partitions: [0, 2].map((partition) => ({ topic, partition })),
                      userData: new Uint8Array([4]),
                    },
                  ]),
                ),
              ),
            onAssigned: () => {
              resolve();
              return Promise.resolve();
            },
            onLost: () => Promise.resolve(),
            onFailed: reject,
          },
        );
        member.start();
      });
      await assigned;
      const writer = client.createTransactionalWriter({ transactionalId });
      await writer.initialise();
      const encoder = new RecordBatchEncoder();
      for (const value of ['a', 'b', 'c']) encoder.append(systemClock.now(), null, value as BinaryString);
      writer.append(topic, 2, encoder.finish()!);
      await writer.commit(
        [{ topic, partition: 2, offset: 3, leaderEpoch: 0, metadata: 'ours' }],
        member.metadata,
      );
    }, TOOL_MS);

    afterAll(async () => {
      await member.leave('done', true);
      await client.close();
    });

    async function tool(mainClass: string, ...args: string[]): Promise<string> {
      const result = await javaTool(broker(), mainClass, [
        '--bootstrap-server',
        broker().endpoints.plaintext,
        ...args,
      ]);
      const output = result.stdout.toString();
      expect([result.exitCode, output, result.stderr]).toEqual([0, output, expect.anything()]);
      return output;
    }

    it(
      'read our members, their instance, our assignor and what each was assigned',
      async () => {
        const group = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
        const members = await tool(group, '--describe', '--group', groupId, '--members', '--verbose');
        expect(members).toContain('instance-a');
        expect(members).toMatch(new RegExp(`${topic}(\\(0,2\\)|:0,2)`));
        const state = await tool(group, '--describe', '--group', groupId, '--state');
        expect(state).toMatch(/millrace\s+Stable/);
      },
      TOOL_MS,
    );

    it(
      'read the offsets of our transactions',
      async () => {
        const group = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
        const offsets = await tool(group, '--describe', '--group', groupId, '--offsets');
        // TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET: three records and a marker.
        expect(offsets).toMatch(new RegExp(`${topic}\\s+2\\s+3\\s+4\\s`));
      },
      TOOL_MS,
    );

    it(
      'find our transactional id with a transaction that is complete',
      async () => {
        let described = '';
        // Markers are written after EndTxn was answered.
        for (let i = 0; i < 5 && !described.includes('CompleteCommit'); i++) {
          if (i > 0) await sleep(systemClock, 200);
          described = await tool(
            'org.apache.kafka.tools.TransactionsCommand',
            'describe',
            '--transactional-id',
            transactionalId,
          );
        }
        expect(described).toContain('CompleteCommit');
      },
      TOOL_MS,
    );
  },
  { roads: ['local'] },
);
