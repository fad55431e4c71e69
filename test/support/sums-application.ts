// Owns the application that fault specs run: sums per key, every update emitted, exactly once. And the model of its output.
import { createKafkaClient } from '#libs/kafka';
import type { KafkaConfig } from '#libs/kafka';
import { createSilentOr } from './logging.ts';
import { systemClock } from '#libs/core';
import { StreamsRuntime, resolveRuntimeConfig } from '#libs/runtime';
import type { RuntimeOptions } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import type { StateBackend } from '#libs/state';
import { StreamsBuilder, checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import type { BrokerClient } from '#libs/broker';

export function sumsTopology(input: string, output: string): Topology {
  const key = Serdes.string();
  const value = Serdes.json<number>();
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>(input, { keySerde: key, valueSerde: value })
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, amount, sum) => sum + amount,
      { name: 'sums', keySerde: key, valueSerde: value },
    )
    .toStream()
    .to(output, { keySerde: key, valueSerde: value });
  return builder.build();
}

/** MILLRACE_TEST_GROUP_PROTOCOL=streams: the suites run in groups whose tasks the broker assigns. */
export function groupProtocolUnderTest(): Pick<RuntimeOptions, 'groupProtocol'> {
  return process.env['MILLRACE_TEST_GROUP_PROTOCOL'] === 'streams' ? { groupProtocol: 'streams' } : {};
}

export interface SumsApplication {
  readonly runtime: StreamsRuntime;
  readonly client: BrokerClient;
  /** Stops the runtime, if it still runs, and closes client and state. */
  close(): Promise<void>;
}

export interface SumsOptions extends Partial<RuntimeOptions> {
  readonly brokers: readonly string[];
  readonly requestTimeoutMs?: number;
  readonly sasl?: NonNullable<KafkaConfig['sasl']>;
  readonly backend?: StateBackend;
}

export async function startSums(topology: Topology, options: SumsOptions): Promise<SumsApplication> {
  const { brokers, requestTimeoutMs, sasl, backend = createMemoryStateBackend(), ...config } = options;
  const logger = createSilentOr('MILLRACE_TEST_LOG');
  const client = createKafkaClient(
    {
      brokers: [...brokers],
      clientId: config.instanceId ?? 'sums',
      ...(requestTimeoutMs === undefined ? {} : { requestTimeout: requestTimeoutMs }),
      ...(sasl === undefined ? {} : { sasl }),
    },
    { clock: systemClock, logger },
  );
  const runtime = new StreamsRuntime({
    topology,
    config: resolveRuntimeConfig({
      applicationId: 'sums',
      instanceId: 'one',
      ...groupProtocolUnderTest(),
      ...config,
    }),
    client,
    backend,
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock: systemClock,
    logger,
  });
  await runtime.start();
  return {
    runtime,
    client,
    async close() {
      await runtime.stop();
      await client.close();
      await backend.close();
    },
  };
}
