// Owns the errors that end a connection or keep it from coming up. The final ones are MillraceErrors; the others become
// the cause of an RpcFailure. No message holds a credential.
import { FatalError } from '#libs/core';
import { formatBrokerAddress, type BrokerAddress } from './address.ts';

/** The socket broke, or a wait on it ran out: trying again may help. */
export class ConnectionFault extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConnectionFault';
  }
}

export function authenticationFailed(
  address: BrokerAddress,
  mechanism: string,
  reason: string,
  cause?: unknown,
): FatalError {
  return new FatalError({
    code: 'MILLRACE_AUTHENTICATION_FAILED',
    message: `Broker ${formatBrokerAddress(address)} does not authenticate this client by SASL ${mechanism.toUpperCase()}: ${reason}.`,
    remedy: 'Check `sasl` (mechanism and credentials) against the listener and the users of the cluster.',
    cause,
    context: { broker: formatBrokerAddress(address), mechanism },
  });
}

export function tlsFailed(address: BrokerAddress, cause: Error): FatalError {
  return new FatalError({
    code: 'MILLRACE_TLS_FAILED',
    message: `TLS with broker ${formatBrokerAddress(address)} cannot be set up: ${cause.message.trim()}.`,
    remedy:
      'Check that the listener speaks TLS, and that `ssl` holds its certificate authority (`ca`), the name on its certificate (`servername`) and, where it asks for one, a client certificate (`cert`, `key`).',
    cause,
    context: { broker: formatBrokerAddress(address) },
  });
}

export function protocolError(address: BrokerAddress, what: string, cause?: unknown): FatalError {
  return new FatalError({
    code: 'MILLRACE_PROTOCOL_ERROR',
    message: `Broker ${formatBrokerAddress(address)} broke the protocol: ${what}.`,
    remedy:
      'Check that the address is a Kafka listener and that `ssl` matches it; if it is, report this with the versions of the broker and of Millrace.',
    cause,
    context: { broker: formatBrokerAddress(address) },
  });
}

export function brokerTooOld(address: BrokerAddress, lacking: readonly string[]): FatalError {
  return new FatalError({
    code: 'MILLRACE_BROKER_TOO_OLD',
    message: `Broker ${formatBrokerAddress(address)} is older than Apache Kafka 3.9: ${lacking.join('; ')}.`,
    remedy: 'Upgrade the brokers to Apache Kafka 3.9 or newer.',
    context: { broker: formatBrokerAddress(address), lacking },
  });
}

export interface FailedAttempt {
  readonly broker: string;
  readonly reason: string;
}

/**
 * A round through all addresses that opened nothing. No error code yet: whoever retries raises
 * MILLRACE_BROKER_UNREACHABLE once its deadline has passed, and quotes this.
 */
export function noneReachable(
  attempts: readonly FailedAttempt[],
  causes: readonly unknown[],
): ConnectionFault {
  const tried = attempts.map((attempt) => `${attempt.broker} (${attempt.reason})`).join(', ');
  return new ConnectionFault(
    `no broker can be reached, tried ${tried === '' ? 'none, for no address is known' : tried}`,
    causes.length === 1 ? causes[0] : new AggregateError(causes, 'every address failed'),
  );
}

/**
 * Whether a socket error says that TLS itself was refused, so that trying again does not help. A connection reset during
 * the handshake is none: a broker that is being stopped does the same.
 */
export function isTlsFault(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return (
    code.startsWith('ERR_SSL_') ||
    code.startsWith('ERR_TLS_') ||
    code === 'EPROTO' ||
    TLS_VERIFICATION_CODES.has(code)
  );
}

const TLS_VERIFICATION_CODES = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
]);
