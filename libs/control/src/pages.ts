// Owns what is served to people rather than programs: for now a signpost at the root. The dashboard's files belong here. They hold no data,
// so a route with `config: { isPublic: true }` is served without a token; everything that holds data asks for it.
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served to whoever asks, token or not. */
    isPublic?: boolean;
  }
}

export function registerPages(server: FastifyInstance): void {
  server.get('/', { schema: { hide: true } }, () => ({
    applications: '/v1/applications',
    description: '/openapi.json',
  }));
}
