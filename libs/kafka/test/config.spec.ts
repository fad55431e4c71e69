import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '#libs/core';
import { parseKafkaConfig, type KafkaConfig } from '../src/config.ts';
import { parseBrokerAddress } from '../src/connection/address.ts';

function faultsOf(config: unknown): readonly string[] {
  try {
    parseKafkaConfig(config as KafkaConfig);
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).code).toBe('MILLRACE_INVALID_CONFIG');
    return (error as MillraceError).context['faults'] as readonly string[];
  }
  return [];
}

describe('the Kafka configuration', () => {
  it('needs nothing but brokers', async () => {
    const settings = parseKafkaConfig({ brokers: ['a:1', 'b'] });
    expect(await settings.bootstrap()).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 9092 },
    ]);
    expect(settings).toMatchObject({ clientId: 'millrace', tls: null, sasl: null, requestTimeoutMs: 30_000 });
  });

  it('lists every fault at once, each with its path', () => {
    const faults = faultsOf({
      clientId: 7,
      brokers: ['kafka://a:1', 'a:99999'],
      ssl: 'yes',
      sasl: { mechanism: 'plain', username: '', password: 3 },
      requestTimeout: -1,
      retry: { initialRetryTime: 10, maxRetryTime: 5, retries: 3 },
      logLevel: 4,
      borkers: [],
    });
    const paths = faults.map((fault) => fault.split(':')[0]);
    expect(paths.sort()).toEqual([
      'kafka.borkers',
      'kafka.brokers[0]',
      'kafka.brokers[1]',
      'kafka.clientId',
      'kafka.logLevel',
      'kafka.requestTimeout',
      'kafka.retry.initialRetryTime',
      'kafka.retry.retries',
      'kafka.sasl.password',
      'kafka.sasl.username',
      'kafka.ssl',
    ]);
  });

  it.each([
    ['nothing', undefined],
    ['an empty list of brokers', { brokers: [] }],
    ['an unknown mechanism', { brokers: ['a:1'], sasl: { mechanism: 'gssapi' } }],
    [
      'credentials beside a token provider',
      {
        brokers: ['a:1'],
        sasl: { mechanism: 'oauthbearer', oauthBearerProvider: () => null, password: 'x' },
      },
    ],
  ])('refuses %s', (_what, config) => {
    expect(faultsOf(config)).toHaveLength(1);
  });

  it('takes no name or password that would be two fields of PLAIN', () => {
    const faults = faultsOf({
      brokers: ['a:1'],
      sasl: { mechanism: 'plain', username: 'ada\0root', password: 'p\0q' },
    });
    expect(faults).toEqual([
      'kafka.sasl.username: must not contain the character NUL',
      'kafka.sasl.password: must not contain the character NUL',
    ]);
  });

  it('never repeats a secret', () => {
    const faults = faultsOf({
      brokers: [],
      sasl: { mechanism: 'plain', username: '', password: 'hunter2', oauthBearerProvider: 'hunter3' },
    });
    expect(faults.join()).not.toContain('hunter');
  });

  it("takes KafkaJS's spelling of mechanisms in any case", () => {
    const settings = parseKafkaConfig({
      brokers: ['a:1'],
      sasl: { mechanism: 'SCRAM-SHA-256' as 'scram-sha-256', username: 'u', password: 'p' },
    });
    expect(settings.sasl?.mechanism).toBe('scram-sha-256');
  });
});

describe('broker addresses', () => {
  it.each([
    ['kafka.example:9093', { host: 'kafka.example', port: 9093 }],
    ['[::1]:9093', { host: '::1', port: 9093 }],
    ['[fe80::1]', { host: 'fe80::1', port: 9092 }],
    ['10.0.0.1', { host: '10.0.0.1', port: 9092 }],
    ['SASL_SSL://a:1', null],
    ['a:0', null],
    ['a:1:2', null],
    ['', null],
  ])('reads %s', (text, expected) => {
    expect(parseBrokerAddress(text)).toEqual(expected);
  });
});
