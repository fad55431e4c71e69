// Specifies what the servers of an application do with requests that mean harm, and its options with names that do. Needs no broker.
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createControlServer, createQueryServer } from '#libs/control';
import type { ControlServer, QueryServer } from '#libs/control';
import {
  Materialized,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  silentLogger,
} from '#libs/millrace';

const TOKEN = 'a-token-of-sufficient-length';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** With headers that fetch does not let one set, and a path as it is. */
function ask(
  { port }: { readonly port: number },
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }));
    });
    asking.on('error', reject).end(body);
  });
}

/** Sends `text` and no more; resolves to what came back once the server has ended it. */
function begin({ port }: { readonly port: number }, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    // What is sent may be refused while it is.
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
}

describe('the servers of an application', () => {
  let application: StreamsApplication;
  let control: ControlServer;
  let queries: QueryServer;

  beforeAll(async () => {
    const kafka = new SimulatedKafka();
    kafka.createTopic('in', 1);
    const builder = new StreamsBuilder();
    const text = Serdes.string();
    builder
      .stream('in', { keySerde: text, valueSerde: text })
      .groupByKey()
      .count(Materialized.as('counts', { keySerde: Serdes.json() as never }));
    application = new StreamsApplication({
      applicationId: 'guarded',
      kafka,
      topology: builder,
      state: 'memory',
      instanceId: 'one',
      logger: silentLogger,
    });
    await application.start();
    control = await createControlServer({
      applications: [application],
      port: 0,
      token: TOKEN,
      allowActions: true,
    });
    queries = await createQueryServer(application);
  });
  afterAll(async () => {
    await queries.close();
    await control.close();
    await application.stop();
  });

  it('let no other site read, frame or guess what they answer', async () => {
    const paths = [
      '/v1/applications',
      '/v1/applications/guarded',
      '/nowhere',
      '/v1/applications/guarded/stores',
      '/openapi.json',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'OPTIONS', 'POST']) {
        for (const headers of [AUTHORIZED, {}, { ...AUTHORIZED, origin: 'https://evil.example' }]) {
          const answer = await ask(control, path, { method, headers });
          expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
          expect(answer.headers).toMatchObject({
            'cache-control': 'no-store',
            'content-security-policy': expect.stringContaining("default-src 'none'"),
            'cross-origin-resource-policy': 'same-origin',
            'referrer-policy': 'no-referrer',
            'x-content-type-options': 'nosniff',
            'x-frame-options': 'DENY',
          });
          if (headers !== AUTHORIZED) expect(answer.status).toBeGreaterThanOrEqual(400);
        }
      }
    }
    // The page of its own may load what is its own, and be framed by nobody.
    const page = await ask(control, '/');
    expect(page.headers['content-security-policy']).toMatch(/frame-ancestors 'none'/);
    expect(page.headers['content-security-policy']).not.toMatch(/unsafe|\*/);
  });

  it('know a token by all of it alone', async () => {
    const wrong = [
      TOKEN.slice(0, -1),
      `${TOKEN}x`,
      TOKEN.toUpperCase(),
      '',
      ' ',
      `${TOKEN}, ${TOKEN}`,
      'x'.repeat(10_000),
    ];
    for (const token of wrong)
      expect(
        (await ask(control, '/v1/applications', { headers: { authorization: `Bearer ${token}` } })).status,
      ).toBe(401);
    for (const path of [`/v1/applications?token=${TOKEN}`, `/v1/applications?access_token=${TOKEN}`])
      expect((await ask(control, path)).status).toBe(401);
    // Neither do the routes of queries.
    expect((await ask(control, '/v1/applications/guarded/stores/counts/entries')).status).toBe(401);
  });

  it('answer queries without a token only to who knows them as loopback', async () => {
    const path = '/stores';
    const statusOf = async (headers: Record<string, string>): Promise<number> =>
      (await ask(queries, path, { headers })).status;
    const own = await statusOf({});
    expect(own).toBe(await statusOf({ host: `localhost:${queries.port}` }));
    expect(own).not.toBe(403);
    for (const headers of [
      { host: 'evil.example' },
      { host: `evil.example:${queries.port}` },
      { host: 'localhost.evil.example' },
      { host: '127.0.0.1.evil.example' },
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      expect([headers, await statusOf(headers)]).toEqual([headers, 403]);
  });

  it('take small bodies, of JSON that reaches no prototype', async () => {
    const post = (body: string, type = 'application/json'): Promise<Answer> =>
      ask(control, '/v1/applications/guarded/tasks/0_0/restart', {
        method: 'POST',
        headers: { ...AUTHORIZED, 'content-type': type },
        body,
      });
    expect((await post(`{"dirty":"${'x'.repeat(100_000)}"}`)).status).toBe(413);
    for (const body of [
      '{"__proto__":{"dirty":true}}',
      '{"constructor":{"prototype":{"dirty":true}}}',
      '{"dirty":true,"more":1}',
      '{"dirty":"yes"}',
      '['.repeat(30_000),
      '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000),
      'not json',
    ])
      expect([body.slice(0, 40), (await post(body)).status]).toEqual([body.slice(0, 40), 400]);
    expect((await post('<x/>', 'application/xml')).status).toBe(415);
    expect(({} as { dirty?: boolean }).dirty).toBeUndefined();
    for (const query of [
      '__proto__[dirty]=1',
      '__proto__.dirty=1',
      'constructor[prototype][dirty]=1',
      'limit=1&limit=2',
    ])
      expect(
        (await ask(control, `/v1/applications/guarded/epochs?${query}`, { headers: AUTHORIZED })).status,
      ).toBe(400);
    expect(({} as { dirty?: boolean }).dirty).toBeUndefined();
  });

  it('take heads of 16 KiB, and names as long as names are', async () => {
    const head = `GET /v1/applications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nx: `;
    expect(await begin(control, `${head}${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431|^$/);
    const long = await ask(control, `/v1/applications/${'x'.repeat(5_000)}`, { headers: AUTHORIZED });
    expect([400, 404, 414]).toContain(long.status);
    const deep = encodeURIComponent(`${'['.repeat(2_000)}${']'.repeat(2_000)}`);
    const key = await ask(control, `/v1/applications/guarded/stores/counts/keys/${deep}`, {
      headers: AUTHORIZED,
    });
    expect(key.status).toBeGreaterThanOrEqual(400);
    expect(key.status).toBeLessThan(500);
  });

  it('serve no file but their own', async () => {
    for (const path of [
      '/assets/x/../../package.json',
      '/assets/x/..%2f..%2f..%2fpackage.json',
      '/assets/..%2f..%2fpackage.json/x',
      '/errors/..%2f..%2fpackage.json',
      '/errors/..%2fARCHITECTURE',
      '/errors/%00',
      '/v1/applications/..%2f..%2fetc/topology',
      '//etc/passwd',
    ]) {
      const { status, body } = await ask(control, path, { headers: AUTHORIZED });
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
      expect(body).not.toMatch(/devDependencies|root:/);
    }
  });

  it('end who sends a request byte by byte, in its head and in its body', async () => {
    const head = `POST /v1/applications/guarded/resume HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`;
    const answers = await Promise.all([
      begin(control, head),
      begin(control, `${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`),
      begin(queries, 'GET /stores HTTP/1.1\r\nHost: localhost\r\n'),
    ]);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408|^$/);
  }, 60_000);

  it('answer one that asks for what they do not speak', async () => {
    expect(await begin(control, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    const smuggled =
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n';
    expect(await begin(control, smuggled)).toMatch(/^HTTP\/1\.1 400/);
  });
});

describe('names that lead elsewhere', () => {
  const options = { kafka: new SimulatedKafka(), topology: new StreamsBuilder(), logger: silentLogger };

  it.each(['..', '.', '../other', 'a/b', 'a\\b', 'a\0b', '', 'x'.repeat(201), '%2e%2e'])(
    'are no ids of applications or instances: %j',
    (name) => {
      for (const given of [
        { applicationId: name },
        { applicationId: 'a', instanceId: name },
        { applicationId: 'a', groupInstanceId: name },
      ])
        expect(() => new StreamsApplication({ ...options, ...given })).toThrow('MILLRACE_INVALID_CONFIG');
    },
  );

  it.each(['..', '../other', 'a/b', 'a\0b', ''])('are no names of stores or topics: %j', (name) => {
    const text = Serdes.string();
    for (const build of [
      (builder: StreamsBuilder) =>
        builder.stream('in', { keySerde: text, valueSerde: text }).groupByKey().count(Materialized.as(name)),
      (builder: StreamsBuilder) => builder.stream(name, { keySerde: text, valueSerde: text }).to('out'),
      (builder: StreamsBuilder) => builder.stream('in', { keySerde: text, valueSerde: text }).to(name),
    ]) {
      expect(() => {
        const builder = new StreamsBuilder();
        build(builder);
        builder.build();
      }).toThrow('MILLRACE_INVALID_TOPOLOGY');
    }
  });
});
