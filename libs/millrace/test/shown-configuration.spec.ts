// Specifies that a configuration is shown without anything that is nobody's business, wherever somebody may have put it.
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  NOT_SHOWN,
  Serdes,
  StreamsApplication,
  StreamsBuilder,
  silentLogger,
} from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';

const CANARY = 'canary-7f3a9';

function application(options: Partial<StreamsApplicationOptions> = {}): StreamsApplication {
  const builder = new StreamsBuilder();
  builder.stream<string, string>('in', Consumed.with(Serdes.string(), Serdes.string())).to('out');
  return new StreamsApplication({
    applicationId: 'orders',
    kafka: { brokers: ['broker-1:9092'] },
    topology: builder,
    logger: silentLogger,
    ...options,
  });
}

function shown(options: Partial<StreamsApplicationOptions>): Record<string, unknown> {
  return application(options).configuration();
}

describe('configuration()', () => {
  it('shows options with their defaults', () => {
    expect(shown({ commitIntervalMs: 250, numStandbys: 1, rack: 'eu-1a' })).toMatchObject({
      applicationId: 'orders',
      instanceId: null,
      processingGuarantee: 'exactly_once',
      commitIntervalMs: 250,
      numStandbys: 1,
      sessionTimeoutMs: 45_000,
      rack: 'eu-1a',
      state: 'rocksdb',
      exceptionHandlers: { deserialization: '(function)' },
      kafka: { brokers: ['broker-1:9092'], clientId: null, ssl: false, sasl: null },
    });
  });

  it('is JSON-safe', () => {
    const configuration = shown({ onWorkerFailure: () => 'replace' });
    expect(JSON.parse(JSON.stringify(configuration))).toEqual(configuration);
    expect(configuration['onWorkerFailure']).toBe('(function)');
  });

  it.each<[string, Partial<StreamsApplicationOptions>]>([
    [
      'a password',
      { kafka: { brokers: ['b:1'], sasl: { mechanism: 'plain', username: CANARY, password: CANARY } } },
    ],
    [
      'a token',
      {
        kafka: {
          brokers: ['b:1'],
          sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: CANARY }) },
        },
      },
    ],
    [
      'passphrases of TLS',
      {
        kafka: {
          brokers: ['b:1'],
          ssl: { passphrase: CANARY, servername: CANARY },
        },
      },
    ],
    ['what is no plain name in a client id', { kafka: { brokers: ['b:1'], clientId: `x?token=${CANARY}` } }],
    ['what a function would find', { kafka: { brokers: () => [CANARY] } }],
    [
      'a name of a handler',
      { exceptionHandlers: { processing: Object.assign(() => 'fail' as const, { [CANARY]: 1 }) } },
    ],
  ])('does not show %s', (_what, options) => {
    const text = JSON.stringify(shown(options));
    expect(text).not.toContain(CANARY);
    expect(text).toContain('"applicationId":"orders"');
  });

  it('does not show options that nobody has looked at', () => {
    const target = application();
    const inside = target as unknown as {
      resolved: { runtime: Record<string, unknown>; kafka: Record<string, unknown> };
    };
    inside.resolved.runtime = { ...inside.resolved.runtime, rack: `user:${CANARY}@eu` };
    inside.resolved.kafka = {
      ...inside.resolved.kafka,
      brokers: [`user:${CANARY}@broker:9092`, 'good:9092'],
      apiKey: CANARY,
      ssl: { key: CANARY, cert: CANARY, ca: [CANARY], passphrase: CANARY, pfx: Buffer.from(CANARY) },
      sasl: { mechanism: `aws-${CANARY}`, secretAccessKey: CANARY },
    };
    const configuration = target.configuration();
    expect(JSON.stringify(configuration)).not.toContain(CANARY);
    expect(configuration['rack']).toBe(NOT_SHOWN);
    expect(configuration['kafka']).toMatchObject({
      brokers: [NOT_SHOWN, 'good:9092'],
      sasl: { mechanism: NOT_SHOWN },
    });
  });

  it('says of secrets that they are set', () => {
    const sasl = { mechanism: 'scram-sha-512', username: 'u', password: 'p' } as const;
    expect(shown({ kafka: { brokers: ['b:1'], ssl: { ca: 'x' }, sasl } })['kafka']).toMatchObject({
      ssl: NOT_SHOWN,
      sasl: { mechanism: 'scram-sha-512' },
    });
  });
});
