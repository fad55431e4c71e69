// Owns who may ask: the bearer token, compared in constant time, and the guards against web pages where there is no token. Certificates
// of clients are checked by TLS before a request gets here.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { ControlError } from './control-error.ts';
import { hasClientCertificates, isLoopback } from './options.ts';
import type { ControlSettings } from './options.ts';

/** @throws ControlError MILLRACE_CONTROL_UNAUTHORIZED */
export function authenticator({
  token,
  tls,
  hostNames,
}: Pick<ControlSettings, 'token' | 'tls' | 'hostNames'>): (request: FastifyRequest) => void {
  const expected = token === null ? null : digest(token);
  return (request) => {
    refuseOtherOrigins(request);
    if (expected !== null) {
      const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
      // Digests have one length, so that the comparison tells nothing of the token's.
      if (given === undefined || !timingSafeEqual(digest(given), expected)) throw unauthorized();
      return;
    }
    if (!hasClientCertificates(tls)) refuseForeignNames(request, hostNames);
  };
}

/** A page of another site that a browser of somebody with access shows must not act in their name. */
function refuseOtherOrigins({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const isSame = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
  if (isSame && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw forbidden(
    'The request comes from a web page of another origin.',
    'Open the page from this server, or ask without a browser.',
  );
}

/** A name that a stranger made point to loopback brings his page past the same-origin rule (DNS rebinding). */
function refuseForeignNames({ headers }: FastifyRequest, hostNames: ReadonlySet<string>): void {
  const name = (headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
  if (isLoopback(name) || hostNames.has(name)) return;
  throw forbidden(
    'The request names another host than this one, and the server has no token to tell who asks.',
    'Ask for it as localhost, add the name to hostNames, or give the server a token.',
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function unauthorized(): ControlError {
  return new ControlError(
    401,
    {
      code: 'MILLRACE_CONTROL_UNAUTHORIZED',
      message: 'The request has no token, or not the one of this server.',
      remedy: 'Send the header Authorization: Bearer <token>.',
    },
    { 'www-authenticate': 'Bearer realm="millrace"' },
  );
}

function forbidden(message: string, remedy: string): ControlError {
  return new ControlError(403, { code: 'MILLRACE_CONTROL_UNAUTHORIZED', message, remedy });
}
