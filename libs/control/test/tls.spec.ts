// Specifies what TLS adds: the connection is private, and with an authority for clients only those it knows get in.
import { request } from 'node:https';
import type { RequestOptions } from 'node:https';
import { describe, expect, it } from '@jest/globals';
import { createControlServer } from '../src/index.ts';
import type { ControlServer } from '../src/index.ts';
import * as certificates from './certificates.ts';
import { TOKEN, fakeApplication } from './fake-application.ts';

const { AUTHORITY: ca, SERVER_CERTIFICATE: cert, SERVER_KEY: key } = certificates;
const client = { cert: certificates.CLIENT_CERTIFICATE, key: certificates.CLIENT_KEY };
const stranger = { cert: certificates.STRANGER_CERTIFICATE, key: certificates.STRANGER_KEY };

function status(server: ControlServer, options: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${server.url}/v1/applications`, { ca, agent: false, ...options }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

describe('a control server with TLS', () => {
  it('asks for the token as ever', async () => {
    const server = await createControlServer({
      applications: [fakeApplication()],
      port: 0,
      token: TOKEN,
      tls: { cert, key },
    });
    expect(server.url).toMatch(/^https:/);
    expect(await status(server, {})).toBe(401);
    expect(await status(server, { headers: { authorization: `Bearer ${TOKEN}` } })).toBe(200);
    await server.close();
  });

  it('lets in, on every address and without a token, who has a certificate of its authority, and nobody else', async () => {
    const server = await createControlServer({
      applications: [fakeApplication()],
      port: 0,
      host: '0.0.0.0',
      tls: { cert, key, ca },
    });
    const local = { ...server, url: server.url.replace('0.0.0.0', '127.0.0.1') };
    expect(await status(local, client)).toBe(200);
    await expect(status(local, {})).rejects.toThrow();
    await expect(status(local, stranger)).rejects.toThrow();
    await server.close();
  });

  it('asks for both where both are set', async () => {
    const server = await createControlServer({
      applications: [fakeApplication()],
      port: 0,
      token: TOKEN,
      tls: { cert, key, ca },
    });
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect(await status(server, client)).toBe(401);
    expect(await status(server, { ...client, headers })).toBe(200);
    await expect(status(server, { headers })).rejects.toThrow();
    await server.close();
  });
});
