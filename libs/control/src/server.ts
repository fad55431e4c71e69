// Owns a control server from its options to its end: what every request goes through, and who answers it.
//
//   request ─► origin, host, token ─► action allowed? ─► shape of the request ─► route        refused at any step: control-error.ts
import type { AddressInfo, Socket } from 'node:net';
import fastifySwagger from '@fastify/swagger';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FatalError, asError } from '#libs/core';
import { Applications } from './applications.ts';
import { authenticator } from './authentication.ts';
import { badRequest, errorHandler } from './control-error.ts';
import { EXTENSIONS } from './extensions.ts';
import { hasClientCertificates, resolveControlOptions } from './options.ts';
import type { ControlServerOptions, ControlSettings } from './options.ts';
import { registerPages } from './pages.ts';
import { registerActionRoutes } from './routes/actions.ts';
import { registerResetRoute } from './routes/reset.ts';
import { EventStreams } from './routes/events.ts';
import { registerReadRoutes } from './routes/read.ts';

const BODY_BYTES_MAX = 64 * 1024;
/** Of the head of a request, and of the whole. Looked after each second, which ends who sends a byte now and then. */
const REQUEST_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 256;
const LIMITS = {
  connectionsCheckingInterval: 1_000,
  headersTimeout: REQUEST_MS_MAX,
  maxHeaderSize: HEADER_BYTES_MAX,
};
/** Nothing here is for a page of another site, nor to be shown in one. What is for a page of its own says more. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
/** Of a name in a path; application ids have 200. */
const PARAMETER_LENGTH_MAX = 1_024;

export interface ControlServer {
  /** `http://127.0.0.1:8075`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** From now on neither the server nor its connections keep the process alive. */
  unref(): void;
  /** Ends requests and event streams. The applications go on. */
  close(): Promise<void>;
}

/**
 * Serves the control API of applications in this process. Resolves once it listens.
 * @throws FatalError MILLRACE_INVALID_CONFIG with every fault; also where the address is taken.
 */
export async function createControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const settings = resolveControlOptions(options);
  const applications = new Applications(settings.applications, settings.clock);
  const streams = new EventStreams(settings.clock);
  const server = await build(settings, applications, streams);
  try {
    await server.listen({ port: settings.port, host: settings.host });
  } catch (error) {
    await server.close();
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The control server cannot listen on ${settings.host}:${settings.port}: ${asError(error).message}.`,
      remedy: 'Choose another host or port; port 0 takes any that is free.',
      cause: error,
    });
  }
  for (const { rates } of applications.all) rates.start();
  const { port } = server.server.address() as AddressInfo;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  const url = `${settings.tls === null ? 'http' : 'https'}://${host}:${port}`;
  settings.logger.info(`The control server listens on ${url}`, { allowActions: settings.allowActions });
  return {
    url,
    port,
    unref() {
      server.server.unref();
      server.server.on('connection', (socket: Socket) => socket.unref());
    },
    async close() {
      for (const { rates } of applications.all) rates.stop();
      streams.close();
      await server.close();
    },
  };
}

async function build(
  settings: ControlSettings,
  applications: Applications,
  streams: EventStreams,
): Promise<FastifyInstance> {
  const { tls, logger, allowActions } = settings;
  const server = Fastify({
    http: LIMITS,
    https:
      tls === null
        ? null
        : { ...tls, ...LIMITS, requestCert: hasClientCertificates(tls), rejectUnauthorized: true },
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: 0,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    forceCloseConnections: true,
    // Before there is a route: the error handler below hears nothing of these.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      errorHandler(logger)(error, request, reply),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allowUnionTypes: true } },
  } as object) as unknown as FastifyInstance;
  server.server.maxConnections = CONNECTIONS_MAX;
  // What routes answer with is plain data; their schemas are for readers, and held by specs.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler(errorHandler(logger));
  server.setNotFoundHandler((request) => {
    throw badRequest(404, `There is no ${request.method} ${request.url.split('?', 1)[0]!}.`);
  });
  const authenticate = authenticator(settings);
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (request.routeOptions.config.isPublic !== true) authenticate(request);
  });
  await server.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Millrace control API',
        description: allowActions
          ? 'Shows and controls stream applications.'
          : 'Shows stream applications. Actions are refused.',
        version: '1',
      },
      tags: [
        { name: 'applications', description: 'What applications are at' },
        { name: 'actions', description: 'Changes what they do; refused unless the server allows actions' },
      ],
      ...(settings.token === null
        ? {}
        : {
            components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
            security: [{ token: [] }],
          }),
    },
  });
  await server.register(async (routes) => {
    registerReadRoutes(routes, applications, allowActions);
    registerActionRoutes(routes, applications, settings);
    registerResetRoute(routes, applications, settings);
    streams.register(routes, applications);
    registerPages(routes);
    routes.get('/openapi.json', { schema: { hide: true } }, () => server.swagger());
    for (const { application } of applications.all) {
      for (const extension of EXTENSIONS) {
        await routes.register(async (scope) => extension(scope, application, settings), {
          prefix: `/v1/applications/${encodeURIComponent(application.applicationId)}`,
        });
      }
    }
  });
  await server.ready();
  return server;
}
