// Owns how a socket is opened, plain or TLS, such that it reads straight into the frame being received.
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { BrokerAddress } from './address.ts';

const KEEP_ALIVE_AFTER_MS = 30_000;

export interface SocketReading {
  /** Where the next bytes go; never empty. */
  space(): Uint8Array;
  received(byteLength: number): void;
}

export function openSocket(
  address: BrokerAddress,
  tlsOptions: tls.ConnectionOptions | null,
  reading: SocketReading,
): net.Socket {
  const options = {
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    onread: {
      buffer: () => reading.space(),
      callback: (byteLength: number) => {
        reading.received(byteLength);
        return true;
      },
    },
  };
  if (tlsOptions === null) return net.connect(options);
  // Server name indication takes names only; addresses are checked against the certificate by `host`.
  const servername = net.isIP(address.host) === 0 ? { servername: address.host } : {};
  return tls.connect({ ...servername, ...tlsOptions, ...options });
}
