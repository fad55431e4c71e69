// Owns what a control server is created with, and its checks: all faults in one error. What would let strangers see or act is refused
// here, before anything listens.
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { FatalError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { StreamsApplication } from '#libs/millrace';

/** What the server asks of an application. A `StreamsApplication` is one. */
export type ControlledApplication = Pick<
  StreamsApplication,
  | 'applicationId'
  | 'configuration'
  | 'describe'
  | 'describeAsGraph'
  | 'describeAsMermaid'
  | 'insight'
  | 'instanceId'
  | 'pause'
  | 'planReset'
  | 'reset'
  | 'restartTask'
  | 'resume'
  | 'snapshot'
  | 'state'
  | 'stop'
>;

/** Node's options for certificates. With `ca` clients must show a certificate that it signed (mutual TLS). */
export type ControlTls = Pick<
  SecureContextOptions,
  'cert' | 'key' | 'passphrase' | 'pfx' | 'ca' | 'minVersion'
>;

export interface ControlServerOptions {
  /** Started or not. Each `application.id` once. */
  readonly applications: readonly StreamsApplication[];
  /** 0: any free port, see `ControlServer.port`. Default 8075. */
  readonly port?: number;
  /** Address to listen on. Default 127.0.0.1; any other than loopback needs `token`, or `tls` with `ca`. */
  readonly host?: string;
  /** Each request must carry it: `Authorization: Bearer <token>`. 16 to 512 characters without spaces. */
  readonly token?: string;
  readonly tls?: ControlTls;
  /** Pause, resume, stop and restart are allowed. Default false: the server only shows. */
  readonly allowActions?: boolean;
  /** Names, besides loopback names and `host`, that requests may have in their `Host` header where there is no token. */
  readonly hostNames?: readonly string[];
  /** Default: silent. */
  readonly logger?: Logger;
  /** For tests. */
  readonly clock?: Clock;
}

export interface ControlSettings {
  readonly applications: readonly StreamsApplication[];
  readonly port: number;
  readonly host: string;
  readonly token: string | null;
  readonly tls: ControlTls | null;
  readonly allowActions: boolean;
  readonly hostNames: ReadonlySet<string>;
  readonly logger: Logger;
  readonly clock: Clock;
}

const PORT = 8075;
const TOKEN = /^[\x21-\x7e]{16,512}$/;
const KNOWN = new Set([
  'applications',
  'port',
  'host',
  'token',
  'tls',
  'allowActions',
  'hostNames',
  'logger',
  'clock',
]);

/** @throws FatalError MILLRACE_INVALID_CONFIG with every fault. */
export function resolveControlOptions(options: ControlServerOptions): ControlSettings {
  const faults: string[] = [];
  const given = (options ?? {}) as Partial<ControlServerOptions>;
  for (const name of Object.keys(given)) if (!KNOWN.has(name)) faults.push(`${name}: no such option`);
  const { applications, port = PORT, host = '127.0.0.1', token, tls, allowActions = false } = given;
  const { hostNames = [] } = given;
  faults.push(...applicationFaults(applications));
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    faults.push('port: must be a whole number from 0 to 65535');
  if (typeof host !== 'string' || host === '') faults.push('host: must be an address or a name');
  if (token !== undefined && (typeof token !== 'string' || !TOKEN.test(token))) {
    // Never the token itself.
    faults.push('token: must be 16 to 512 visible characters without spaces');
  }
  if (typeof allowActions !== 'boolean') faults.push('allowActions: must be true or false');
  faults.push(...tlsFaults(tls));
  if (!Array.isArray(hostNames) || hostNames.some((name) => typeof name !== 'string')) {
    faults.push('hostNames: must be a list of names');
  }
  const isGuarded = token !== undefined || hasClientCertificates(tls);
  if (typeof host === 'string' && host !== '' && !isLoopback(host) && !isGuarded) {
    faults.push(
      `host: "${host}" can be reached from other machines, which needs token, or tls with ca, so that only those who are meant to can see and act`,
    );
  }
  if (faults.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The configuration of the control server has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}: ${faults.join('; ')}.`,
      remedy: 'Correct the named options.',
      context: { faults },
    });
  }
  return {
    applications: applications!,
    port,
    host,
    token: token ?? null,
    tls: tls ?? null,
    allowActions,
    hostNames: new Set([host, ...(hostNames as readonly string[])].map((name) => name.toLowerCase())),
    logger: given.logger ?? silentLogger,
    clock: given.clock ?? systemClock,
  };
}

/** Reachable from this machine alone. A name other than `localhost` may mean anything. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

/** Clients are known by their certificates. */
export function hasClientCertificates(tls: ControlTls | null | undefined): boolean {
  return tls?.ca !== undefined && tls.ca !== null && tls.ca.length > 0;
}

function applicationFaults(applications: unknown): string[] {
  if (!Array.isArray(applications) || applications.length === 0) {
    return ['applications: must be a list of one application or more'];
  }
  const faults: string[] = [];
  const seen = new Set<string>();
  applications.forEach((application: Partial<ControlledApplication> | null, index) => {
    const id = application?.applicationId;
    if (typeof id !== 'string' || typeof application?.insight !== 'function') {
      faults.push(`applications[${index}]: must be a StreamsApplication`);
    } else if (seen.has(id)) {
      faults.push(
        `applications[${index}]: "${id}" is there already; give a second copy of it a server of its own`,
      );
    } else {
      seen.add(id);
    }
  });
  return faults;
}

function tlsFaults(tls: unknown): string[] {
  if (tls === undefined) return [];
  if (typeof tls !== 'object' || tls === null) return ['tls: must be an object'];
  const { cert, key, pfx } = tls as ControlTls;
  if (pfx === undefined && (cert === undefined || key === undefined)) {
    return ['tls: must have cert and key, or pfx'];
  }
  try {
    createSecureContext(tls);
  } catch (error) {
    // Its message may quote what was given.
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException;
    return [`tls: certificate, key, passphrase or authority cannot be used (${code})`];
  }
  return [];
}
