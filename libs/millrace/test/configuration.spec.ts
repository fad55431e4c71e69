// Specifies configuration from variables and a file: what wins over what, what is refused, and that no secret is ever told.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  configurationVariables,
  readConfiguration,
} from '#libs/millrace';
import type { MillraceError } from '#libs/millrace';
import { resolveRuntimeConfig } from '#libs/runtime';
import { OF_THE_PROGRAM, SETTINGS } from '../src/configuration/settings.ts';

const BASE = { MILLRACE_APPLICATION_ID: 'orders', MILLRACE_KAFKA_BROKERS: 'a:9092, b:9092' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-configuration-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, contents: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof contents === 'string' ? contents : JSON.stringify(contents));
  return path;
}

function refused(options: Parameters<typeof readConfiguration>[0]): {
  faults: string[];
  error: MillraceError;
} {
  try {
    readConfiguration(options);
  } catch (error) {
    const { context } = error as MillraceError;
    return { faults: context['faults'] as string[], error: error as MillraceError };
  }
  throw new Error('nothing was refused');
}

describe('variables', () => {
  it('say whether and where there is a control server, whose token is shown nowhere', () => {
    const { control, ...options } = readConfiguration({
      environment: {
        ...BASE,
        MILLRACE_CONTROL: 'true',
        MILLRACE_CONTROL_PORT: '9000',
        MILLRACE_CONTROL_TOKEN_FILE: file('token', 'a-token-of-some-length\n'),
        MILLRACE_CONTROL_ALLOW_ACTIONS: 'true',
        MILLRACE_CONTROL_HOST_NAMES: 'one, two',
      },
    });
    expect(control).toEqual({
      port: 9_000,
      token: 'a-token-of-some-length',
      allowActions: true,
      hostNames: ['one', 'two'],
    });
    expect(inspect(control) + JSON.stringify(control)).not.toContain('a-token');
    expect(() => new StreamsApplication({ ...options, topology: new StreamsBuilder() })).not.toThrow();
    expect(readConfiguration({ environment: { ...BASE, MILLRACE_CONTROL: 'true' } }).control).toBe(true);
    expect(readConfiguration({ environment: BASE })).not.toHaveProperty('control');
  });

  it('switch a control server on that the defaults describe, or off', () => {
    const defaults = { control: { port: 9_000 } };
    const withControl = (value: string): unknown =>
      readConfiguration({ environment: { ...BASE, MILLRACE_CONTROL: value }, defaults }).control;
    expect(withControl('true')).toEqual({ port: 9_000 });
    expect(withControl('false')).toBe(false);
    const environment = { ...BASE, MILLRACE_CONTROL: 'false', MILLRACE_CONTROL_PORT: '9000' };
    expect(refused({ environment }).faults).toEqual(['MILLRACE_CONTROL: contradicts MILLRACE_CONTROL_PORT']);
  });

  it('set options of all kinds', () => {
    const environment = {
      ...BASE,
      MILLRACE_COMMIT_INTERVAL_MS: '250',
      MILLRACE_REPLICATION_FACTOR: '-1',
      MILLRACE_STATE: 'memory',
      MILLRACE_KAFKA_SSL: 'true',
      MILLRACE_KAFKA_RETRY_MAX_RETRY_TIME: '2000',
      MILLRACE_RACK: '',
      UNRELATED: 'x',
    };
    expect(readConfiguration({ environment })).toEqual({
      applicationId: 'orders',
      commitIntervalMs: 250,
      replicationFactor: -1,
      state: 'memory',
      kafka: { brokers: ['a:9092', 'b:9092'], ssl: true, retry: { maxRetryTime: 2_000 } },
    });
  });

  it('make options that an application takes', () => {
    const configuration = readConfiguration({ environment: BASE });
    const builder = new StreamsBuilder();
    expect(new StreamsApplication({ ...configuration, topology: builder }).applicationId).toBe('orders');
  });

  it('win over the file, which wins over the program', () => {
    const path = file('millrace.json', { stateDir: '/file', rack: 'file', kafka: { clientId: 'file' } });
    const { stateDir, rack, until, kafka } = readConfiguration({
      environment: { ...BASE, MILLRACE_STATE_DIR: '/variable', MILLRACE_CONFIG_FILE: path },
      defaults: {
        stateDir: '/program',
        rack: 'program',
        until: 'latest',
        kafka: { brokers: ['c:1'], ssl: true },
      },
    });
    expect({ stateDir, rack, until, kafka }).toEqual({
      stateDir: '/variable',
      rack: 'file',
      until: 'latest',
      kafka: { brokers: ['a:9092', 'b:9092'], clientId: 'file', ssl: true },
    });
  });

  it('have a prefix of their own for each application of a process', () => {
    const environment = {
      ...BASE,
      MILLRACE_BILLING_APPLICATION_ID: 'billing',
      MILLRACE_BILLING_KAFKA_BROKERS: 'c:1',
    };
    const ids = [
      readConfiguration({ environment, ignore: ['MILLRACE_BILLING_'] }),
      readConfiguration({ environment, prefix: 'MILLRACE_BILLING_' }),
    ].map(({ applicationId }) => applicationId);
    expect(ids).toEqual(['orders', 'billing']);
  });

  it('leave a simulated cluster alone, and put brokers in its place', () => {
    const kafka = new SimulatedKafka();
    const id = { MILLRACE_APPLICATION_ID: 'orders' };
    expect(readConfiguration({ environment: id, defaults: { kafka } }).kafka).toBe(kafka);
    expect(readConfiguration({ environment: BASE, defaults: { kafka } }).kafka).toEqual({
      brokers: ['a:9092', 'b:9092'],
    });
  });

  it('that Kubernetes sets for a service are no faults', () => {
    const links = {
      MILLRACE_SERVICE_HOST: '10.0.0.1',
      MILLRACE_SERVICE_PORT_HTTP: '80',
      MILLRACE_PORT: 'tcp://10.0.0.1:80',
      MILLRACE_PORT_80_TCP_ADDR: '10.0.0.1',
    };
    expect(readConfiguration({ environment: { ...BASE, ...links } }).applicationId).toBe('orders');
  });
});

