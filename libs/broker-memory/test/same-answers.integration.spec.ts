// The simulated cluster answers what a real broker of Kafka 4 answers: one conversation with both, note by note.
import { expect, it } from '@jest/globals';
import { createMemoryCluster } from '#libs/broker-memory';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { describeWithBroker, ownTestBrokerOptions, uniqueName } from '../../../test/support/broker.ts';
import { AnswerScript } from './answer-script.ts';
import type { Note } from './answer-conversation.ts';

const SWEEP_MS = 200;

describeWithBroker(
  'a simulated cluster beside a real broker',
  (broker) => {
    it('answers every request of a long conversation alike', async () => {
      // The simulated cluster is one of Kafka 4, whose coordinators answer some refusals by other codes than those before.
      if (Number.parseInt(broker().version, 10) < 4) return;
      const real = createKafkaRpc(
        { brokers: [...broker().bootstrapServers], clientId: 'script' },
        { clock: systemClock, logger: silentLogger },
      );
      const { transactionVersion } = await real.features();
      const version2 = transactionVersion >= 2;
      const cluster = createMemoryCluster({
        clock: systemClock,
        transactionVersion: version2 ? 2 : 1,
        transactionTimeoutSweepMs: SWEEP_MS,
      });
      const simulated = cluster.rpc('script');
      const names = new Map<string, string>();
      /** The same name for the same prefix and turn. */
      const run = async (rpc: typeof real): Promise<readonly Note[]> => {
        const turns = new Map<string, number>();
        const name = (prefix: string): string => {
          const turn = turns.get(prefix) ?? 0;
          turns.set(prefix, turn + 1);
          const key = `${prefix}-${turn}`;
          let known = names.get(key);
          if (known === undefined) names.set(key, (known = uniqueName(prefix)));
          return known;
        };
        return new AnswerScript({ rpc, clock: systemClock, name, version2 }).run();
      };
      const [expected, answered] = await Promise.all([run(real), run(simulated)]);
      await Promise.all([real.close(), simulated.close()]);
      expect(expected.length).toBeGreaterThan(100);
      expect(answered).toEqual(expected);
    });
  },
  {
    ...ownTestBrokerOptions(),
    properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': SWEEP_MS },
  },
);
