// Owns the vocabulary of broker-local: what may be asked of a broker, and what a running one offers.

/** Apache Kafka release that is started when nothing else is asked for. */
export const DEFAULT_KAFKA_VERSION = '4.3.1';

/** Where a broker comes from: `KAFKA_BROKERS`, a Docker engine, or Apache Kafka's jars on a JDK of this machine. */
export type BrokerRoad = 'env' | 'docker' | 'local';

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';

export interface SaslUser {
  readonly name: string;
  readonly password: string;
}

export interface TlsListenerOptions {
  /**
   * PEM of an authority: clients of `endpoints.ssl` must show a certificate of it (mutual TLS), and are the principal `User:<its subject>`.
   * Those of `endpoints.saslSsl` need none.
   */
  readonly clientAuthority: string;
}

/**
 * Extra listeners and rules. The PLAINTEXT listener is always there, and its clients are super users.
 * Anything here takes the `local` road.
 */
export interface SecurityOptions {
  /** A TLS listener (`endpoints.ssl`) with a self-signed certificate for localhost and 127.0.0.1. */
  readonly tls?: boolean | TlsListenerOptions;
  /** SASL listeners (`endpoints.saslPlaintext`, and `endpoints.saslSsl` over TLS) that know these users under every mechanism. */
  readonly sasl?: { readonly users: readonly SaslUser[] };
  /** Switches the ACL authorizer on. `everyone`: what has no ACL is allowed (default) or denied. */
  readonly acls?: { readonly everyone?: 'allowed' | 'denied'; readonly superUsers?: readonly string[] };
}

export interface LocalBrokerOptions {
  /** Apache Kafka release, such as `4.3.1` (default) or `3.9.2`. Asking for one excludes `KAFKA_BROKERS`. */
  readonly version?: string;
  /** Finalised level of the feature `transaction.version` (Kafka 4.0+). Default: the release's own, 2. */
  readonly transactionVersion?: 0 | 1 | 2;
  /** Broker heap in MiB. Default 512. */
  readonly heapMegabytes?: number;
  /** Additional or overriding broker properties. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  readonly security?: SecurityOptions;
  /** Roads to try, in order. Default: all three; only `local` when options need a broker of our own. */
  readonly roads?: readonly BrokerRoad[];
  /** Keeps the data here and does not remove it at the end. Default: a fresh temporary directory, removed. */
  readonly dataDir?: string;
  /** Told of long steps. Default: progress lines on stderr for those that take more than a moment. */
  readonly onProgress?: (progress: LocalBrokerProgress) => void;
  /** Milliseconds the broker may take to come up. Default 60,000. */
  readonly startTimeoutMs?: number;
}

export interface LocalBrokerProgress {
  readonly step: 'libraries' | 'format' | 'start' | 'image';
  readonly message: string;
  /** Pieces of the step that are done; the total is often unknown. */
  readonly done?: number;
  readonly finished: boolean;
}

export interface RestartOptions {
  /** `crash` (default): SIGKILL. `clean`: SIGTERM and a controlled shutdown. */
  readonly stop?: 'crash' | 'clean';
  /** Milliseconds to stay down in between. Default 0. */
  readonly downMs?: number;
}

/** A running broker. It stops when the process that started it ends, however that ends. */
export interface LocalBroker {
  /** Addresses `host:port` of the PLAINTEXT listener. */
  readonly bootstrapServers: readonly string[];
  readonly version: string;
  readonly source: BrokerRoad;
  /** The addresses `host:port` of each listener this broker has. */
  readonly endpoints: {
    readonly plaintext: string;
    readonly ssl?: string;
    readonly saslPlaintext?: string;
    readonly saslSsl?: string;
  };
  /**
   * A further PLAINTEXT listener for a proxy: it is bound to `target` but advertises 127.0.0.1:`advertisedPort`, where
   * the proxy is to listen. A client that bootstraps through the proxy then meets nothing but the proxy.
   */
  readonly proxyListener: { readonly target: string; readonly advertisedPort: number } | undefined;
  /** PEM of the certificate to trust for the TLS listeners. */
  readonly certificate: string | undefined;
  /** The broker's output; undefined for a broker we did not start. */
  readonly logFile: string | undefined;
  readonly dataDir: string | undefined;
  /** Process id of the broker on this machine while it runs. */
  readonly pid: number | undefined;
  /** Ends the broker and removes its temporary data. Nothing happens to a broker from `KAFKA_BROKERS`. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL: the broker is gone, its data stays; `restart()` brings it back. @throws for a broker we did not start. */
  kill(): Promise<void>;
  /** Brings the broker back on the same data and ports. @throws for a broker we did not start. */
  restart(options?: RestartOptions): Promise<void>;
}
