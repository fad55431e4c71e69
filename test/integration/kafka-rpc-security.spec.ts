// TLS and SASL of libs/kafka against a real broker: every mechanism, sessions that end, and what is said when it fails.
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  readRecordBatches,
  RecordBatchEncoder,
  stampBatch,
  type MetadataAnswer,
  type RpcPort,
} from '#libs/broker';
import { silentLogger, sleep, systemClock, type LogFields } from '#libs/core';
import { createKafkaRpc, type KafkaConfig, type SaslConfig } from '#libs/kafka';

import { describeWithBroker, uniqueName } from '../support/broker.ts';

const USER = { name: 'ada', password: 'correct-horse-battery' };
const CREDENTIALS = { username: USER.name, password: USER.password };

/** An unsigned JWT as the broker's development validator takes it. */
function unsignedToken(subject: string, lifetimeMs = 3_600_000): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = systemClock.now();
  const claims = { sub: subject, iat: now / 1000, exp: (now + lifetimeMs) / 1000 };
  return `${part({ alg: 'none' })}.${part(claims)}.`;
}

const MECHANISMS: readonly SaslConfig[] = [
  { mechanism: 'plain', ...CREDENTIALS },
  { mechanism: 'scram-sha-256', ...CREDENTIALS },
  { mechanism: 'scram-sha-512', ...CREDENTIALS },
  { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: unsignedToken('ada') }) },
];

const rpcs: RpcPort[] = [];

afterEach(async () => {
  await Promise.all(rpcs.splice(0).map((rpc) => rpc.close()));
});

const messages: string[] = [];
const remember = (message: string, fields?: LogFields): void => {
  messages.push(`${message} ${JSON.stringify(fields)}`);
};
const logger = { ...silentLogger, debug: remember, info: remember, warn: remember, error: remember };

function connect(config: KafkaConfig): RpcPort {
  const rpc = createKafkaRpc(config, { clock: systemClock, logger });
  rpcs.push(rpc);
  return rpc;
}

const askMetadata = (config: KafkaConfig): Promise<MetadataAnswer> =>
  connect(config).call('bootstrap', 'Metadata', { topics: null });

const security = { tls: true, sasl: { users: [USER] } };

