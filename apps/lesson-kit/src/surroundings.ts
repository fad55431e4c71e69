// Owns what a lesson runs in: a broker, said in a line, and a folder for state. Both are gone when the lesson is over, unless they were given.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalBroker } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';
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
