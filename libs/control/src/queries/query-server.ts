// Owns a server with the query routes of one application and nothing else: for tests, and for services that want no more than that.
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { silentLogger } from '#libs/core';
import { authenticator } from '../authentication.ts';
import { isLoopback } from '../options.ts';
import type { QueriedApplication, QueryRouteOptions } from './query-options.ts';
import { queryErrorHandler } from './query-refusal.ts';
import { registerQueryRoutes } from './register-query-routes.ts';

const BODY_BYTES_MAX = 1_024;
const REQUEST_MS_MAX = 10_000;
const PARAMETER_LENGTH_MAX = 1_024;

export interface QueryServerOptions extends QueryRouteOptions {
  /** 0: any free one. Default 0. */
  readonly port?: number;
  /** Default 127.0.0.1. There is no authentication here: who reaches it reads. */
  readonly host?: string;
}

export interface QueryServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function createQueryServer(
  application: QueriedApplication,
  options: QueryServerOptions = {},
): Promise<QueryServer> {
  const { port: wanted = 0, host = '127.0.0.1', ...routes } = options;
  const server = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    http: { connectionsCheckingInterval: 1_000, headersTimeout: REQUEST_MS_MAX },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allowUnionTypes: true } },
  } as object) as unknown as FastifyInstance;
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler(queryErrorHandler(routes.logger ?? silentLogger));
  if (isLoopback(host)) {
    // A name that a stranger made point here must not bring his page in; elsewhere, names are many and who reaches the server reads.
    const refuseStrangers = authenticator({ token: null, tls: null, hostNames: new Set([host]) });
    server.addHook('onRequest', async (request) => refuseStrangers(request));
  }
  await server.register(async (scope) => registerQueryRoutes(scope, application, routes));
  await server.listen({ port: wanted, host });
  const { port } = server.server.address() as AddressInfo;
  return { url: `http://${host}:${port}`, port, close: () => server.close() };
}
