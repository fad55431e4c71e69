// Owns a real schema registry for a user's tests: the one of SCHEMA_REGISTRY_URL, a container where a Docker engine answers, else Apicurio's,
// started here. What of it is started ends with the process, however that ends.
import type { LocalRegistryOptions } from '#libs/broker-local';

export interface SchemaRegistryFixture extends AsyncDisposable {
  /** For the option `host` of a `SchemaRegistryClient`. */
  readonly url: string;
  /** `env`: SCHEMA_REGISTRY_URL. `docker`: Apicurio's image. `local`: its archive from Maven Central, on this machine's Java (21 or newer). */
  readonly source: 'env' | 'docker' | 'local';
  /** Brings it back with its schemas, under the same URL. @throws MillraceError MILLRACE_LOCAL_REGISTRY_FAILED it was not started here. */
  restart(): Promise<void>;
  /** Nothing happens to a registry of SCHEMA_REGISTRY_URL. */
  stop(): Promise<void>;
}

/**
 * Resolves when the registry takes requests. It takes some 250 MiB of memory; the first start fetches 160 MB.
 * @throws MillraceError MILLRACE_NO_REGISTRY_AVAILABLE nothing is there to start one with; MILLRACE_LOCAL_REGISTRY_FAILED it did not come up.
 */
export async function startSchemaRegistry(
  options: Pick<LocalRegistryOptions, 'version' | 'properties' | 'startTimeoutMs' | 'onProgress'> = {},
): Promise<SchemaRegistryFixture> {
  // Loaded here: who tests with a registry in memory needs none of it.
  const { startLocalRegistry } = await import('#libs/broker-local');
  const registry = await startLocalRegistry(options);
  return {
    url: registry.url,
    source: registry.source,
    restart: () => registry.restart(),
    stop: () => registry.stop(),
    [Symbol.asyncDispose]: () => registry.stop(),
  };
}
