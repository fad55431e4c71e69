import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RpcFailure, type HeartbeatRequest, type RpcPort } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc, type SaslConfig } from '../src/index.ts';
import { ScramClient } from '../src/sasl/scram.ts';
import { Reader } from '../src/wire/reader.ts';
import { goldenHex } from './golden.ts';
import { bodyOf, ScriptedBroker, type ReceivedRequest } from './scripted-broker.ts';

const HEARTBEAT: HeartbeatRequest = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
const PASSWORD = 'correct-horse-battery';
const PLAIN: SaslConfig = { mechanism: 'plain', username: 'ada', password: PASSWORD };

const handshakeAnswer = (errorCode: number): Buffer => {
  const name = Buffer.from('PLAIN');
  const body = Buffer.alloc(8 + name.length);
  body.writeInt16BE(errorCode, 0);
  body.writeInt32BE(1, 2);
  body.writeInt16BE(name.length, 6);
  name.copy(body, 8);
  return body;
};

const authenticateAnswer = (errorCode: number, message: string | null, bytes = '', lifetimeMs = 0): Buffer =>
  bodyOf((writer) =>
    writer.int16(errorCode).nullableString(message).bytes(Buffer.from(bytes)).int64(lifetimeMs).noTags(),
  );

const authBytes = (request: ReceivedRequest): string => new Reader(request.body).bytes().toString('utf8');

