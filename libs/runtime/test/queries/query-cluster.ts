// Owns instances of an application on the simulated cluster, whose stores a spec reads while they are processed, moved and lost.
import { createBrokerClient } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import { createMemoryStateBackend } from '#libs/state';
import type { MemoryStateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import {
  AnyStore,
  QueryableSessionStore,
  QueryableStore,
  QueryableVersionedStore,
  QueryableWindowStore,
  StreamsRuntime,
  resolveRuntimeConfig,
} from '../../src/index.ts';
import type { RuntimeOptions } from '../../src/index.ts';

export interface QueryInstance {
  readonly id: string;
  readonly runtime: StreamsRuntime;
  readonly process: SimulatedProcess;
  readonly backend: MemoryStateBackend;
}

const SESSION_MS = 6_000;

export class QueryCluster {
  readonly clock = new VirtualClock();
  readonly cluster: MemoryCluster = createMemoryCluster({ clock: this.clock, latencyMs: 1 });
  readonly instances: QueryInstance[] = [];
  private readonly topology: () => Topology;

  constructor(topics: Readonly<Record<string, number>>, topology: () => Topology) {
    for (const [name, partitions] of Object.entries(topics))
      this.cluster.topics.create(name, partitions, { 'retention.ms': '-1' });
    this.topology = topology;
  }

  /** Begins to start; `settle` waits until all run. */
  async start(id: string, options: Partial<RuntimeOptions> = {}): Promise<QueryInstance> {
    const process = this.cluster.process(id);
    const { clock } = process;
    const backend = createMemoryStateBackend({ clock, survivesReopen: true });
    const runtime = new StreamsRuntime({
      topology: this.topology(),
      config: resolveRuntimeConfig({
        applicationId: 'app',
        instanceId: id,
        applicationServer: `${id}:8080`,
        sessionTimeoutMs: SESSION_MS,
        heartbeatIntervalMs: 1_000,
        ...options,
      }),
      client: createBrokerClient({ rpc: process.rpc(), clock }),
      backend,
      checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
      clock,
      logger: silentLogger,
    });
    const instance = { id, runtime, process, backend };
    this.instances.push(instance);
    await this.run(runtime.start());
    return instance;
  }

  /** Gives what `promise` gives, moving time as far as it needs. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  /** Until all run, and have committed what they processed. */
  async settle(): Promise<void> {
    await this.advance(2_000);
    await this.clock.runUntil(
      () =>
        this.instances.every(
          ({ runtime }) => runtime.lifecycle.state === 'RUNNING' && runtime.figures?.uncommitted !== true,
        ),
      120_000,
    );
    await this.advance(1_000);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  append(topic: string, partition: number, ...records: (readonly [string, string | null, number?])[]): void {
    this.cluster.topics.append(
      topic,
      partition,
      records.map(([key, value, timestamp = this.clock.now()]) => ({ key, value, timestamp })),
    );
  }

  kill(instance: QueryInstance): void {
    instance.process.kill();
    this.instances.splice(this.instances.indexOf(instance), 1);
  }
}

export const table = <V = string>(one: QueryInstance, name: string): QueryableStore<string, V> =>
  new QueryableStore<string, V>(one.runtime.queries, name);
export const windows = <V = number>(one: QueryInstance, name: string): QueryableWindowStore<string, V> =>
  new QueryableWindowStore<string, V>(one.runtime.queries, name);
export const sessions = <V = number>(one: QueryInstance, name: string): QueryableSessionStore<string, V> =>
  new QueryableSessionStore<string, V>(one.runtime.queries, name);
export const versions = <V = string>(one: QueryInstance, name: string): QueryableVersionedStore<string, V> =>
  new QueryableVersionedStore<string, V>(one.runtime.queries, name);
export const any = (one: QueryInstance, name: string): AnyStore<string> =>
  new AnyStore<string>(one.runtime.queries, name);
