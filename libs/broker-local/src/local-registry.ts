// Owns the vocabulary of schema registries for development and tests: what may be asked of one, and what a running one offers.
import type { BrokerRoad, LocalBrokerProgress, RestartOptions } from './local-broker.ts';

/** Apicurio Registry release that is started when nothing else is asked for. */
export const DEFAULT_REGISTRY_VERSION = '3.3.3';

/** The oldest Java that Apicurio Registry 3 runs on. Kafka's brokers are content with an older one. */
export const REGISTRY_JAVA_VERSION_MIN = 21;

/** Where a registry comes from: `SCHEMA_REGISTRY_URL`, a Docker engine, or Apicurio's archive on a JDK of this machine. */
export type RegistryRoad = BrokerRoad;

export interface LocalRegistryOptions {
  /** Apicurio Registry release. Default 3.3.3. Asking for one excludes `SCHEMA_REGISTRY_URL`. */
  readonly version?: string;
  /** Heap in MiB. Default 192; the process takes some 250 MiB then. */
  readonly heapMegabytes?: number;
  /** Additional or overriding properties of Apicurio and Quarkus, such as `apicurio.auth.role-based-authorization`. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** Roads to try, in order. Default: all three. */
  readonly roads?: readonly RegistryRoad[];
  /** Told of long steps. Default: progress lines on stderr. */
  readonly onProgress?: (progress: LocalBrokerProgress) => void;
  /** Milliseconds the registry may take to come up. Default 120,000. */
  readonly startTimeoutMs?: number;
}

/** A running schema registry. It stops when the process that started it ends, however that ends. */
export interface LocalRegistry {
  /** Base URL of the API that Confluent's registry has, such as `http://127.0.0.1:23456/apis/ccompat/v7`. */
  readonly url: string;
  readonly version: string;
  readonly source: RegistryRoad;
  readonly logFile: string | undefined;
  /** Process id of the registry on this machine while it runs. */
  readonly pid: number | undefined;
  /** Ends the registry and removes its data. Nothing happens to one of `SCHEMA_REGISTRY_URL`. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL: the registry is gone, its schemas stay; `restart()` brings it back. @throws for a registry we did not start. */
  kill(): Promise<void>;
  /** Brings the registry back with its schemas, under the same URL. @throws for a registry we did not start. */
  restart(options?: RestartOptions): Promise<void>;
}
