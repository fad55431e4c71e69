// Owns a broker in a container of Apache Kafka's own image, through Testcontainers, which also removes it when its
// starter is gone. The host's ports are chosen beforehand, since the broker must advertise them.
import type { StartedTestContainer } from 'testcontainers';

import { MillraceError } from '#libs/core';

import { freePorts } from './free-ports.ts';
import { DEFAULT_KAFKA_VERSION } from './local-broker.ts';
import type { LocalBroker, LocalBrokerOptions, LocalBrokerProgress } from './local-broker.ts';
import { SINGLE_NODE_DEFAULTS } from './server-properties.ts';

/** @throws MillraceError MILLRACE_LOCAL_BROKER_FAILED when the image or the container does not come up. */
export async function startDockerBroker(
  options: LocalBrokerOptions,
  onProgress: (progress: LocalBrokerProgress) => void,
): Promise<LocalBroker> {
  const version = options.version ?? DEFAULT_KAFKA_VERSION;
  const { GenericContainer, Wait } = await import('testcontainers');
  const [port = 0, proxyTarget = 0, proxyAdvertised = 0] = await freePorts(3);
  onProgress({ step: 'image', message: `Starting apache/kafka:${version} in Docker`, finished: false });
  let container: StartedTestContainer;
  try {
    container = await new GenericContainer(`apache/kafka:${version}`)
      .withExposedPorts({ container: port, host: port }, { container: proxyTarget, host: proxyTarget })
      .withEnvironment(environment(options, port, proxyTarget, proxyAdvertised))
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .withStartupTimeout(options.startTimeoutMs ?? 180_000)
      .start();
  } catch (cause) {
    throw new MillraceError({
      code: 'MILLRACE_LOCAL_BROKER_FAILED',
      message: `The container apache/kafka:${version} did not come up.`,
      remedy: 'Check that the Docker engine can pull the image, or set KAFKA_BROKERS to a broker that runs.',
      cause,
    });
  }
  onProgress({ step: 'image', message: `apache/kafka:${version} runs in Docker`, finished: true });
  return dockerBroker(container, version, port, { proxyTarget, proxyAdvertised });
}

function dockerBroker(
  container: StartedTestContainer,
  version: string,
  port: number,
  proxy: { readonly proxyTarget: number; readonly proxyAdvertised: number },
): LocalBroker {
  const plaintext = `${container.getHost()}:${port}`;
  let stopped: Promise<unknown> | undefined;
  return {
    bootstrapServers: [plaintext],
    version,
    source: 'docker',
    endpoints: { plaintext },
    proxyListener: {
      target: `${container.getHost()}:${proxy.proxyTarget}`,
      advertisedPort: proxy.proxyAdvertised,
    },
    certificate: undefined,
    logFile: undefined,
    dataDir: undefined,
    pid: undefined,
    stop: async () => {
      stopped ??= container.stop({ timeout: 0 });
      await stopped;
    },
    kill: () =>
      Promise.reject(
        new MillraceError({
          code: 'MILLRACE_LOCAL_BROKER_FAILED',
          message: 'A broker in Docker is restarted, not left dead.',
          remedy: "Use `restart()`, or ask for `roads: ['local']`.",
        }),
      ),
    // A timeout of 0 is SIGKILL.
    restart: ({ stop = 'crash' } = {}) => container.restart({ timeout: stop === 'crash' ? 0 : 10_000 }),
  };
}

function environment(
  options: LocalBrokerOptions,
  port: number,
  proxyTarget: number,
  proxyAdvertised: number,
): Record<string, string> {
  const heap = options.heapMegabytes ?? 512;
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@127.0.0.1:9093',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://:${port},PROXY://:${proxyTarget},CONTROLLER://:9093`,
    'advertised.listeners': `PLAINTEXT://localhost:${port},PROXY://127.0.0.1:${proxyAdvertised}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,CONTROLLER:PLAINTEXT',
    ...SINGLE_NODE_DEFAULTS,
    ...options.properties,
  };
  const variables: Record<string, string> = { KAFKA_HEAP_OPTS: `-Xmx${heap}m` };
  for (const [key, value] of Object.entries(properties)) {
    variables[`KAFKA_${key.replaceAll('.', '_').toUpperCase()}`] = String(value);
  }
  return variables;
}
