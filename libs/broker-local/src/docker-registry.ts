// Owns a schema registry in a container of Apicurio's own image, through Testcontainers, which also removes it when its starter is gone.
import type { StartedTestContainer } from 'testcontainers';

import { MillraceError } from '#libs/core';

import { freePorts } from './free-ports.ts';
import type { LocalBrokerProgress } from './local-broker.ts';
import { DEFAULT_REGISTRY_VERSION } from './local-registry.ts';
import type { LocalRegistry, LocalRegistryOptions } from './local-registry.ts';

const PORT = 8080;

/** @throws MillraceError MILLRACE_LOCAL_REGISTRY_FAILED when the image or the container does not come up. */
export async function startDockerRegistry(
  options: LocalRegistryOptions,
  onProgress: (progress: LocalBrokerProgress) => void,
): Promise<LocalRegistry> {
  const version = options.version ?? DEFAULT_REGISTRY_VERSION;
  const image = `apicurio/apicurio-registry:${version}`;
  const { GenericContainer, Wait } = await import('testcontainers');
  const [port = 0] = await freePorts(1);
  onProgress({ step: 'image', message: `Starting ${image} in Docker`, finished: false });
  let container: StartedTestContainer;
  try {
    container = await new GenericContainer(image)
      .withExposedPorts({ container: PORT, host: port })
      .withEnvironment(environment(options))
      .withWaitStrategy(Wait.forLogMessage(/Listening on: http/))
      .withStartupTimeout(options.startTimeoutMs ?? 180_000)
      .start();
  } catch (cause) {
    throw new MillraceError({
      code: 'MILLRACE_LOCAL_REGISTRY_FAILED',
      message: `The container ${image} did not come up.`,
      remedy:
        'Check that the Docker engine can pull the image, or set SCHEMA_REGISTRY_URL to a registry that runs.',
      cause,
    });
  }
  onProgress({ step: 'image', message: `${image} runs in Docker`, finished: true });
  let stopped: Promise<unknown> | undefined;
  return {
    url: `http://${container.getHost()}:${port}/apis/ccompat/v7`,
    version,
    source: 'docker',
    logFile: undefined,
    pid: undefined,
    stop: async () => {
      stopped ??= container.stop({ timeout: 0 });
      await stopped;
    },
    kill: () =>
      Promise.reject(
        new MillraceError({
          code: 'MILLRACE_LOCAL_REGISTRY_FAILED',
          message: 'A schema registry in Docker is restarted, not left dead.',
          remedy: "Use `restart()`, or ask for `roads: ['local']`.",
        }),
      ),
    restart: ({ stop = 'crash' } = {}) => container.restart({ timeout: stop === 'crash' ? 0 : 10_000 }),
  };
}

function environment(options: LocalRegistryOptions): Record<string, string> {
  const variables: Record<string, string> = {
    JAVA_MAX_MEM_RATIO: '0',
    JAVA_OPTS_APPEND: `-Xmx${options.heapMegabytes ?? 192}m`,
    // In the container's own file system, which a restart keeps.
    APICURIO_DATASOURCE_URL: 'jdbc:h2:file:/tmp/schemas;WRITE_DELAY=0',
  };
  for (const [key, value] of Object.entries(options.properties ?? {})) {
    variables[key.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()] = String(value);
  }
  return variables;
}
