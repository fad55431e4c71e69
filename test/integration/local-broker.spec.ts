import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaConfig } from 'kafkajs';

import { brokerAvailability, consumeWithJavaConsole, startLocalBroker } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';

import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { createTopics } from '../support/topics.ts';

const kafka = (address: string, config: Partial<KafkaConfig> = {}): Kafka =>
  new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, ...config });

const createTopic = (address: string, topic: string, config: Partial<KafkaConfig> = {}): Promise<void> =>
  createTopics(address, [{ topic, numPartitions: 1 }], config);

async function produce(
  address: string,
  topic: string,
  values: string[],
  config: Partial<KafkaConfig> = {},
): Promise<void> {
  const producer = kafka(address, config).producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: values.map((value) => ({ key: value, value })) });
  } finally {
    await producer.disconnect();
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition()) return true;
    await delay(50);
  }
  return false;
}

describeWithBroker('the shared broker', (broker) => {
  it('gives back through the console consumer what an outside client wrote', async () => {
    const topic = uniqueName('console');
    const [address = ''] = broker().bootstrapServers;
    await createTopic(address, topic);
    await produce(address, topic, ['one', '{"two":2}', 'dré']);
    const records = await consumeWithJavaConsole(broker(), topic, { maxMessages: 3 });
    expect(records.map(({ offset, key, value }) => [offset, key, value])).toEqual([
      [0, 'one', 'one'],
      [1, '{"two":2}', '{"two":2}'],
      [2, 'dré', 'dré'],
    ]);
    expect(records[0]).toMatchObject({ partition: 0, timestampType: 'CreateTime' });
  }, 60_000);
});

const local = await brokerAvailability({ roads: ['local'] });
const describeLocal = local.road === undefined ? describe.skip : describe;

describeLocal('a broker of our own', () => {
  let broker: LocalBroker;
  const user = { name: 'alice', password: 'wonderland' };

  beforeAll(async () => {
    broker = await startLocalBroker({
      roads: ['local'],
      transactionVersion: 1,
      security: { tls: true, sasl: { users: [user] }, acls: {} },
    });
  }, 120_000);
  afterAll(() => broker.stop());

  it('keeps its data and its address when it is killed and restarted', async () => {
    const topic = uniqueName('restart');
    const address = broker.endpoints.plaintext;
    await createTopic(address, topic);
    await produce(address, topic, ['before']);
    const { pid } = broker;
    await broker.restart();
    expect(broker.pid).not.toBe(pid);
    await produce(address, topic, ['after']);
    const records = await consumeWithJavaConsole(broker, topic, { maxMessages: 2 });
    expect(records.map(({ value }) => value)).toEqual(['before', 'after']);
  }, 120_000);

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'takes %s over TLS, and refuses a wrong password',
    async (mechanism) => {
      const ssl = { ca: [broker.certificate ?? ''], servername: 'localhost' };
      const sasl = (password: string): Partial<KafkaConfig> => ({
        ssl,
        sasl: { mechanism, username: user.name, password } as KafkaConfig['sasl'] & object,
        retry: { retries: 0 },
      });
      const topic = uniqueName('sasl');
      const address = broker.endpoints.saslSsl ?? '';
      await createTopic(address, topic, sasl(user.password));
      await produce(address, topic, ['secret'], sasl(user.password));
      await expect(produce(address, topic, ['secret'], sasl('wrong'))).rejects.toThrow(/authentication/i);
    },
    60_000,
  );

  it('takes any unsigned token as OAUTHBEARER', async () => {
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const token = `${encode({ alg: 'none' })}.${encode({ sub: 'alice', iat: now, exp: now + 600 })}.`;
    const topic = uniqueName('oauth');
    const oauth: Partial<KafkaConfig> = {
      sasl: { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value: token }) },
    };
    await createTopic(broker.endpoints.saslPlaintext ?? '', topic, oauth);
    await produce(broker.endpoints.saslPlaintext ?? '', topic, ['token'], oauth);
  }, 60_000);

  it('holds ACLs against the users of its SASL listeners', async () => {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } =
      await import('kafkajs');
    const topic = uniqueName('denied');
    const sasl: Partial<KafkaConfig> = {
      sasl: { mechanism: 'plain', username: user.name, password: user.password },
      retry: { retries: 0 },
    };
    await createTopic(broker.endpoints.plaintext, topic);
    await produce(broker.endpoints.saslPlaintext ?? '', topic, ['allowed'], sasl);
    const admin = kafka(broker.endpoints.plaintext).admin();
    await admin.connect();
    await admin.createAcls({
      acl: [
        {
          resourceType: AclResourceTypes.TOPIC,
          resourceName: topic,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: `User:${user.name}`,
          host: '*',
          operation: AclOperationTypes.WRITE,
          permissionType: AclPermissionTypes.DENY,
        },
      ],
    });
    await admin.disconnect();
    await expect(produce(broker.endpoints.saslPlaintext ?? '', topic, ['denied'], sasl)).rejects.toThrow(
      /authorized/i,
    );
  }, 60_000);
});

describeLocal('the end of a broker', () => {
  it('comes when its parent is killed, and takes the data with it', async () => {
    const parent = spawn(
      process.execPath,
      ['--conditions=millrace-source', join(import.meta.dirname, '../support/broker-parent.ts')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid, dataDir } = JSON.parse(line.toString()) as { pid: number; dataDir: string };
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    expect(await eventually(() => !isRunning(pid))).toBe(true);
    expect(await eventually(async () => !(await isThere(dataDir)))).toBe(true);
  }, 120_000);

  it('comes with stop(), which may be called twice', async () => {
    const broker = await startLocalBroker({ roads: ['local'] });
    const { pid = 0, dataDir = '' } = broker;
    await broker.stop();
    await broker.stop();
    expect(isRunning(pid)).toBe(false);
    expect(await isThere(dataDir)).toBe(false);
  }, 120_000);

  it('shows the broker log when a property makes it impossible to start', async () => {
    const start = startLocalBroker({ roads: ['local'], properties: { 'log.segment.bytes': -1 } });
    await expect(start).rejects.toMatchObject({ code: 'MILLRACE_LOCAL_BROKER_FAILED' });
  }, 120_000);
});
