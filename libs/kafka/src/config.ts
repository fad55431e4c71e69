// Owns the client's configuration in KafkaJS's shape: its defaults and its checks. One error lists every fault with the
// option's path. It never prints a secret.
import * as tls from 'node:tls';
import { DECOMPRESSED_BYTES_LIMIT, DECOMPRESSED_BYTES_MAX } from '#libs/broker';
import { FatalError } from '#libs/core';
import { parseBrokerAddress, type BrokerAddress } from './connection/address.ts';

export interface OauthBearerToken {
  readonly value: string;
  /** SASL extensions (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>;
}

export type SaslConfig =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly oauthBearerProvider: () => Promise<OauthBearerToken> };

export interface KafkaConfig {
  /** Named in the broker's logs, metrics and quotas. Default `millrace`. */
  readonly clientId?: string;
  /** `host:port` (port 9092 when left out, `[::1]:9092` for IPv6), or a function that finds them. */
  readonly brokers: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  /** `true`: TLS with the system's trust; or Node's options for it (`ca`, `cert`, `key`, `servername`, …). */
  readonly ssl?: boolean | tls.ConnectionOptions;
  readonly sasl?: SaslConfig;
  /** Milliseconds for TCP and TLS to be up. Default 10,000. */
  readonly connectionTimeout?: number;
  /** Milliseconds for each step of version negotiation and authentication. Default 10,000. */
  readonly authenticationTimeout?: number;
  /** Milliseconds a call waits for its answer unless it says otherwise. Default 30,000. */
  readonly requestTimeout?: number;
  /** Requests sent and not yet answered, per connection. Default 16. */
  readonly maxInFlightRequests?: number;
  /** Pauses between attempts to connect to the same broker. */
  readonly retry?: {
    /** Milliseconds after the first failure; doubles with each. Default 50. */
    readonly initialRetryTime?: number;
    /** Default 1,000. */
    readonly maxRetryTime?: number;
  };
  /** Largest answer accepted, in bytes. Default 100 MiB. */
  readonly maxFrameBytes?: number;
  /** What a fetched batch may unfold to, in bytes. Default 64 MiB, at most 256 MiB. */
  readonly maxDecompressedBytes?: number;
}

/** The configuration with its defaults, checked. */
export interface KafkaSettings {
  readonly clientId: string;
  readonly bootstrap: () => Promise<readonly BrokerAddress[]>;
  /** `null`: plain TCP. */
  readonly tls: tls.ConnectionOptions | null;
  readonly sasl: SaslConfig | null;
  readonly connectionTimeoutMs: number;
  readonly authenticationTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly inFlightRequestsMax: number;
  readonly retryTimeInitialMs: number;
  readonly retryTimeMaxMs: number;
  readonly frameBytesMax: number;
}

const OPTIONS = new Set([
  'clientId',
  'brokers',
  'ssl',
  'sasl',
  'connectionTimeout',
  'authenticationTimeout',
  'requestTimeout',
  'maxInFlightRequests',
  'retry',
  'maxFrameBytes',
  'maxDecompressedBytes',
]);

/** What OpenSSL's codes mean for who has set the options. */
const KEY_HINTS: Readonly<Record<string, string>> = {
  ERR_OSSL_BAD_DECRYPT: 'the passphrase is not that of the key',
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'the key needs a passphrase',
  ERR_OSSL_UNSUPPORTED: 'the key is none that is known',
  ERR_OSSL_PEM_NO_START_LINE: 'the certificate, or the authority, is no PEM text',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key is not that of the certificate',
};

/** KafkaJS options that mean nothing here, each with the reason. */
const FOREIGN_OPTIONS: Readonly<Record<string, string>> = {
  logLevel: 'Millrace logs through the logger it is given',
  logCreator: 'Millrace logs through the logger it is given',
  enforceRequestTimeout: 'request timeouts are always enforced',
  reauthenticationThreshold: 'sessions are renewed at 85 % of their lifetime',
  socketFactory: 'sockets are opened by Millrace',
};

/** @throws FatalError MILLRACE_INVALID_CONFIG with every fault. */
export function parseKafkaConfig(config: KafkaConfig): KafkaSettings {
  const faults: string[] = [];
  const given: unknown = config;
  if (!isRecord(given)) throw invalidConfig(['kafka: must be an object']);
  const options = given;
  for (const name of Object.keys(options)) {
    if (OPTIONS.has(name)) continue;
    const reason = Object.hasOwn(FOREIGN_OPTIONS, name) ? FOREIGN_OPTIONS[name]! : 'no such option';
    faults.push(`kafka.${name}: not supported, ${reason}`);
  }
  const milliseconds = (path: string, value: unknown, fallback: number): number =>
    checkInteger(faults, path, value, fallback, 1, 2_147_483_647);
  const retry = options['retry'] ?? {};
  if (!isRecord(retry)) faults.push('kafka.retry: must be an object');
  const retryOptions: Record<string, unknown> = isRecord(retry) ? retry : {};
  for (const name of Object.keys(retryOptions)) {
    if (name !== 'initialRetryTime' && name !== 'maxRetryTime') {
      faults.push(
        `kafka.retry.${name}: not supported, calls are retried by their error's class until their deadline`,
      );
    }
  }
  const settings: KafkaSettings = {
    clientId: checkClientId(faults, options['clientId']),
    bootstrap: checkBrokers(faults, options['brokers']),
    tls: checkSsl(faults, options['ssl']),
    sasl: checkSasl(faults, options['sasl']),
    connectionTimeoutMs: milliseconds('connectionTimeout', options['connectionTimeout'], 10_000),
    authenticationTimeoutMs: milliseconds('authenticationTimeout', options['authenticationTimeout'], 10_000),
    requestTimeoutMs: milliseconds('requestTimeout', options['requestTimeout'], 30_000),
    inFlightRequestsMax: checkInteger(
      faults,
      'maxInFlightRequests',
      options['maxInFlightRequests'],
      16,
      1,
      1_000,
    ),
    retryTimeInitialMs: milliseconds('retry.initialRetryTime', retryOptions['initialRetryTime'], 50),
    retryTimeMaxMs: milliseconds('retry.maxRetryTime', retryOptions['maxRetryTime'], 1_000),
    frameBytesMax: checkInteger(
      faults,
      'maxFrameBytes',
      options['maxFrameBytes'],
      100 * 1024 * 1024,
      1024,
      1024 ** 3,
    ),
  };
  // Of the batches, which this library does not look into.
  checkInteger(
    faults,
    'maxDecompressedBytes',
    options['maxDecompressedBytes'],
    DECOMPRESSED_BYTES_MAX,
    1024 * 1024,
    DECOMPRESSED_BYTES_LIMIT,
  );
  if (settings.retryTimeInitialMs > settings.retryTimeMaxMs) {
    faults.push('kafka.retry.initialRetryTime: must not exceed kafka.retry.maxRetryTime');
  }
  if (faults.length > 0) throw invalidConfig(faults);
  return settings;
}

