import { describe, expect, it } from '@jest/globals';

import { parseConsoleOutput } from '../src/java-console-consumer.ts';
import { serverProperties } from '../src/server-properties.ts';
import type { BrokerPorts } from '../src/server-properties.ts';

const ports: BrokerPorts = {
  ...{
    plaintext: 1,
    controller: 2,
    proxyTarget: 3,
    proxyAdvertised: 4,
    ssl: 5,
    saslPlaintext: 6,
    saslSsl: 7,
  },
};
const keystore = { file: '/tmp/broker.p12', password: 'secret' };

function read(text: string): Map<string, string> {
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

describe('the properties of a local broker', () => {
  it('listen on loopback alone, and advertise the proxy where it will be', () => {
    const properties = read(serverProperties({}, ports, '/data', undefined));
    expect(properties.get('listeners')).toBe(
      'PLAINTEXT://127.0.0.1:1,PROXY://127.0.0.1:3,CONTROLLER://127.0.0.1:2',
    );
    expect(properties.get('advertised.listeners')).toBe('PLAINTEXT://127.0.0.1:1,PROXY://127.0.0.1:4');
    expect(properties.get('auto.create.topics.enable')).toBe('false');
    expect(properties.get('transaction.state.log.replication.factor')).toBe('1');
  });

  it('let the caller override any of them', () => {
    const properties = read(
      serverProperties({ properties: { 'node.id': 9, 'x.y': 'z' } }, ports, '/data', undefined),
    );
    expect(properties.get('node.id')).toBe('9');
    expect(properties.get('x.y')).toBe('z');
  });

  it('open TLS and SASL listeners only when asked', () => {
    const security = { tls: true, sasl: { users: [{ name: 'alice', password: 'pw' }] } };
    const properties = read(serverProperties({ security }, ports, '/data', keystore));
    expect(properties.get('listeners')).toContain('SSL://127.0.0.1:5');
    expect(properties.get('listeners')).toContain('SASL_PLAINTEXT://127.0.0.1:6');
    expect(properties.get('listeners')).toContain('SASL_SSL://127.0.0.1:7');
    expect(properties.get('listener.name.sasl_ssl.plain.sasl.jaas.config')).toContain('user_alice="pw"');
    expect(properties.get('ssl.keystore.location')).toBe('/tmp/broker.p12');
    expect(serverProperties({}, ports, '/data', undefined)).not.toMatch(/ssl|sasl/i);
  });

  it('ask clients of the TLS listener alone for a certificate, given the authority of those', () => {
    const security = { tls: { clientAuthority: 'pem' }, sasl: { users: [] } };
    const given = { ...keystore, clientAuthorityFile: '/tmp/clients.pem' };
    const properties = read(serverProperties({ security }, ports, '/data', given));
    expect(properties.get('listener.name.ssl.ssl.client.auth')).toBe('required');
    expect(properties.get('listener.name.ssl.ssl.truststore.location')).toBe('/tmp/clients.pem');
    expect(properties.get('listeners')).toContain('SSL://127.0.0.1:5');
    expect(properties.has('ssl.client.auth')).toBe(false);
    expect(properties.has('listener.name.sasl_ssl.ssl.client.auth')).toBe(false);
  });

  it('make unauthenticated clients super users under ACLs', () => {
    const security = { acls: { everyone: 'denied', superUsers: ['root'] } } as const;
    const properties = read(serverProperties({ security }, ports, '/data', undefined));
    expect(properties.get('super.users')).toBe('User:ANONYMOUS;User:root');
    expect(properties.get('allow.everyone.if.no.acl.found')).toBe('false');
  });
});

describe('the output of the console consumer', () => {
  it('is read with nulls, tabs and line breaks in keys and values', () => {
    const line = (...fields: string[]): string => `${fields.join('\u001f')}\u001e`;
    const output = Buffer.from(
      line('CreateTime:1700', 'Partition:2', 'Offset:41', 'k\tk', '{"a":\n1}') +
        line('LogAppendTime:1800', 'Partition:0', 'Offset:0', '\u001d', '\u001d') +
        line('NO_TIMESTAMP', 'Partition:0', 'Offset:1', '', 'Processed a total of'),
    );
    expect(parseConsoleOutput(output)).toEqual([
      {
        partition: 2,
        offset: 41,
        timestamp: 1700,
        timestampType: 'CreateTime',
        key: 'k\tk',
        value: '{"a":\n1}',
      },
      { partition: 0, offset: 0, timestamp: 1800, timestampType: 'LogAppendTime', key: null, value: null },
      {
        partition: 0,
        offset: 1,
        timestamp: -1,
        timestampType: 'NO_TIMESTAMP',
        key: '',
        value: 'Processed a total of',
      },
    ]);
  });
});
