// Owns the road to a broker: KAFKA_BROKERS, else Docker, else Apache Kafka's jars, else an error that says what to do.
import { MillraceError } from '#libs/core';

import { brokerAvailability } from './availability.ts';
import { startDockerBroker } from './docker-broker.ts';
import { brokersFromEnvironment, envBroker } from './env-broker.ts';
import { startJarBroker } from './jar-broker.ts';
import type { LocalBroker, LocalBrokerOptions } from './local-broker.ts';
import { progressLine } from './progress.ts';

/**
 * Finds or starts a broker and answers once it takes requests.
 * @throws MillraceError MILLRACE_NO_BROKER_AVAILABLE where no road is open, MILLRACE_LOCAL_BROKER_FAILED where one is
 *   but the broker does not come up.
 */
export async function startLocalBroker(options: LocalBrokerOptions = {}): Promise<LocalBroker> {
  const onProgress = options.onProgress ?? progressLine();
  const availability = await brokerAvailability(options);
  switch (availability.road) {
    case 'env':
      return envBroker(brokersFromEnvironment() ?? []);
    case 'docker':
      return startDockerBroker(options, onProgress);
    case 'local':
      return startJarBroker(options, onProgress);
    case undefined:
      throw new MillraceError({
        code: 'MILLRACE_NO_BROKER_AVAILABLE',
        message: `No Kafka broker was given and none can be started here: ${availability.reasons.join(' ')}`,
        remedy:
          'Set KAFKA_BROKERS to a broker that runs (host:port), or start a Docker engine, ' +
          'or install a JDK 17 or newer and Maven.',
      });
  }
}