function invalidConfig(faults: readonly string[]): FatalError {
  return new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The Kafka configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}: ${faults.join('; ')}.`,
    remedy: 'Correct the named options.',
    context: { faults },
  });
}

function checkClientId(faults: string[], value: unknown): string {
  if (value === undefined) return 'millrace';
  if (typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= 255) return value;
  faults.push('kafka.clientId: must be a string of 1 to 255 bytes');
  return '';
}

function checkBrokers(faults: string[], value: unknown): KafkaSettings['bootstrap'] {
  if (typeof value === 'function') {
    return async () => {
      const found: unknown = await (value as () => unknown)();
      const late: string[] = [];
      const addresses = parseBrokers(late, found);
      if (late.length > 0)
        throw new Error(`the function given as kafka.brokers answered wrongly: ${late.join('; ')}`);
      return addresses;
    };
  }
  const addresses = parseBrokers(faults, value);
  return () => Promise.resolve(addresses);
}

function parseBrokers(faults: string[], value: unknown): readonly BrokerAddress[] {
  if (!Array.isArray(value) || value.length === 0) {
    faults.push('kafka.brokers: must list at least one "host:port"');
    return [];
  }
  const addresses: BrokerAddress[] = [];
  value.forEach((text: unknown, index) => {
    const address = typeof text === 'string' ? parseBrokerAddress(text) : null;
    if (address === null) faults.push(`kafka.brokers[${index}]: must be "host:port"`);
    else addresses.push(address);
  });
  return addresses;
}

function checkSsl(faults: string[], value: unknown): tls.ConnectionOptions | null {
  if (value === undefined || value === false) return null;
  if (value === true) return {};
  if (!isRecord(value)) {
    faults.push('kafka.ssl: must be a boolean or TLS options');
    return null;
  }
  try {
    // What no connection could be made with is said now, not to be tried again until a deadline.
    if (value['secureContext'] === undefined) tls.createSecureContext(value);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What the library says of a text may quote it.
    const hint = KEY_HINTS[code ?? ''] ?? 'certificate, key, passphrase or authority cannot be used';
    faults.push(`kafka.ssl: ${hint}${code === undefined ? '' : ` (${code})`}`);
  }
  return value;
}

function checkSasl(faults: string[], value: unknown): SaslConfig | null {
  if (value === undefined) return null;
  if (!isRecord(value)) {
    faults.push('kafka.sasl: must be an object');
    return null;
  }
  const mechanism = typeof value['mechanism'] === 'string' ? value['mechanism'].toLowerCase() : '';
  switch (mechanism) {
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512': {
      const { username, password } = value;
      if (typeof username !== 'string' || username === '')
        faults.push('kafka.sasl.username: must be a non-empty string');
      if (typeof password !== 'string' || password === '')
        faults.push('kafka.sasl.password: must be a non-empty string');
      // NUL ends a field of PLAIN: what stands behind it would be another one.
      for (const [name, text] of [
        ['username', username],
        ['password', password],
      ] as const) {
        if (typeof text === 'string' && text.includes('\0'))
          faults.push(`kafka.sasl.${name}: must not contain the character NUL`);
      }
      if (value['oauthBearerProvider'] !== undefined) {
        faults.push(`kafka.sasl.oauthBearerProvider: contradicts mechanism "${mechanism}"`);
      }
      return { mechanism, username: String(username), password: String(password) };
    }
    case 'oauthbearer': {
      const provider = value['oauthBearerProvider'];
      if (typeof provider !== 'function') faults.push('kafka.sasl.oauthBearerProvider: must be a function');
      if (value['username'] !== undefined || value['password'] !== undefined) {
        faults.push('kafka.sasl.username and kafka.sasl.password: contradict mechanism "oauthbearer"');
      }
      return { mechanism, oauthBearerProvider: provider as () => Promise<OauthBearerToken> };
    }
    default:
      faults.push('kafka.sasl.mechanism: must be "plain", "scram-sha-256", "scram-sha-512" or "oauthbearer"');
      return null;
  }
}

function checkInteger(
  faults: string[],
  path: string,
  value: unknown,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  faults.push(`kafka.${path}: must be a whole number from ${min} to ${max}`);
  return fallback;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
