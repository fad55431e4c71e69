// Specifies that no secret shows anywhere: not in logs of any level, errors, stacks, printed objects, the description, the insight, the control
// API, its OpenAPI document, metrics; neither while all is well nor when a password, token, key or address is wrong. Every secret here
// carries a mark, and all that is written is searched for the marks. On the way each road to a secured broker is taken once by a whole application.
import { createPrivateKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { createControlServer } from '#libs/control';
import {
  SchemaRegistryClient,
  StreamsApplication,
  createConsoleLogger,
  readConfiguration,
} from '#libs/millrace';
import type { KafkaConfig } from '#libs/millrace';
import { registerMetrics } from '#libs/telemetry';
import { CLIENT_CERTIFICATE, CLIENT_KEY } from '../../libs/control/test/certificates.ts';
import { describeWithBroker } from '../support/broker.ts';
import { NEEDED_PERMISSIONS } from '../support/permissions.ts';
import {
  MTLS_PRINCIPAL,
  SECURED,
  SecuredApplication,
  SecurityOfficer,
  USER,
} from '../support/secured-application.ts';

/** In every secret. */
const MARK = 'hush';
const PASSPHRASE = 'hush-passphrase';
const ENCRYPTED_KEY = createPrivateKey(CLIENT_KEY)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
  .toString();
const REGISTRY_TOKEN = 'hush-registry-token';
const CONTROL_TOKEN = 'hush-control-token-0123';

/** How secrets may look in what is written. */
const LOOKS: readonly string[] = [
  MARK,
  USER.password,
  // Of the keys: a line of each.
  CLIENT_KEY.split('\n')[1]!,
  ENCRYPTED_KEY.split('\n')[2]!,
  Buffer.from(`\0${USER.name}\0${USER.password}`).toString('base64'),
  Buffer.from(MARK).toString('hex'),
  Buffer.from(REGISTRY_TOKEN).toString('base64'),
];

/** An unsigned token as the broker's development validator takes it, with a mark in it. */
function bearerToken(lifetimeMs: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Date.now() / 1000;
  return `${part({ alg: 'none' })}.${part({ sub: USER.name, iat: now, exp: now + lifetimeMs / 1000, jti: 'hush' })}.`;
}

describeWithBroker(
  'secrets',
  (broker) => {
    const officer = new SecurityOfficer(broker);
    let written: string[];
    let secured: SecuredApplication;
    const toClose: (() => Promise<unknown> | void)[] = [];

    beforeEach(async () => {
      written = [];
      for (const stream of [process.stderr, process.stdout]) {
        jest.spyOn(stream, 'write').mockImplementation((chunk) => {
          written.push(String(chunk));
          return true;
        });
      }
      secured = new SecuredApplication(officer);
      await secured.createTopics();
      await officer.grant(...NEEDED_PERMISSIONS.map((needed) => secured.named(needed)));
      await secured.give();
    });
    afterEach(async () => {
      await secured.stop();
      for (const close of toClose.splice(0).reverse()) await close();
      jest.restoreAllMocks();
    });
    afterAll(() => officer.close());

    /** All that an error shows, and what it hides a level deeper. */
    function tell(error: unknown): void {
      expect(error).toBeInstanceOf(Error);
      written.push(inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity }));
      written.push(JSON.stringify(error), String(error), String((error as Error).stack));
    }

    function show(application: StreamsApplication): void {
      const { error } = application;
      if (error !== null) tell(error);
      written.push(inspect(application, { depth: Infinity, showHidden: true }), JSON.stringify(application));
      for (const shown of [application.configuration(), application.snapshot(), application.insight()])
        written.push(JSON.stringify(shown));
      written.push(application.describe(), application.describeAsMermaid());
    }

    /** `said`: what must be among it, so that something was looked at. */
    function expectNoSecret(...said: string[]): void {
      const all = written.join('\n');
      for (const text of said) expect(all).toContain(text);
      for (const look of LOOKS) {
        const at = all.indexOf(look);
        expect(at < 0 ? '' : all.slice(Math.max(0, at - 200), at + 100)).toBe('');
      }
    }

    const logger = createConsoleLogger('debug');
    const withTls = (ssl: object): KafkaConfig => ({
      brokers: [broker().endpoints.ssl!],
      ssl: { ca: broker().certificate!, cert: CLIENT_CERTIFICATE, ...ssl },
    });
    const withOauth = (lifetimeMs: number): KafkaConfig => ({
      brokers: [broker().endpoints.saslSsl!],
      ssl: { ca: broker().certificate! },
      sasl: {
        mechanism: 'oauthbearer',
        oauthBearerProvider: async () => ({ value: bearerToken(lifetimeMs) }),
      },
    });

    it('show nowhere in an application that works: by SCRAM, with a registry, metrics and the control API', async () => {
      const registry = await startRegistry();
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
      const reader = new PeriodicExportingMetricReader({ exporter });
      const meterProvider = new MeterProvider({ readers: [reader] });
      const client = new SchemaRegistryClient({ host: registry, token: REGISTRY_TOKEN });
      const application = await secured.start({
        logger,
        topology: () => secured.topology(client.json({ schema: { type: 'object' } })),
      });
      registerMetrics({ applications: [application], meterProvider });
      const control = await createControlServer({
        applications: [application],
        port: 0,
        token: CONTROL_TOKEN,
        allowActions: true,
        logger,
      });
      toClose.push(() => control.close());
      await secured.done(1);
      show(application);
      await reader.forceFlush();
      written.push(inspect(exporter.getMetrics(), { depth: Infinity }));

      const headers = { authorization: `Bearer ${CONTROL_TOKEN}` };
      const openapi = (await (await fetch(`${control.url}/openapi.json`, { headers })).json()) as {
        paths: Record<string, Record<string, unknown>>;
      };
      written.push(JSON.stringify(openapi));
      const wrong = [
        {},
        { authorization: 'Bearer hush-another-token-0123' },
        { authorization: `Basic ${Buffer.from('hush:hush').toString('base64')}` },
        { authorization: CONTROL_TOKEN },
      ];
      let answers = 0;
      for (const [path, methods] of Object.entries(openapi.paths)) {
        const url =
          control.url +
          path
            .replace('{application}', secured.applicationId)
            .replace('{task}', '0_0')
            .replace(/\{\w+\}/g, 'sums');
        for (const method of Object.keys(methods)) {
          for (const given of [headers, ...wrong]) {
            if (given === headers && /stop|restart|pause|changes/.test(path)) continue;
            const answer = await fetch(`${url}?token=${CONTROL_TOKEN}`, {
              method: method.toUpperCase(),
              headers: given,
            });
            written.push(`${answer.status} ${JSON.stringify([...answer.headers])}`);
            written.push(await firstOf(answer));
            answers++;
          }
        }
      }
      expect(answers).toBeGreaterThan(60);
      await secured.stop();
      expectNoSecret(
        'MILLRACE_CONTROL_UNAUTHORIZED',
        'scram-sha-512',
        'debug connected to broker',
        'millrace',
      );
    });

    it.each<[string, () => KafkaConfig]>([
      ['mutual TLS with an encrypted key', () => withTls({ key: ENCRYPTED_KEY, passphrase: PASSPHRASE })],
      ['OAUTHBEARER', () => withOauth(3_600_000)],
    ])('show nowhere in an application that works by %s', async (_road, kafka) => {
      await officer.grantTo(MTLS_PRINCIPAL, ...NEEDED_PERMISSIONS.map((needed) => secured.named(needed)));
      const application = await secured.start({ logger, kafka: kafka() });
      await secured.done(1);
      show(application);
      await secured.stop();
      expectNoSecret('debug connected to broker', 'not shown');
    });

    it.each<[string, string, () => KafkaConfig]>([
      [
        'a wrong password',
        'MILLRACE_AUTHENTICATION_FAILED',
        () => ({
          ...secured.connection,
          sasl: { mechanism: 'scram-sha-512', username: 'ada', password: 'hush-wrong' },
        }),
      ],
      [
        'a wrong password by PLAIN',
        'MILLRACE_AUTHENTICATION_FAILED',
        () => ({
          ...secured.connection,
          sasl: { mechanism: 'plain', username: 'ada', password: 'hush-wrong' },
        }),
      ],
      ['a token that is over', 'MILLRACE_AUTHENTICATION_FAILED', () => withOauth(-3_600_000)],
      [
        'a wrong passphrase',
        'MILLRACE_INVALID_CONFIG',
        () => withTls({ key: ENCRYPTED_KEY, passphrase: 'hush-wrong' }),
      ],
      ['a key that is none', 'MILLRACE_INVALID_CONFIG', () => withTls({ key: 'hush-key' })],
      ['no client certificate', 'MILLRACE_TLS_FAILED', () => withTls({ cert: undefined })],
    ])('show nowhere when it fails for %s', async (_what, code, kafka) => {
      const error = await secured.failure({ logger, kafka: { ...kafka(), requestTimeout: 3_000 } });
      tell(error);
      expect(error.code).toBe(code);
      expectNoSecret(code);
    });

    it('show nowhere when the registry refuses its token, or cannot be reached', async () => {
      const registry = await startRegistry();
      for (const [host, code] of [
        [registry, 'MILLRACE_AUTHENTICATION_FAILED'],
        [`${registry}/broken`, 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE'],
        ['http://127.0.0.1:1', 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE'],
      ] as const) {
        for (const options of [
          { token: 'hush-wrong-token' },
          { token: async () => 'hush-wrong-token' },
          { auth: { username: 'hush-user', password: 'hush-registry-password' } },
        ]) {
          const serde = new SchemaRegistryClient({ host, ...options }).avro({
            schema: 'string',
            register: true,
          });
          const use = { topic: 't', part: 'value', reads: true, writes: true, kind: 'external' } as const;
          const error: unknown = await (
            serde as unknown as { prepare(uses: readonly object[]): Promise<void> }
          )
            .prepare([use])
            .catch((reason: unknown) => reason);
          tell(error);
          expect(error).toMatchObject({ code });
        }
      }
      expectNoSecret('refused to give', 'did not give');
    });

    it('show nowhere in what is said of a configuration that is wrong', async () => {
      const refusals: (() => unknown)[] = [
        () => new SchemaRegistryClient({ host: 'http://hush:hush@registry:8081' }),
        () => new SchemaRegistryClient({ host: 'hush' }),
        ...[
          { brokers: ['hush:hush@broker:9092'] },
          { brokers: ['SASL_SSL://hush:hush@broker:9092'] },
          { brokers: ['b:1'], sasl: { mechanism: 'hush', username: 'hush', password: 'hush' } },
          { brokers: ['b:1'], sasl: { mechanism: 'plain', username: 'u', password: ['hush'] } },
          {
            brokers: ['b:1'],
            sasl: { mechanism: 'oauthbearer', token: 'hush', oauthBearerProvider: 'hush' },
          },
          { brokers: ['b:1'], sasl: 'hush', ssl: 'hush' },
          { brokers: 'hush', password: 'hush' },
        ].map(
          (kafka) => () =>
            new StreamsApplication({
              applicationId: 'a',
              topology: () => secured.topology(),
              kafka: kafka as never,
            }),
        ),
      ];
      for (const refuse of refusals) {
        let error: unknown;
        try {
          refuse();
        } catch (thrown) {
          error = thrown;
        }
        tell(error);
      }
      for (const environment of [
        { MILLRACE_APPLICATION_ID: 'a', MILLRACE_KAFKA_BROKERS: 'b:1', MILLRACE_KAFKA_SASL_PASSWORD: 'hush' },
        {
          MILLRACE_APPLICATION_ID: 'a',
          MILLRACE_KAFKA_BROKERS: 'hush:hush@b:1',
          MILLRACE_KAFKA_SSL_PASSPHRASE: 'hush',
        },
        { MILLRACE_KAFKA_SASL_PASSWORT: 'hush', MILLRACE_KAFKA_SASL_PASSWORD_FILE: '/nowhere' },
      ]) {
        tell(await (async () => readConfiguration({ environment }))().catch((reason: unknown) => reason));
      }
      const served = { applications: [await secured.start()], port: 0 };
      for (const options of [
        { token: 'hush', tls: { key: 'hush', passphrase: 'hush' } },
        { tls: { cert: CLIENT_CERTIFICATE, key: 'hush-key' } },
        { tls: { cert: CLIENT_CERTIFICATE, key: ENCRYPTED_KEY, passphrase: 'hush-wrong' } },
      ]) {
        const error: unknown = await createControlServer({ ...served, ...options }).catch(
          (reason: unknown) => reason,
        );
        tell(error);
        expect(error).toMatchObject({ code: 'MILLRACE_INVALID_CONFIG' });
      }
      expectNoSecret('MILLRACE_INVALID_CONFIG');
    });

    /** Has every schema, for whoever shows the token; behind /broken it fails, and says all that it was told. */
    async function startRegistry(): Promise<string> {
      const server: Server = createServer((request, response) => {
        response.setHeader('content-type', 'application/json');
        if (request.url?.startsWith('/broken') === true) {
          response.writeHead(500).end(JSON.stringify({ error_code: 50001, message: 'it is broken' }));
        } else if (request.headers.authorization !== `Bearer ${REGISTRY_TOKEN}`) {
          response.writeHead(401).end(JSON.stringify({ error_code: 401, message: 'no' }));
        } else {
          response.end(
            JSON.stringify({
              id: 1,
              version: 1,
              schema: '{"type":"object"}',
              schemaType: 'JSON',
              is_compatible: true,
            }),
          );
        }
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      toClose.push(
        () => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
      );
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }
  },
  SECURED,
);

/** A whole answer, or the beginning of one that does not end. */
async function firstOf(answer: Response): Promise<string> {
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) return answer.text();
  const reader = answer.body!.getReader();
  let text = '';
  while (!text.includes('data:')) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  await reader.cancel();
  return text;
}