describe('files that variables name', () => {
  it('hold certificates and secrets', () => {
    const [ca, password] = [file('ca.pem', 'PEM\n'), file('password', 'hunter2\n')];
    const { kafka } = readConfiguration({
      environment: {
        ...BASE,
        MILLRACE_KAFKA_SSL_CA_FILE: ca,
        MILLRACE_KAFKA_SASL_MECHANISM: 'scram-sha-512',
        MILLRACE_KAFKA_SASL_USERNAME: 'ann',
        MILLRACE_KAFKA_SASL_PASSWORD_FILE: password,
      },
    });
    expect(kafka).toMatchObject({
      ssl: { ca: 'PEM\n' },
      sasl: { mechanism: 'scram-sha-512', username: 'ann', password: 'hunter2' },
    });
  });

  it('are faults where they cannot be read, or contradict', () => {
    const { faults } = refused({
      environment: {
        ...BASE,
        MILLRACE_KAFKA_SSL: 'false',
        MILLRACE_KAFKA_SSL_SERVERNAME: 'kafka',
        MILLRACE_KAFKA_SASL_MECHANISM: 'plain',
        MILLRACE_KAFKA_SASL_USERNAME: 'ann',
        MILLRACE_KAFKA_SASL_PASSWORD_FILE: join(folder, 'none'),
      },
    });
    expect(faults).toEqual([
      expect.stringMatching(
        /^MILLRACE_KAFKA_SASL_PASSWORD_FILE: the file ".*none" cannot be read \(ENOENT\)$/,
      ),
      'MILLRACE_KAFKA_SSL: contradicts MILLRACE_KAFKA_SSL_SERVERNAME',
    ]);
  });
});

