// Specifies what is served to browsers: to whom, with which headers, and that no path leads out of the list of files.
import { request as httpRequest } from 'node:http';
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ERROR_CODES } from '#libs/core';
import { TOKEN, startServer } from '../fake-application.ts';

/** The path as it is, which fetch would tidy up. */
function raw(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    httpRequest({ hostname, port, path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('the page', () => {
  it('is served without a token, and holds no data', async () => {
    await using server = await startServer();
    const response = await fetch(`${server.server.url}/`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const html = await response.text();
    expect(html).not.toContain('orders');
    expect(html).not.toContain(TOKEN);
    expect((await fetch(`${server.server.url}/v1/applications`)).status).toBe(401);
  });

  it('lets a browser run nothing but the files of this server and the import map that is named', async () => {
    await using server = await startServer();
    const response = await fetch(`${server.server.url}/`);
    const policy = new Map(
      response.headers
        .get('content-security-policy')!
        .split('; ')
        .map((rule) => [rule.split(' ', 1)[0]!, rule.split(' ').slice(1).join(' ')]),
    );
    const html = await response.text();
    const inline = [...html.matchAll(/<script(?![^>]*src=)[^>]*>(.*?)<\/script>/gs)];
    expect(inline).toHaveLength(1);
    const digest = createHash('sha256').update(inline[0]![1]!).digest('base64');
    expect(policy.get('script-src')).toBe(`'self' 'sha256-${digest}'`);
    expect(policy.get('default-src')).toBe("'none'");
    expect(policy.get('style-src')).toBe("'self'");
    expect(policy.get('connect-src')).toBe("'self'");
    expect(policy.get('frame-ancestors')).toBe("'none'");
    expect(policy.get('require-trusted-types-for')).toBe("'script'");
    expect([...policy.values()].join()).not.toMatch(/unsafe|http|\*/);
    expect(html).not.toMatch(/ on\w+=|style=|https?:\/\//);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('names files that are there, kept for ever under an address with their digest', async () => {
    await using server = await startServer();
    const html = await (await fetch(`${server.server.url}/`)).text();
    const addresses = [...html.matchAll(/(?:href|src)="(\.\/assets\/[^"]+)"/g)].map((match) => match[1]!);
    expect(addresses.length).toBeGreaterThan(20);
    for (const address of addresses) {
      const response = await fetch(new URL(address, `${server.server.url}/`));
      expect([address, response.status]).toEqual([address, 200]);
      expect(response.headers.get('cache-control')).toContain('immutable');
      const type = response.headers.get('content-type');
      expect(type).toMatch(/^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/);
      const text = await response.text();
      // What is left of TypeScript would be no JavaScript.
      if (type!.startsWith('text/javascript'))
        expect(text).not.toMatch(/^(interface|import type|export type) /m);
    }
  });

  it('compresses what is asked for compressed', async () => {
    await using server = await startServer();
    const html = await (await fetch(`${server.server.url}/`)).text();
    const worker = /"(\.\/assets\/\w+\/)vendor\/elk-api\.js"/.exec(html)![1]!;
    const url = new URL(`${worker}vendor/elk-worker.js`, `${server.server.url}/`);
    const zipped = await fetch(url, { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    const plain = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await zipped.text()).toBe(await plain.text());
  });

  it.each([
    '../pages.ts',
    '..%2Fpages.ts',
    '%2e%2e/pages.ts',
    '....//pages.ts',
    '/etc/passwd',
    'vendor/../../page.ts',
    'vendor%5c..%5cstyle.css',
    'main.d.ts',
    '__proto__',
    'constructor',
    '',
    'views',
    'style.css%00.js',
  ])('serves no file by the path %s', async (path) => {
    await using server = await startServer();
    const html = await (await fetch(`${server.server.url}/`)).text();
    const version = /assets\/(\w+)\//.exec(html)![1]!;
    const headers = { authorization: `Bearer ${TOKEN}` };
    const { status, body } = await raw(server.server.url, `/assets/${version}/${path}`, headers);
    expect([400, 404]).toContain(status);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'MILLRACE_CONTROL_BAD_REQUEST' } });
    expect(body).not.toContain('root:');
  });

  it('serves no other version of its files', async () => {
    await using server = await startServer();
    expect((await raw(server.server.url, '/assets/0000000000000000/style.css')).status).toBe(404);
  });
});

describe('the pages of error codes', () => {
  it('are served for every code', async () => {
    await using server = await startServer();
    for (const code of ERROR_CODES) {
      const response = await fetch(`${server.server.url}/errors/${code}`);
      expect([code, response.status]).toEqual([code, 200]);
      expect(await response.text()).toContain(code);
    }
  });

  it.each(['MILLRACE_NO_SUCH_CODE', '..%2f..%2fpackage.json', '__proto__', '..%5Cx'])(
    'are not served for %s',
    async (code) => {
      await using server = await startServer();
      expect((await raw(server.server.url, `/errors/${code}`)).status).toBe(404);
    },
  );
});
