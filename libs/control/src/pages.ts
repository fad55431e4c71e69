// Owns what is served to people rather than programs: the dashboard and its files, and the pages of error codes. They hold no data, so they
// are served without a token; everything that holds data asks for it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { badRequest } from './control-error.ts';
import { loadAssets } from './dashboard/assets.ts';
import type { DashboardAssets } from './dashboard/assets.ts';
import { errorText } from './dashboard/error-texts.ts';
import { renderPage } from './dashboard/page.ts';
import type { Page } from './dashboard/page.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served to whoever asks, token or not. */
    isPublic?: boolean;
  }
}

const PUBLIC = { config: { isPublic: true }, schema: { hide: true } };
/** An address with a digest of the content in it. */
const FOREVER = 'public, max-age=31536000, immutable';

export function registerPages(server: FastifyInstance): void {
  let loading: Promise<{ assets: DashboardAssets; page: Page }> | null = null;
  // Whoever never opens the page pays nothing for it.
  const load = (): NonNullable<typeof loading> =>
    (loading ??= loadAssets().then(
      (assets) => ({ assets, page: renderPage(assets) }),
      (error: unknown) => {
        // The next who asks may have more luck.
        loading = null;
        throw error;
      },
    ));

  server.get('/', PUBLIC, async (_request, reply) => {
    const { page } = await load();
    return reply.headers(page.headers).send(page.html);
  });

  server.get<{ Params: { version: string; '*': string } }>(
    '/assets/:version/*',
    PUBLIC,
    async (request, reply) => {
      const { assets } = await load();
      const { version, '*': name } = request.params;
      const asset = version === assets.version ? assets.files.get(name) : undefined;
      if (asset === undefined) throw notThere(request);
      return sendText(request, reply, asset);
    },
  );

  server.get<{ Params: { code: string } }>('/errors/:code', PUBLIC, async (request, reply) => {
    const text = await errorText(request.params.code);
    if (text === null) throw notThere(request);
    return reply.headers({ 'content-type': 'text/markdown; charset=utf-8' }).send(text);
  });
}

async function sendText(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, body, zipped }: { type: string; body: Buffer; zipped: () => Promise<Buffer> },
): Promise<FastifyReply> {
  const isZipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  return reply
    .headers({
      'content-type': type,
      'cache-control': FOREVER,
      'cross-origin-resource-policy': 'same-origin',
      vary: 'accept-encoding',
      ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    })
    .send(isZipped ? await zipped() : body);
}

function notThere(request: FastifyRequest): Error {
  return badRequest(404, `There is no ${request.method} ${request.url.split('?', 1)[0]!}.`);
}
