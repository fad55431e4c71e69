// Owns the broker somebody else runs: addresses from KAFKA_BROKERS. It starts and ends nothing.
import { MillraceError } from '#libs/core';

import type { LocalBroker } from './local-broker.ts';

/** Addresses of KAFKA_BROKERS, comma-separated `host:port`; undefined when it is not set. */
export function brokersFromEnvironment(): readonly string[] | undefined {
  const addresses = (process.env['KAFKA_BROKERS'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  return addresses.length === 0 ? undefined : addresses;
}

export function envBroker(addresses: readonly string[]): LocalBroker {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new MillraceError({
        code: 'MILLRACE_LOCAL_BROKER_FAILED',
        message: `The broker ${addresses.join(', ')} of KAFKA_BROKERS is not ours to kill or restart.`,
        remedy: "Unset KAFKA_BROKERS, or ask for `roads: ['local']`.",
      }),
    );
  return {
    bootstrapServers: addresses,
    version: 'unknown',
    source: 'env',
    endpoints: { plaintext: addresses[0] ?? '' },
    proxyListener: undefined,
    certificate: undefined,
    logFile: undefined,
    dataDir: undefined,
    pid: undefined,
    stop: () => Promise.resolve(),
    kill: refuse,
    restart: refuse,
  };
}