describe('faults', () => {
  it('are all told at once, each by its variable or its file and path', () => {
    const path = file('millrace.json', {
      cacheBytesMax: 'much',
      kafka: {
        ssl: 'yes',
        sasl: { mechanism: 'plain', username: 'ann', oauthBearerProvider: 1 },
        brokrs: [],
      },
      exceptionHandlers: {},
      heartbeatIntervalMs: 40_000,
      ['__proto__x']: 1,
    });
    const environment = {
      MILLRACE_APPLICATION_ID: 'no spaces',
      MILLRACE_COMIT_INTERVAL_MS: '1',
      MILLRACE_COMMIT_INTERVAL_MS: 'soon',
      MILLRACE_KAFKA_BROKERS: 'a:b:c',
      MILLRACE_STATE: 'paper',
      MILLRACE_TRANSACTION_TIMEOUT_MS: '-5',
    };
    const { faults, error } = refused({ environment, file: path });
    const beginnings = [
      `${path}: cacheBytesMax: must be a whole number`,
      `${path}: kafka.ssl: must be true or false`,
      `${path}: kafka.sasl.oauthBearerProvider: is given by the program`,
      `${path}: kafka.brokrs: no such option; is kafka.brokers meant?`,
      `${path}: exceptionHandlers: is given by the program`,
      `${path}: __proto__x: no such option`,
      'MILLRACE_COMIT_INTERVAL_MS: no such variable; is MILLRACE_COMMIT_INTERVAL_MS meant?',
      'MILLRACE_COMMIT_INTERVAL_MS: must be a whole number, is "soon"',
      'MILLRACE_STATE: must be one of rocksdb, memory, is "paper"',
      'MILLRACE_KAFKA_BROKERS[0]: must be "host:port"',
      `MILLRACE_KAFKA_SASL_PASSWORD, or kafka.sasl.password in ${path}: must be a non-empty string`,
      'MILLRACE_APPLICATION_ID must be 1 to 200 characters',
      'MILLRACE_TRANSACTION_TIMEOUT_MS must be a positive number',
      `${path}: heartbeatIntervalMs (40000) must be at most a third of sessionTimeoutMs`,
    ];
    for (const beginning of beginnings) {
      expect(faults.filter((fault) => fault.startsWith(beginning))).toHaveLength(1);
    }
    for (const fault of faults) expect(error.message).toContain(`\n  - ${fault}`);
    expect(faults.filter((fault) => /COMMIT_INTERVAL_MS/.test(fault))).toHaveLength(2);
  });

  it('of what is missing name the variable', () => {
    const { faults } = refused({ environment: {} });
    expect(faults).toEqual([
      'MILLRACE_KAFKA_BROKERS: must list at least one "host:port"',
      expect.stringMatching(/^MILLRACE_APPLICATION_ID must be/),
    ]);
  });

  it.each([
    ['not there', () => join(folder, 'none.json'), /cannot be read \(ENOENT\)/],
    ['no JSON', () => file('bad.json', '{ "applicationId": "x",, }'), /bad\.json: is not JSON \(.*\d+/],
    ['no object', () => file('list.json', '[]'), /must be an object of options/],
    ['too large', () => file('large.json', ' '.repeat(2 ** 20 + 1)), /is larger than 1048576 bytes/],
    ['an object where a list is to be', () => file('odd.json', { kafka: [] }), /kafka: must be an object/],
  ])('of a file that is %s', (_what, path, message) => {
    expect(refused({ environment: BASE, file: path() }).faults.join('\n')).toMatch(message);
  });

  it('of untrusted JSON do not reach a prototype', () => {
    const path = file(
      'proto.json',
      '{ "__proto__": { "state": "memory" }, "kafka": { "__proto__": { "ssl": true } } }',
    );
    const { faults } = refused({ environment: BASE, file: path });
    expect(faults).toEqual([
      expect.stringContaining('__proto__: no such option'),
      expect.stringContaining('kafka.__proto__: no such option'),
    ]);
    expect(({} as { state?: string }).state).toBeUndefined();
  });
});

describe('secrets', () => {
  const SECRET = 'hunter2-hunter2';

  it('are in no error, whatever is wrong', () => {
    const bad = file('bad.json', `{ "kafka": { "sasl": { "password": ${SECRET} } } }`);
    const environments = [
      { MILLRACE_KAFKA_SASL_PASSWORD: SECRET },
      { ...BASE, MILLRACE_KAFKA_SASL_PASSWORD: SECRET, MILLRACE_KAFKA_SASL_MECHANISM: 'nonsense' },
      { ...BASE, MILLRACE_KAFKA_SASL_PASSWORD: SECRET, MILLRACE_KAFKA_SASL_USERNAME: 'ann' },
      { ...BASE, MILLRACE_CONFIG_FILE: bad },
      { ...BASE, MILLRACE_KAFKA_SASL_PASSWORD: SECRET, MILLRACE_KAFKA_SASL_PASSWORD_FILE: bad },
    ];
    for (const environment of environments) {
      const { error } = refused({ environment });
      expect(inspect(error, { depth: 10 })).not.toContain(SECRET);
    }
  });

  it('are not printed with the configuration, and are there for who asks', () => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const { kafka } = readConfiguration({
      environment: {
        ...BASE,
        MILLRACE_KAFKA_SASL_MECHANISM: 'plain',
        MILLRACE_KAFKA_SASL_USERNAME: 'ann',
        MILLRACE_KAFKA_SASL_PASSWORD: SECRET,
      },
      defaults: { kafka: { brokers: ['a:1'], ssl: { key, passphrase: SECRET } } },
    });
    expect(inspect({ kafka }, { depth: 10 })).not.toContain(SECRET);
    expect(inspect({ kafka }, { depth: 10 })).not.toContain('PRIVATE KEY');
    expect(inspect({ kafka }, { depth: 10 })).toContain('ann');
    expect(JSON.stringify(kafka)).not.toContain(SECRET);
    expect(kafka).toMatchObject({ sasl: { password: SECRET }, ssl: { key, passphrase: SECRET } });
    expect(structuredClone(kafka)).toMatchObject({ sasl: { password: SECRET } });
  });
});

describe('the table of settings', () => {
  it('has every option of the runtime, or says that the program gives it', () => {
    const runtime = Object.keys(resolveRuntimeConfig({ applicationId: 'a', instanceId: 'b' }));
    const missing = runtime.filter((option) => !SETTINGS.has(option) && !OF_THE_PROGRAM.includes(option));
    // A new option belongs into libs/millrace/src/configuration/settings.ts.
    expect(missing).toEqual([]);
  });

  it('gives every setting a variable of its own', () => {
    const variables = configurationVariables().map(({ variable }) => variable);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toContain('MILLRACE_KAFKA_SASL_PASSWORD_FILE');
  });
});
