// Specifies that docs/operations/security.md shows what runs: its examples connect whole applications to a secured broker, its tables and
// commands are those of test/support/permissions.ts, and its limits are those that there are.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DECOMPRESSED_BYTES_LIMIT, DECOMPRESSED_BYTES_MAX } from '#libs/broker';
import { javaTool } from '#libs/broker-local';
import { SimulatedKafka, StreamsApplication, StreamsBuilder, silentLogger } from '#libs/millrace';
import type { KafkaConfig } from '#libs/millrace';
import {
  AUTHORITY,
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../../libs/control/test/certificates.ts';
import { describeWithBroker } from '../support/broker.ts';
import {
  NEEDED_PERMISSIONS,
  REDRIVE_PERMISSIONS,
  permissionsAsCommands,
  permissionsAsMarkdown,
} from '../support/permissions.ts';
import {
  MTLS_PRINCIPAL,
  SECURED,
  SecuredApplication,
  SecurityOfficer,
  USER,
} from '../support/secured-application.ts';
import { control, mutualTls, oauthbearer, registry, scram } from '../support/security-snippets.ts';
import type { Surroundings } from '../support/security-snippets.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/operations/security.md'), 'utf8');
const source = readFileSync(join(ROOT, 'test/support/security-snippets.ts'), 'utf8');

const PASSPHRASE = 'the passphrase of the example';
const encrypted = (key: string): string =>
  createPrivateKey(key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
    .toString();

const surroundings: Surroundings = {
  brokers: ['b:1'],
  ca: AUTHORITY,
  cert: CLIENT_CERTIFICATE,
  key: encrypted(CLIENT_KEY),
  passphrase: PASSPHRASE,
  password: USER.password,
  token: 'a-token-of-sufficient-length',
  askIdentityProvider: async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Date.now() / 1000;
    return {
      access_token: `${part({ alg: 'none' })}.${part({ sub: USER.name, iat: now, exp: now + 600 })}.`,
    };
  },
};