describe('ScramClient', () => {
  it('speaks the example of RFC 7677', async () => {
    const client = new ScramClient('scram-sha-256', 'user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    expect(client.first().toString()).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const final = await client.final(
      Buffer.from('r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'),
    );
    expect(final.toString()).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    client.verify(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
  });

  it('refuses a server that does not prove that it knows the password', async () => {
    const client = new ScramClient('scram-sha-256', 'user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    await client.final(Buffer.from('r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'));
    expect(() => client.verify(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))).toThrow(
      'prove',
    );
    expect(() => client.verify(Buffer.from('v='))).toThrow('prove');
    expect(() => client.verify(Buffer.from('e=other-error'))).toThrow('other-error');
  });

  it.each([
    ['a nonce that is not ours', 'r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['no nonce of its own', 'r=mine,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['no salt', 'r=minex,i=4096'],
    ['too few iterations', 'r=minex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1'],
    ['iterations that would block this machine', 'r=minex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999'],
    ['nothing', ''],
  ])('refuses a server that sends %s', async (_what, text) => {
    await expect(new ScramClient('scram-sha-512', 'u', 'p', 'mine').final(Buffer.from(text))).rejects.toThrow(
      'server',
    );
  });

  it('escapes every comma and equals sign of the name', () => {
    expect(new ScramClient('scram-sha-256', 'a,b,c=d', 'p', 'n').first().toString()).toBe(
      'n,,n=a=2Cb=2Cc=3Dd,r=n',
    );
  });
});

describe('authentication', () => {
  let broker: ScriptedBroker;
  let rpc: RpcPort | undefined;

  beforeEach(async () => {
    broker = await ScriptedBroker.start();
    broker.on('SaslHandshake', (request) => request.reply(handshakeAnswer(0)));
    broker.on('Heartbeat', (request) => request.reply(goldenHex('HeartbeatResponse', 4)));
  });

  afterEach(async () => {
    await rpc?.close();
    await broker.stop();
  });

  function connect(sasl: SaslConfig): RpcPort {
    rpc = createKafkaRpc({ brokers: [broker.address], sasl }, { clock: systemClock, logger: silentLogger });
    rpc.learnNodes([{ nodeId: 1, host: '127.0.0.1', port: broker.port }]);
    return rpc;
  }

  it('comes before the first call', async () => {
    broker.on('SaslAuthenticate', (request) => request.reply(authenticateAnswer(0, null)));
    await connect(PLAIN).call(1, 'Heartbeat', HEARTBEAT);
    expect(broker.requests.map(({ api }) => api)).toEqual([
      'ApiVersions',
      'SaslHandshake',
      'SaslAuthenticate',
      'Heartbeat',
    ]);
    expect(authBytes(broker.requests[2]!)).toBe(`\0ada\0${PASSWORD}`);
  });

  it('that is refused is final, is not tried again for each call, and never shows the password', async () => {
    broker.on('SaslAuthenticate', (request) =>
      request.reply(authenticateAnswer(58, 'Authentication failed: Invalid username or password')),
    );
    const client = connect(PLAIN);
    const failures = await Promise.all(
      [1, 2, 3].map(() => client.call(1, 'Heartbeat', HEARTBEAT).catch((error: unknown) => error)),
    );
    const later = await client.call(1, 'Heartbeat', HEARTBEAT).catch((error: unknown) => error);
    for (const failure of [...failures, later]) {
      expect(failure).toMatchObject({ code: 'MILLRACE_AUTHENTICATION_FAILED' });
      expect((failure as Error).message).toContain('Invalid username or password');
      expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain(PASSWORD);
    }
    expect(broker.connections).toBe(1);
  });

  it('says which mechanisms the broker offers, or that the listener uses none', async () => {
    broker.on('SaslHandshake', (request) => request.reply(handshakeAnswer(33)));
    await expect(
      connect({ ...PLAIN, mechanism: 'scram-sha-256' }).call(1, 'Heartbeat', HEARTBEAT),
    ).rejects.toThrow('it offers PLAIN');
    await rpc!.close();
    broker.on('SaslHandshake', (request) => request.reply(handshakeAnswer(34)));
    await expect(connect(PLAIN).call(1, 'Heartbeat', HEARTBEAT)).rejects.toThrow('does not use SASL');
  });

  it('sends a bearer token with its extensions', async () => {
    broker.on('SaslAuthenticate', (request) => request.reply(authenticateAnswer(0, null)));
    await connect({
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: 'token', extensions: { logicalCluster: 'lkc-1' } }),
    }).call(1, 'Heartbeat', HEARTBEAT);
    expect(authBytes(broker.requests[2]!)).toBe('n,,\x01auth=Bearer token\x01logicalCluster=lkc-1\x01\x01');
  });

  it('answers the challenge by which a token is refused, to be told why', async () => {
    let step = 0;
    broker.on('SaslAuthenticate', (request) => {
      step += 1;
      request.reply(
        step === 1
          ? authenticateAnswer(0, null, '{"status":"invalid_token"}')
          : authenticateAnswer(58, 'expired'),
      );
    });
    const call = connect({
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: 'token' }),
    }).call(1, 'Heartbeat', HEARTBEAT);
    await expect(call).rejects.toMatchObject({ code: 'MILLRACE_AUTHENTICATION_FAILED' });
    await expect(call).rejects.toThrow('expired');
    expect(authBytes(broker.requests[3]!)).toBe('\x01');
  });

  it('whose token provider fails is worth another try', async () => {
    broker.on('SaslAuthenticate', (request) => request.reply(authenticateAnswer(0, null)));
    let asked = 0;
    const client = connect({
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => {
        asked += 1;
        if (asked === 1) throw new Error('identity provider is down');
        return { value: 'token' };
      },
    });
    const failure = (await client
      .call(1, 'Heartbeat', HEARTBEAT)
      .catch((error: unknown) => error)) as RpcFailure;
    expect(failure).toBeInstanceOf(RpcFailure);
    expect(failure.kind).toBe('not-sent');
    expect((failure.cause as Error).message).toContain('identity provider is down');
    expect(await client.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
  });

  it.each([
    ['a token with a separator in it', { value: 'marked\x01auth=Bearer other' }],
    ['an extension that is a token', { value: 't', extensions: { auth: 'marked' } }],
    ['an extension with a separator in its value', { value: 't', extensions: { a: 'marked\x01auth=x' } }],
  ])('sends nothing that was given as %s, nor shows it', async (_what, token) => {
    const client = connect({ mechanism: 'oauthbearer', oauthBearerProvider: async () => token });
    const failure = (await client
      .call(1, 'Heartbeat', HEARTBEAT)
      .catch((error: unknown) => error)) as RpcFailure;
    expect((failure.cause as Error).message).toContain('oauthBearerProvider answered');
    expect(String(failure.stack) + String((failure.cause as Error).stack)).not.toContain('marked');
    expect(broker.requests.map(({ api }) => api)).not.toContain('SaslAuthenticate');
  });

  it('is renewed on the same connection before the session ends, holding calls back meanwhile', async () => {
    const held: ReceivedRequest[] = [];
    broker.on('SaslAuthenticate', (request) => {
      if (broker.requests.filter(({ api }) => api === 'SaslAuthenticate').length === 1) {
        request.reply(authenticateAnswer(0, null, '', 40));
      } else {
        held.push(request);
      }
    });
    const client = connect(PLAIN);
    await client.call(1, 'Heartbeat', HEARTBEAT);
    await broker.received('SaslAuthenticate', 2);
    const call = client.call(1, 'Heartbeat', HEARTBEAT);
    expect(broker.requests.filter(({ api }) => api === 'Heartbeat')).toHaveLength(1);
    held[0]!.reply(authenticateAnswer(0, null, '', 0));
    expect(await call).toEqual({ errorCode: 27 });
    expect(broker.connections).toBe(1);
  });

  it('is renewed only once the calls under way are answered, for a broker answers in order', async () => {
    broker.on('Heartbeat', () => undefined);
    broker.on('SaslAuthenticate', (request) => {
      const first = broker.requests.filter(({ api }) => api === 'SaslAuthenticate').length === 1;
      request.reply(authenticateAnswer(0, null, '', first ? 10 : 0));
    });
    const client = connect(PLAIN);
    const call = client.call(1, 'Heartbeat', HEARTBEAT);
    const [heartbeat] = await broker.received('Heartbeat');
    await new Promise((resolve) => systemClock.schedule(40, () => resolve(undefined)));
    expect(broker.requests.filter(({ api }) => api === 'SaslHandshake')).toHaveLength(1);
    heartbeat!.reply(goldenHex('HeartbeatResponse', 4));
    await call;
    await broker.received('SaslAuthenticate', 2);
    expect(broker.connections).toBe(1);
  });

  it('whose renewal is refused ends the connection and fails later calls for good', async () => {
    broker.on('SaslAuthenticate', (request) => {
      const first = broker.requests.filter(({ api }) => api === 'SaslAuthenticate').length === 1;
      request.reply(first ? authenticateAnswer(0, null, '', 10) : authenticateAnswer(58, 'user was removed'));
    });
    const client = connect(PLAIN);
    await client.call(1, 'Heartbeat', HEARTBEAT);
    await broker.received('SaslAuthenticate', 2);
    await expect(client.call(1, 'Heartbeat', HEARTBEAT)).rejects.toMatchObject({
      code: 'MILLRACE_AUTHENTICATION_FAILED',
    });
    expect(broker.connections).toBe(1);
  });
});
