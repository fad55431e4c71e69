// Owns instances of one application on a simulated cluster in this process, each with its query server on a port of its own.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import {
  Consumed,
  Grouped,
  Materialized,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  TimeWindows,
  minutes,
  silentLogger,
} from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';
import { createQueryServer } from '../../src/queries/index.ts';
import type { QueryServer, QueryServerOptions } from '../../src/queries/index.ts';

const text = Serdes.string();

export function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  const records = builder.stream('in', Consumed.with(text, text));
  const byKey = records.groupByKey(Grouped.with(text, text));
  byKey.reduce((_old, value) => value, Materialized.as('last'));
  byKey
    .windowedBy(TimeWindows.ofSizeAndGrace(minutes(1), minutes(1)))
    .count({ ...Materialized.as('per-minute'), retentionMs: 3_600_000 });
  return builder;
}

export interface QueriedInstance {
  readonly application: StreamsApplication;
  readonly server: QueryServer;
  readonly host: string;
  kill(): Promise<void>;
}

export class QueryInstances {
  readonly kafka = new SimulatedKafka();
  readonly all: QueriedInstance[] = [];

  constructor(partitions = 4) {
    this.kafka.createTopic('in', partitions);
  }

  async start(
    name: string,
    options: Partial<StreamsApplicationOptions> = {},
    serving: QueryServerOptions = {},
  ): Promise<QueriedInstance> {
    const place = this.kafka.host(name);
    const port = await freePort();
    const application = new StreamsApplication({
      applicationId: 'app',
      topology,
      state: 'memory',
      instanceId: name,
      logger: silentLogger,
      kafka: place.kafka,
      clock: place.clock,
      applicationServer: `127.0.0.1:${port}`,
      sessionTimeoutMs: 3_000,
      heartbeatIntervalMs: 300,
      ...options,
    });
    const server = await createQueryServer(application, { port, ...serving });
    const instance = {
      application,
      server,
      host: `127.0.0.1:${port}`,
      kill: async () => {
        place.kill();
        this.all.splice(this.all.indexOf(instance), 1);
        await server.close();
      },
    };
    this.all.push(instance);
    await application.start();
    await application.whenRunning();
    return instance;
  }

  /** Publishes, and waits until all of it is committed. */
  async feed(records: readonly (readonly [key: string, value: string, timestamp?: number])[]): Promise<void> {
    this.kafka.publish(
      'in',
      records.map(([key, value, timestamp = Date.now()]) => ({ key, value, timestamp })),
    );
    await until(() => this.kafka.lag('app', ['in']) === 0);
  }

  /** Until each instance has all the others' partitions named. */
  async routed(partitions: number): Promise<void> {
    await until(() =>
      this.all.every(({ application }) => {
        if (application.state !== 'RUNNING') return false;
        const others = application.metadataForStore('last');
        const known = others.flatMap(({ activePartitions }) => activePartitions);
        const isSpread = others.every(({ activePartitions }) => activePartitions.length > 0);
        return isSpread && others.length === this.all.length && new Set(known).size === partitions;
      }),
    );
  }

  async stop(): Promise<void> {
    for (const { server, application } of this.all.splice(0)) {
      await server.close();
      await application.stop();
    }
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export async function get(
  { server }: Pick<QueriedInstance, 'server'>,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(`${server.url}${path}`, { headers });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

export async function until(condition: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const endsAt = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
