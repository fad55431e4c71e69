// The RPC port of libs/kafka while its broker is killed, frozen and brought back.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RpcFailure, type RpcPort } from '#libs/broker';
import { startLocalBroker, type LocalBroker } from '#libs/broker-local';
import { silentLogger, sleep, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';

import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { freeze } from '../support/child-process.ts';

describeWithBroker(
  'the RPC port while its broker fails',
  () => {
    let broker: LocalBroker;
    let rpc: RpcPort;

    beforeAll(async () => {
      broker = await startLocalBroker({ roads: ['local'] });
      rpc = createKafkaRpc(
        { brokers: broker.bootstrapServers },
        { clock: systemClock, logger: silentLogger },
      );
      rpc.learnNodes((await rpc.call('bootstrap', 'Metadata', { topics: [] })).brokers);
    });

    afterAll(async () => {
      await rpc.close();
      await broker.stop();
    });

    const failureOf = async (call: Promise<unknown>): Promise<RpcFailure> => {
      const error = await call.then(
        () => {
          throw new Error('was answered');
        },
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(RpcFailure);
      return error as RpcFailure;
    };

    const heartbeat = (timeoutMs?: number): Promise<unknown> =>
      rpc.call(
        1,
        'Heartbeat',
        { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null },
        { lane: 'group', ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      );

    async function emptyTopic(): Promise<{ name: string; topicId: string }> {
      const name = uniqueName('faults');
      await rpc.call(1, 'CreateTopics', {
        timeoutMs: 10_000,
        validateOnly: false,
        topics: [{ name, numPartitions: 1, replicationFactor: 1, configs: [] }],
      });
      for (let tries = 0; tries < 500; tries++) {
        const partitions = [{ partition: 0, currentLeaderEpoch: -1, timestamp: -1 }];
        const offsets = await rpc.call(1, 'ListOffsets', {
          isolation: 'read_committed',
          topics: [{ name, partitions }],
        });
        if (offsets.topics[0]!.partitions[0]!.errorCode === 0) break;
        await sleep(systemClock, 20);
      }
      const { topics } = await rpc.call(1, 'Metadata', { topics: [name] });
      return { name, topicId: topics[0]!.topicId };
    }

    async function untilAnswered(): Promise<void> {
      for (let tries = 0; tries < 200; tries++) {
        const answered = await heartbeat().then(
          () => true,
          () => false,
        );
        if (answered) return;
        await sleep(systemClock, 50);
      }
      throw new Error('the broker did not come back');
    }

    it('leaves what was under way unknown when the broker is killed, and serves again once it is back', async () => {
      // A long poll at the end of a topic: unanswered when the broker dies.
      const topic = await emptyTopic();
      const polling = failureOf(
        rpc.call(
          1,
          'Fetch',
          {
            maxWaitMs: 60_000,
            minBytes: 1,
            maxBytes: 1_000_000,
            isolation: 'read_committed',
            sessionId: 0,
            sessionEpoch: -1,
            topics: [
              {
                ...topic,
                partitions: [
                  {
                    partition: 0,
                    currentLeaderEpoch: -1,
                    fetchOffset: 0,
                    lastFetchedEpoch: -1,
                    logStartOffset: -1,
                    partitionMaxBytes: 1_000_000,
                  },
                ],
              },
            ],
            forgottenTopics: [],
            rackId: '',
          },
          { lane: 'fetch', timeoutMs: 90_000 },
        ),
      );
      await heartbeat();
      await broker.kill();
      expect((await polling).kind).toBe('unknown');
      const down = await failureOf(rpc.call('bootstrap', 'Metadata', { topics: null }));
      expect(down.kind).toBe('not-sent');
      expect(down.message).toContain(`${broker.bootstrapServers[0]!} (connect ECONNREFUSED`);
      await broker.restart();
      await untilAnswered();
    });

    it('gives up on a frozen broker after the timeout, and serves again once it thaws', async () => {
      await heartbeat();
      await freeze(broker.pid!);
      try {
        expect((await failureOf(heartbeat(300))).kind).toBe('unknown');
      } finally {
        process.kill(broker.pid!, 'SIGCONT');
      }
      await untilAnswered();
    });
  },
  { roads: ['local'] },
);