describeWithBroker(
  'a secured broker',
  (broker) => {
    const trusting = (): { ca: string } => ({ ca: broker().certificate! });
    const saslSsl = (): string[] => [broker().endpoints.saslSsl!];
    const saslPlaintext = (): string[] => [broker().endpoints.saslPlaintext!];

    it('is reached by TLS with its certificate as authority', async () => {
      const metadata = await askMetadata({ brokers: [broker().endpoints.ssl!], ssl: trusting() });
      expect(metadata.brokers).toHaveLength(1);
    });

    it('carries large batches over TLS both ways', async () => {
      const rpc = connect({ brokers: [broker().endpoints.ssl!], ssl: trusting() });
      const { brokers } = await rpc.call('bootstrap', 'Metadata', { topics: [] });
      rpc.learnNodes(brokers);
      const { nodeId } = brokers[0]!;
      const name = uniqueName('tls');
      await rpc.call(nodeId, 'CreateTopics', {
        timeoutMs: 10_000,
        validateOnly: false,
        topics: [{ name, numPartitions: 1, replicationFactor: 1, configs: [] }],
      });
      const encoder = new RecordBatchEncoder();
      encoder.appendText(systemClock.now(), null, 'abcdefghi'.repeat(100_000));
      const batch = encoder.finish()!;
      stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
      for (let written = 0, tries = 0; written < 3 && tries < 500; tries++) {
        const produced = await rpc.call(nodeId, 'Produce', {
          transactionalId: null,
          acks: -1,
          timeoutMs: 10_000,
          transactionVersion2: false,
          topics: [{ name, partitions: [{ partition: 0, records: [batch.bytes] }] }],
        });
        // Just created, the topic may not have its leader yet.
        if (produced.topics[0]!.partitions[0]!.errorCode === 0) written += 1;
        else await sleep(systemClock, 20);
      }
      const { topics } = await rpc.call(nodeId, 'Metadata', { topics: [name] });
      const fetched = await rpc.call(nodeId, 'Fetch', {
        maxWaitMs: 500,
        minBytes: 3 * batch.bytes.length,
        maxBytes: 50_000_000,
        isolation: 'read_committed',
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            name,
            topicId: topics[0]!.topicId,
            partitions: [
              {
                partition: 0,
                currentLeaderEpoch: -1,
                fetchOffset: 0,
                lastFetchedEpoch: -1,
                logStartOffset: -1,
                partitionMaxBytes: 50_000_000,
              },
            ],
          },
        ],
        forgottenTopics: [],
        rackId: '',
      });
      const batches = readRecordBatches(fetched.topics[0]!.partitions[0]!.records!);
      expect(batches.map(({ baseOffset, bytes }) => [baseOffset, bytes.length])).toEqual(
        [0, 1, 2].map((offset) => [offset, batch.bytes.length]),
      );
    });

    it.each(MECHANISMS)('authenticates by $mechanism over TLS and over plain TCP', async (sasl) => {
      for (const config of [
        { brokers: saslSsl(), ssl: trusting(), sasl },
        { brokers: saslPlaintext(), sasl },
      ]) {
        expect((await askMetadata(config)).brokers).toHaveLength(1);
      }
    });

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
      'refuses a wrong password by %s with an error that is final and keeps the password to itself',
      async (mechanism) => {
        messages.length = 0;
        const password = 'wrong-secret';
        const error: unknown = await askMetadata({
          brokers: saslPlaintext(),
          sasl: { mechanism, username: USER.name, password },
        }).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ name: 'FatalError', code: 'MILLRACE_AUTHENTICATION_FAILED' });
        expect(JSON.stringify(error) + String((error as Error).stack) + messages.join()).not.toContain(
          password,
        );
      },
    );

    it('refuses a bearer token it does not accept', async () => {
      const expired = unsignedToken('ada', -3_600_000);
      await expect(
        askMetadata({
          brokers: saslPlaintext(),
          sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: expired }) },
        }),
      ).rejects.toMatchObject({ code: 'MILLRACE_AUTHENTICATION_FAILED' });
    });

    it('is not trusted without its authority, nor under a name its certificate lacks', async () => {
      await expect(askMetadata({ brokers: [broker().endpoints.ssl!], ssl: true })).rejects.toMatchObject({
        name: 'FatalError',
        code: 'MILLRACE_TLS_FAILED',
      });
      await expect(
        askMetadata({
          brokers: [broker().endpoints.ssl!],
          ssl: { ...trusting(), servername: 'elsewhere.example' },
        }),
      ).rejects.toMatchObject({ code: 'MILLRACE_TLS_FAILED' });
    });

    describe('says so when the configuration does not fit the listener', () => {
      const reasonOf = async (config: KafkaConfig): Promise<string> => {
        const error = (await askMetadata({ requestTimeout: 5_000, ...config }).catch(
          (reason: unknown) => reason,
        )) as Error;
        return `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`;
      };

      it('TLS to a plain one', async () => {
        expect(await reasonOf({ brokers: [broker().endpoints.plaintext], ssl: true })).toContain(
          'is its listener for TLS?',
        );
      });

      it('plain to one that speaks TLS', async () => {
        expect(await reasonOf({ brokers: [broker().endpoints.ssl!] })).toContain('`ssl`');
      });

      it('SASL to one that has none', async () => {
        expect(
          await reasonOf({
            brokers: [broker().endpoints.plaintext],
            sasl: { mechanism: 'plain', ...CREDENTIALS },
          }),
        ).toContain('MILLRACE_AUTHENTICATION_FAILED');
      });

      it('no SASL to one that asks for it', async () => {
        expect(await reasonOf({ brokers: saslPlaintext() })).toContain('does its listener ask for `sasl`?');
      });
    });
  },
  { security },
);

describeWithBroker(
  'a broker whose sessions end',
  (broker) => {
    it('keeps connections that authenticate again in time, by every mechanism', async () => {
      messages.length = 0;
      const clients = MECHANISMS.map((sasl) =>
        connect({ brokers: [broker().endpoints.saslPlaintext!], sasl }),
      );
      const until = systemClock.monotonic() + 5_000;
      while (systemClock.monotonic() < until) {
        await Promise.all(clients.map((rpc) => rpc.call('bootstrap', 'Metadata', { topics: null })));
        await sleep(systemClock, 100);
      }
      const count = (start: string): number => messages.filter((message) => message.startsWith(start)).length;
      expect(count('connected to broker')).toBe(MECHANISMS.length);
      expect(count('authenticated again')).toBeGreaterThanOrEqual(MECHANISMS.length);
    });
  },
  { security, properties: { 'connections.max.reauth.ms': 3_000 } },
);