describe('the page on security', () => {
  it('shows the code that runs', () => {
    const shown = [...page.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map(
      (match): [string, string] => [match[1]!, match[2]!],
    );
    const written = [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
      (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
    );
    expect(shown.length).toBe(5);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
  });

  it('has the tables of permissions, and the commands that grant them', () => {
    expect(page).toContain(permissionsAsMarkdown(NEEDED_PERMISSIONS));
    expect(page).toContain(permissionsAsMarkdown(REDRIVE_PERMISSIONS));
    expect(page).toContain(`\`\`\`sh\n${permissionsAsCommands('User:ada')}\n\`\`\``);
  });

  it('has the limits that there are', () => {
    const mebibytes = (bytes: number): string => `${bytes / 1024 / 1024} MiB`;
    const constants: readonly (readonly [string, RegExp, string])[] = [
      ['libs/control/src/server.ts', /BODY_BYTES_MAX = 64 \* 1024;/, '16 KiB; 64 KiB'],
      ['libs/control/src/server.ts', /HEADER_BYTES_MAX = 16 \* 1024;/, '16 KiB; 64 KiB'],
      ['libs/control/src/server.ts', /REQUEST_MS_MAX = 10_000;/, "a request's time | 10 s"],
      ['libs/control/src/server.ts', /CONNECTIONS_MAX = 256;/, 'control server | 256'],
      ['libs/control/src/routes/events.ts', /STREAMS_MAX = 32;/, '32; 64'],
      ['libs/kafka/src/connection/connection.ts', /GREETING_BYTES_MAX = 1024 \* 1024;/, 'is known | 1 MiB'],
      ['libs/kafka/src/sasl/scram.ts', /ITERATIONS_MAX = 1_000_000;/, '4,096 to 1,000,000'],
      ['libs/serde/src/json/json-text.ts', /JSON_DEPTH_MAX = 1_000;/, '1,000 levels'],
      ['libs/serde/src/avro-guards.ts', /ITEMS_WITHOUT_BYTES_MAX = 64;/, '64 where items have none'],
    ];
    for (const [path, constant, text] of constants) {
      expect([path, readFileSync(join(ROOT, path), 'utf8')]).toEqual([path, expect.stringMatching(constant)]);
      expect(page).toContain(text);
    }
    expect(page).toContain(`unfolds to | ${mebibytes(DECOMPRESSED_BYTES_MAX)} |`);
    expect(page).toContain(`(${mebibytes(DECOMPRESSED_BYTES_LIMIT)} at most)`);
  });

  it('opens a control server that asks for both a token and a certificate', async () => {
    const options = { kafka: new SimulatedKafka(), topology: new StreamsBuilder(), logger: silentLogger };
    const application = new StreamsApplication({ applicationId: 'a', ...options });
    const served = { ...surroundings, cert: SERVER_CERTIFICATE, key: encrypted(SERVER_KEY) };
    const server = await control(application, served);
    const statusOf = (given: object, headers: Record<string, string>): Promise<number | string> =>
      new Promise((resolve) => {
        const { port } = server;
        const asked = { host: '127.0.0.1', port, path: '/v1/applications', ca: AUTHORITY, ...given, headers };
        request(asked, (answer) => resolve(answer.resume().statusCode!))
          .on('error', () => resolve('refused'))
          .end();
      });
    const certificate = { cert: CLIENT_CERTIFICATE, key: CLIENT_KEY };
    const token = { authorization: `Bearer ${surroundings.token}` };
    try {
      expect(await statusOf(certificate, token)).toBe(200);
      expect(await statusOf(certificate, {})).toBe(401);
      expect(await statusOf({}, token)).toBe('refused');
    } finally {
      await server.close();
    }
  });

  it('makes a client of a registry', () => {
    expect(registry(surroundings, 'https://registry:8081').host).toBe('https://registry:8081');
  });
});

describeWithBroker(
  'the examples of the page on security',
  (broker) => {
    const officer = new SecurityOfficer(broker);
    let secured: SecuredApplication;
    beforeEach(async () => {
      secured = new SecuredApplication(officer);
      await secured.createTopics();
      await secured.give();
      const grants = NEEDED_PERMISSIONS.map((needed) => secured.named(needed));
      await officer.grant(...grants);
      await officer.grantTo(MTLS_PRINCIPAL, ...grants);
    });
    afterEach(() => secured.stop());
    afterAll(() => officer.close());

    it("grant by Kafka's own tool what an application needs", async () => {
      const fresh = new SecuredApplication(officer);
      await fresh.createTopics();
      await fresh.give();
      const commands = permissionsAsCommands(`User:${USER.name}`).split(/\n(?=kafka-acls)/);
      for (const command of commands) {
        const args = [...command.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|(\S+)/g)]
          .map(([, quoted, plain]) => quoted ?? plain!)
          .slice(1)
          .map((arg) => fresh.withNames(arg))
          .map((arg) => (arg === '"$KAFKA"' ? broker().endpoints.plaintext : arg));
        const from = args.indexOf('--command-config');
        args.splice(from, 2);
        const { exitCode, stdout, stderr } = await javaTool(
          broker(),
          'org.apache.kafka.tools.AclCommand',
          args,
        );
        expect([exitCode, stdout.toString(), stderr]).toEqual([0, expect.anything(), expect.anything()]);
      }
      await fresh.work();
    });

    it.each<[string, 'ssl' | 'saslSsl', (given: Surroundings) => KafkaConfig]>([
      ['SCRAM', 'saslSsl', scram],
      ['mutual TLS', 'ssl', mutualTls],
      ['OAUTHBEARER', 'saslSsl', oauthbearer],
    ])('connect an application by %s', async (_road, listener, example) => {
      const { endpoints, certificate } = broker();
      const kafka = example({ ...surroundings, brokers: [endpoints[listener]!], ca: certificate! });
      await secured.work({ kafka });
    });
  },
  SECURED,
);
