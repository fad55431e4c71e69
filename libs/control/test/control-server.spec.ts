// Specifies who is let in, what is refused and how, and that actions reach the application they name.
import { request as httpRequest } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '#libs/core';
import { createControlServer } from '../src/index.ts';
import type { ControlServerOptions } from '../src/index.ts';
import { TOKEN, fakeApplication, json, startServer } from './fake-application.ts';

async function faultsOf(options: unknown): Promise<readonly string[]> {
  try {
    const server = await createControlServer(options as ControlServerOptions);
    await server.close();
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    expect(error.code).toBe('MILLRACE_INVALID_CONFIG');
    return error.context['faults'] as string[];
  }
  return [];
}

/** With headers that fetch does not let one set. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

describe('the options of a control server', () => {
  it('are refused with every fault at once, and never repeat the token', async () => {
    const faults = await faultsOf({
      applications: [fakeApplication(), fakeApplication(), 42],
      port: 70_000,
      host: '',
      token: 'short secret',
      tls: { ca: 'x' },
      allowActions: 'yes',
      allowActoins: true,
    });
    for (const name of [
      'applications[1]',
      'applications[2]',
      'port',
      'host',
      'token',
      'tls',
      'allowActions',
      'allowActoins',
    ]) {
      expect(faults.filter((fault) => fault.startsWith(`${name}:`))).toHaveLength(1);
    }
    expect(faults.join()).not.toContain('short secret');
  });

  it.each(['0.0.0.0', '::', '192.168.1.7', 'example.org', '10.0.0.1'])(
    'refuse to listen on %s without token or client certificates',
    async (host) => {
      const faults = await faultsOf({ applications: [fakeApplication()], host, port: 0, allowActions: true });
      expect(faults).toEqual([expect.stringMatching(/^host: .*other machines/)]);
    },
  );

  it('let a server listen on every address with a token', async () => {
    const server = await createControlServer({
      applications: [fakeApplication()],
      host: '0.0.0.0',
      port: 0,
      token: TOKEN,
    });
    await server.close();
  });

  it('say so when the port is taken', async () => {
    await using first = await startServer();
    await expect(startServer({ port: first.server.port })).rejects.toThrow(/cannot listen on 127\.0\.0\.1/);
  });
});

describe('who may ask', () => {
  it.each([
    ['no token', ''],
    ['another token', 'Bearer another-token-of-some-length'],
    ['a longer token', `Bearer ${TOKEN}x`],
    ['a part of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['another scheme', `Basic ${TOKEN}`],
  ])('refuses %s with 401, whatever the path', async (_what, authorization) => {
    await using server = await startServer();
    for (const path of ['/v1/applications', '/v1/applications/none', '/openapi.json', '/nowhere']) {
      const { status, headers, body } = await server.request(path, { headers: { authorization } });
      expect([path, status]).toEqual([path, 401]);
      expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(body.error).toMatchObject({ code: 'MILLRACE_CONTROL_UNAUTHORIZED', where: `GET ${path}` });
      expect(JSON.stringify(body)).not.toContain(TOKEN);
    }
  });

  it('takes the token in whatever case its scheme is written', async () => {
    await using server = await startServer();
    const { status } = await server.request('/v1/applications', {
      headers: { authorization: `bearer ${TOKEN}` },
    });
    expect(status).toBe(200);
  });

  it('refuses a name that a stranger made point to this machine, where there is no token', async () => {
    const server = await createControlServer({
      applications: [fakeApplication()],
      port: 0,
      hostNames: ['Streams.Local'],
    });
    const url = `${server.url}/v1/applications`;
    expect(await statusWith(url, { host: 'evil.example:8075' })).toBe(403);
    expect(await statusWith(url, { host: `localhost:${server.port}` })).toBe(200);
    expect(await statusWith(url, { host: '[::1]:9' })).toBe(200);
    expect(await statusWith(url, { host: 'streams.local' })).toBe(200);
    await server.close();
  });

  it.each([{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])(
    'refuses what a web page of another origin sends: %j',
    async (headers) => {
      const application = fakeApplication();
      await using server = await startServer({ applications: [application], allowActions: true });
      const url = `${server.server.url}/v1/applications`;
      expect(await statusWith(url, { authorization: `Bearer ${TOKEN}`, ...headers })).toBe(403);
      expect(await statusWith(url, { authorization: `Bearer ${TOKEN}`, origin: server.server.url })).toBe(
        200,
      );
    },
  );
});

describe('what is refused', () => {
  it.each([
    ['GET', '/v1/applications/none', 404, 'MILLRACE_UNKNOWN_APPLICATION'],
    ['GET', '/v1/applications/none/tasks/0_0', 404, 'MILLRACE_UNKNOWN_APPLICATION'],
    ['GET', '/v1/applications/orders/tasks/7_7', 404, 'MILLRACE_UNKNOWN_TASK'],
    ['GET', '/v1/applications/orders/tasks/seven', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/applications/orders/epochs?limit=0', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/applications/orders/epochs?limit=many', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/applications/orders/epochs?lmit=5', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/applications/orders/events?intervalMs=1', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', `/v1/applications/${'x'.repeat(300)}`, 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/nothing', 404, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['DELETE', '/v1/applications/orders', 404, 'MILLRACE_CONTROL_BAD_REQUEST'],
    ['GET', '/v1/applications/%E0%A4%A', 400, 'MILLRACE_CONTROL_BAD_REQUEST'],
  ])('%s %s: %i %s', async (method, path, status, code) => {
    await using server = await startServer({ allowActions: true });
    const answer = await server.request(path, { method });
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(answer.body.error).toEqual({
      code,
      message: expect.stringMatching(/\.$/),
      where: `${method} ${path.split('?')[0]!}`,
      remedy: expect.any(String),
    });
  });

  it.each([
    ['what is no JSON', { body: '{', headers: { 'content-type': 'application/json' } }, 400],
    [
      'a body of another type',
      { body: 'dirty=true', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
    ],
    ['text', { body: 'dirty', headers: { 'content-type': 'text/plain' } }, 400],
    ['a field that is not known', json({ dirt: true }), 400],
    ['a value of another type', json({ dirty: { yes: 1 } }), 400],
    [
      'a prototype',
      { body: '{"__proto__":{"dirty":true}}', headers: { 'content-type': 'application/json' } },
      400,
    ],
    ['a list', json([1]), 400],
    ['too large a body', json({ dirty: 'x'.repeat(70_000) }), 413],
  ])('an action with %s', async (_what, init, status) => {
    const application = fakeApplication();
    await using server = await startServer({ applications: [application], allowActions: true });
    const answer = await server.request('/v1/applications/orders/tasks/0_0/restart', {
      method: 'POST',
      ...init,
    });
    expect([answer.status, answer.body.error.code]).toEqual([status, 'MILLRACE_CONTROL_BAD_REQUEST']);
    expect(application.calls).toEqual([]);
  });

  it('says nothing of what it failed with inside', async () => {
    const broken = fakeApplication('orders', {
      insight: (() => {
        let calls = 0;
        return () => {
          if (calls++ > 0) throw new Error('the password is swordfish');
          return fakeApplication().insight();
        };
      })(),
    });
    await using server = await startServer({ applications: [broken] });
    const { status, body } = await server.request('/v1/applications/orders');
    expect([status, body.error.code]).toEqual([500, 'MILLRACE_CONTROL_FAILED']);
    expect(JSON.stringify(body)).not.toContain('swordfish');
  });
});

describe('actions', () => {
  const ACTIONS = ['pause', 'resume', 'stop', 'reset', 'tasks/0_0/restart'];

  it.each(ACTIONS)('refuses %s unless actions are allowed', async (action) => {
    const application = fakeApplication();
    await using server = await startServer({ applications: [application] });
    const { status, body } = await server.request(`/v1/applications/orders/${action}`, { method: 'POST' });
    expect([status, body.error.code]).toEqual([403, 'MILLRACE_CONTROL_READ_ONLY']);
    expect(application.calls).toEqual([]);
  });

  it.each(ACTIONS)('refuses %s without the token also where actions are allowed', async (action) => {
    const application = fakeApplication();
    await using server = await startServer({ applications: [application], allowActions: true });
    const { status } = await server.request(`/v1/applications/orders/${action}`, {
      method: 'POST',
      headers: { authorization: '' },
    });
    expect(status).toBe(401);
    expect(application.calls).toEqual([]);
  });

  it('reach the application they name, and no other', async () => {
    const orders = fakeApplication('orders');
    const others = fakeApplication('others');
    await using server = await startServer({ applications: [orders, others], allowActions: true });
    const post = async (path: string, init: RequestInit = { method: 'POST' }): Promise<unknown[]> => {
      const { status, body } = await server.request(`/v1/applications/${path}`, init);
      return [status, body];
    };
    expect(await post('orders/pause')).toEqual([200, { paused: true }]);
    expect(await post('orders/resume', json({}))).toEqual([200, { paused: false }]);
    expect(await post('others/tasks/0_0/restart', json({ dirty: true }))).toEqual([
      202,
      { taskId: '0_0', dirty: true },
    ]);
    expect(await post('others/tasks/0_0/restart')).toEqual([202, { taskId: '0_0', dirty: false }]);
    expect(await post('others/stop')).toEqual([202, { state: 'RUNNING' }]);
    expect((await post('others/tasks/0_5/restart'))[0]).toBe(404);
    expect(orders.calls).toEqual(['pause', 'resume']);
    expect(others.calls).toEqual(['restart 0_0 dirty', 'restart 0_0 clean', 'stop']);
  });

  it('resets only when told to, and says what would change before', async () => {
    const application = fakeApplication();
    await using server = await startServer({ applications: [application], allowActions: true });
    const path = '/v1/applications/orders/reset';
    const plan = { applicationId: 'orders', unfinished: false, topics: [{ name: 'orders-s-changelog' }] };
    expect(await server.request(path, { method: 'POST' })).toMatchObject({
      status: 200,
      body: { executed: false, plan },
    });
    const target = { timestampMs: 1_000 };
    expect(await server.request(path, json({ execute: true, target, force: true }))).toMatchObject({
      status: 200,
      body: { executed: true, plan, removedMembers: 1 },
    });
    for (const wrong of [{ target: 'middle' }, { target: { offset: -1 } }, { target: {} }, { all: true }]) {
      const { status, body } = await server.request(path, json({ execute: true, ...wrong }));
      expect([status, body.error.code]).toEqual([400, 'MILLRACE_CONTROL_BAD_REQUEST']);
    }
    expect(application.calls).toEqual([
      'plan reset {}',
      'reset {"target":{"timestampMs":1000},"force":true}',
    ]);
  });

  it('are possible on loopback without a token', async () => {
    const application = fakeApplication();
    const server = await createControlServer({ applications: [application], port: 0, allowActions: true });
    const answer = await fetch(`${server.url}/v1/applications/orders/pause`, { method: 'POST' });
    expect(answer.status).toBe(200);
    expect(application.calls).toEqual(['pause']);
    await server.close();
  });

  it('answers with what the application refuses', async () => {
    const application = fakeApplication('orders', {
      restartTask: async () => {
        throw new MillraceError({
          code: 'MILLRACE_ILLEGAL_STATE',
          message: 'The application cannot do that.',
          remedy: 'Start it.',
        });
      },
    });
    await using server = await startServer({ applications: [application], allowActions: true });
    const { status, body } = await server.request('/v1/applications/orders/tasks/0_0/restart', {
      method: 'POST',
    });
    expect([status, body.error]).toEqual([
      409,
      {
        code: 'MILLRACE_ILLEGAL_STATE',
        message: 'The application cannot do that.',
        remedy: 'Start it.',
        where: 'POST /v1/applications/orders/tasks/0_0/restart',
      },
    ]);
  });
});
