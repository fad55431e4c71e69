// Specifies how a configuration is refused: everything that is wrong, at once, by path.
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  MillraceError,
  Serdes,
  StreamsApplication,
  StreamsBuilder,
  silentLogger,
} from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder.stream<string, string>('in', Consumed.with(Serdes.string(), Serdes.string())).to('out');
  return builder;
}

const VALID: StreamsApplicationOptions = {
  applicationId: 'orders',
  kafka: { brokers: ['localhost:9092'] },
  topology: topology(),
  logger: silentLogger,
};

function faultsOf(options: unknown): readonly string[] {
  try {
    new StreamsApplication(options as StreamsApplicationOptions);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    expect(error.code).toBe('MILLRACE_INVALID_CONFIG');
    expect(error.remedy).toBeDefined();
    return error.context['faults'] as string[];
  }
  return [];
}

describe('the options of an application', () => {
  it('are accepted with only what must be given', () => {
    expect(faultsOf(VALID)).toEqual([]);
  });

  it('take an explicit undefined for the default', () => {
    expect(faultsOf({ ...VALID, commitIntervalMs: undefined, stateDir: undefined })).toEqual([]);
  });

  it('are refused with every fault at once, whichever part finds it', () => {
    const faults = faultsOf({
      applicationId: 'no spaces allowed',
      kafka: { brokers: [], sasl: { mechanism: 'kerberos' } },
      topology: 42,
      commitIntervalMs: -1,
      state: 'redis',
      stateDir: '',
      comitInterval: 5,
      exceptionHandlers: { processing: 'fail', procesing: () => 'fail' },
    });
    const named = [
      'applicationId',
      'kafka.brokers',
      'kafka.sasl.mechanism',
      'topology',
      'commitIntervalMs',
      'state:',
      'stateDir',
      'comitInterval: no such option',
      'exceptionHandlers.processing',
      'exceptionHandlers.procesing',
    ];
    for (const name of named) {
      expect(faults.filter((fault) => fault.startsWith(name))).not.toHaveLength(0);
    }
    expect(faults).toHaveLength(new Set(faults).size);
  });

  it.each([
    [
      'a transaction that times out before its epoch is committed',
      { commitIntervalMs: 30_000, transactionTimeoutMs: 60_000 },
      'transactionTimeoutMs',
    ],
    ['heartbeats slower than the session', { heartbeatIntervalMs: 30_000 }, 'heartbeatIntervalMs'],
    [
      'a state folder where nothing is kept',
      { state: 'memory', stateDir: '/tmp/x', instanceId: 'a' },
      'stateDir',
    ],
    [
      'a user name under OAuth',
      {
        kafka: {
          brokers: ['a:1'],
          sasl: { mechanism: 'oauthbearer', username: 'u', oauthBearerProvider: () => null },
        },
      },
      'kafka.sasl.username',
    ],
  ])('are refused when they contradict: %s', (_name, options, path) => {
    expect(faultsOf({ ...VALID, ...options })).toEqual([expect.stringContaining(path)]);
  });

  it('are refused when there are none', () => {
    expect(faultsOf(undefined)).not.toHaveLength(0);
    expect(faultsOf({})).toEqual(
      expect.arrayContaining([
        expect.stringContaining('applicationId'),
        expect.stringContaining('kafka'),
        expect.stringContaining('topology'),
      ]),
    );
  });

  it('never show a secret', () => {
    const kafka = { brokers: 'x', sasl: { mechanism: 'plain', username: '', password: 'hunter2' } };
    expect(JSON.stringify(faultsOf({ ...VALID, kafka }))).not.toContain('hunter2');
  });
});

describe('an application that was never started', () => {
  it('describes its topology', () => {
    expect(new StreamsApplication(VALID).describe()).toContain('Sub-topology: 0');
  });

  it('stops at once and cannot be started afterwards', async () => {
    const application = new StreamsApplication(VALID);
    await application.stop();
    expect(application.state).toBe('NOT_RUNNING');
    await application.whenEnded();
    await expect(application.start()).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });

  it('asks a function for the topology only when it is needed', () => {
    let asked = 0;
    const application = new StreamsApplication({
      ...VALID,
      topology: () => {
        asked++;
        return topology();
      },
    });
    expect(asked).toBe(0);
    application.describe();
    application.describe();
    expect(asked).toBe(1);
  });

  it('goes to ERROR with the topology’s faults when it is started', async () => {
    const application = new StreamsApplication({
      ...VALID,
      topology: () => {
        const builder = new StreamsBuilder();
        builder.stream<string, string>('', Consumed.with(Serdes.string(), Serdes.string()));
        return builder;
      },
    });
    await expect(application.start()).rejects.toMatchObject({ code: 'MILLRACE_INVALID_TOPOLOGY' });
    expect(application.state).toBe('ERROR');
    expect(application.snapshot().error?.code).toBe('MILLRACE_INVALID_TOPOLOGY');
    await expect(application.whenEnded()).rejects.toBe(application.error);
  });
});

describe('an application whose brokers do not answer', () => {
  it('stops at once when it is told to, and has not failed', async () => {
    const application = new StreamsApplication({
      ...VALID,
      kafka: { brokers: ['127.0.0.1:1'] },
      state: 'memory',
      instanceId: 'one',
    });
    const starting = application.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await application.stop();
    await starting;
    expect(application.state).toBe('NOT_RUNNING');
    expect(application.error).toBeNull();
  });
});
