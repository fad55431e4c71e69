// Fixtures of the runtime's specs: an application on logs in memory, and what its topics end up holding.
import type { Clock, Logger } from '#libs/core';
import { silentLogger, systemClock } from '#libs/core';
import { createMemoryStateBackend } from '#libs/state';
import type { StateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { StreamsRuntime, resolveRuntimeConfig } from '../src/index.ts';
import type { RuntimeOptions } from '../src/index.ts';
import type { InProcessBroker } from '../../../test/support/in-process-broker.ts';

export interface RunOptions extends Partial<RuntimeOptions> {
  readonly backend?: StateBackend;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

export function createRuntime(
  broker: InProcessBroker,
  topology: Topology,
  options: RunOptions = {},
): StreamsRuntime {
  const { backend, logger, clock, ...config } = options;
  return new StreamsRuntime({
    topology,
    config: resolveRuntimeConfig({ applicationId: 'app', instanceId: 'one', until: 'latest', ...config }),
    client: broker.client(),
    backend: backend ?? createMemoryStateBackend(),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock: clock ?? systemClock,
    logger: logger ?? silentLogger,
  });
}

/** Runs an application to the end of its input. */
export async function runToEnd(
  broker: InProcessBroker,
  topology: Topology,
  options: RunOptions = {},
): Promise<StreamsRuntime> {
  const runtime = createRuntime(broker, topology, options);
  await runtime.start();
  await runtime.whenEnded();
  return runtime;
}

/** Last value of each key over all partitions of a topic. */
export function latestByKey(broker: InProcessBroker, topic: string): Map<string, string | null> {
  const latest = new Map<string, string | null>();
  const partitions = broker.logs.get(topic)!.length;
  for (let partition = 0; partition < partitions; partition++) {
    for (const { key, value } of broker.records(topic, partition)) latest.set(String(key), value);
  }
  return latest;
}
