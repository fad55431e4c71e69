// Owns a real Kafka for a user's tests: the one of KAFKA_BROKERS, a container where a Docker engine answers, else a broker started here from
// Apache Kafka's jars. What of it is started ends with the process, however that ends.
import type { LocalBrokerOptions } from '#libs/broker-local';

/** A container of `@testcontainers/kafka`, not started yet; that package need not be installed. */
export interface StartableKafkaContainer {
  start(): Promise<{
    getHost(): string;
    getMappedPort(port: number): number;
    stop(): Promise<unknown>;
  }>;
}

export interface KafkaFixtureOptions extends Pick<
  LocalBrokerOptions,
  'version' | 'properties' | 'heapMegabytes' | 'startTimeoutMs' | 'onProgress'
> {
  /**
   * The container to start where a Docker engine answers: `() => new KafkaContainer('confluentinc/cp-kafka:7.9.1').withKraft()`. Default: one
   * of Apache Kafka's own image, if the package `testcontainers` is there.
   */
  readonly container?: () => StartableKafkaContainer;
}

export interface KafkaFixture extends AsyncDisposable {
  /** `host:port`. */
  readonly brokers: readonly string[];
  /** For the option `kafka` of an application. */
  readonly kafka: { readonly brokers: readonly string[] };
  /** `env`: KAFKA_BROKERS. `container`: the one given. `docker`: Apache Kafka's image. `local`: its jars, on this machine's Java. */
  readonly source: 'env' | 'container' | 'docker' | 'local';
  /** Nothing happens to a broker of KAFKA_BROKERS. */
  stop(): Promise<void>;
}

/** Where `@testcontainers/kafka` has its plain listener. */
const CONTAINER_PORT = 9093;

/**
 * Resolves when the broker takes requests. In a spec: `beforeAll(async () => { kafka = await startKafka(); })`, `afterAll(() => kafka.stop())`.
 * @throws MillraceError MILLRACE_NO_BROKER_AVAILABLE nothing is there to start one with; MILLRACE_LOCAL_BROKER_FAILED it did not come up.
 */
export async function startKafka(options: KafkaFixtureOptions = {}): Promise<KafkaFixture> {
  // Loaded here: who tests with the driver alone needs none of it.
  const { brokerAvailability, startLocalBroker } = await import('#libs/broker-local');
  const { container, ...local } = options;
  if (container !== undefined) {
    const { road } = await brokerAvailability({ roads: ['env', 'docker'] });
    if (road === 'docker') return ofContainer(container());
  }
  const broker = await startLocalBroker(local);
  return fixture(broker.bootstrapServers, broker.source, () => broker.stop());
}

async function ofContainer(container: StartableKafkaContainer): Promise<KafkaFixture> {
  const started = await container.start();
  const address = `${started.getHost()}:${started.getMappedPort(CONTAINER_PORT)}`;
  return fixture([address], 'container', async () => void (await started.stop()));
}

function fixture(
  brokers: readonly string[],
  source: KafkaFixture['source'],
  end: () => Promise<void>,
): KafkaFixture {
  let ended: Promise<void> | null = null;
  const stop = (): Promise<void> => (ended ??= end());
  return { brokers, kafka: { brokers }, source, stop, [Symbol.asyncDispose]: stop };
}
