// Owns what a lesson runs in: a broker and, where it wants one, a schema registry, each said in a line, and a folder for state. All are gone when
// the lesson is over, unless they were given.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalBroker, startLocalRegistry } from '#libs/broker-local';
import type { LocalBroker, LocalRegistry } from '#libs/broker-local';
import { say } from './say.ts';

const SOURCES = {
  env: 'given by KAFKA_BROKERS',
  docker: 'started in Docker',
  local: 'started here from Apache Kafka’s jars',
} as const;

/**
 * The broker of KAFKA_BROKERS, or one that is started: in Docker, or from Apache Kafka's jars. It ends with `cleanUp`.
 * @throws MillraceError MILLRACE_NO_BROKER_AVAILABLE with the reason for each way.
 */
export async function startBroker(cleanUp: AsyncDisposableStack): Promise<LocalBroker> {
  const broker = await startLocalBroker();
  cleanUp.defer(() => broker.stop());
  const version = broker.source === 'env' ? '' : `${broker.version} `;
  say(`Kafka ${version}at ${broker.bootstrapServers.join(', ')}, ${SOURCES[broker.source]}`);
  return broker;
}

/**
 * The schema registry of SCHEMA_REGISTRY_URL, or one that is started: in Docker, or from Apicurio's archive. It ends with `cleanUp`.
 * @throws MillraceError MILLRACE_NO_REGISTRY_AVAILABLE with the reason for each way.
 */
export async function startRegistry(cleanUp: AsyncDisposableStack): Promise<LocalRegistry> {
  const registry = await startLocalRegistry();
  cleanUp.defer(() => registry.stop());
  const sources = {
    env: 'given by SCHEMA_REGISTRY_URL',
    docker: `Apicurio ${registry.version} in Docker`,
    local: `Apicurio ${registry.version}, started here`,
  };
  say(`Schema registry at ${registry.url}, ${sources[registry.source]}`);
  return registry;
}

/** `given`, or a temporary folder that goes with `cleanUp`. */
export async function stateFolder(
  given: string | null,
  lesson: string,
  cleanUp: AsyncDisposableStack,
): Promise<string> {
  if (given !== null) return given;
  const temporary = await mkdtemp(join(tmpdir(), `${lesson}-`));
  cleanUp.defer(() => rm(temporary, { recursive: true, force: true }));
  return temporary;
}
