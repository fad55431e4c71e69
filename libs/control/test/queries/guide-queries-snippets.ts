// The code shown in docs/guide/queries.md, region by region. guide-queries.spec.ts holds the two together and runs each.
// #region imports
import { createQueryServer } from '#libs/control';
import {
  Consumed,
  Grouped,
  Materialized,
  Serdes,
  StoreQueryError,
  StreamsApplication,
  StreamsBuilder,
  TimeWindows,
  minutes,
} from '#libs/millrace';
// #endregion
import type { KafkaConnection } from '#libs/millrace';
import type { QueryServer } from '#libs/control';

export function application(kafka: KafkaConnection, port: number): StreamsApplication {
  // #region application
  const text = Serdes.string();
  const number = Serdes.json<number>();
  const builder = new StreamsBuilder();
  const payments = builder
    .stream('payments', Consumed.with(text, number))
    .groupByKey(Grouped.with(text, number));
  payments.reduce((sum, amount) => sum + amount, Materialized.as('totals'));
  payments.windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(5))).count(Materialized.as('per-five-minutes'));

  const application = new StreamsApplication({
    applicationId: 'payments',
    kafka,
    topology: builder,
    state: 'memory',
    instanceId: `payments-${port}`,
    applicationServer: `127.0.0.1:${port}`,
  });
  // #endregion
  return application;
}

export async function reads(application: StreamsApplication): Promise<unknown[]> {
  // #region reads
  const totals = application.store<string, number>('totals');
  const total = await totals.get('anna');
  const page = await totals.range({ lower: 'a', upper: 'm', limit: 100 });
  const names: string[] = [];
  for await (const { key } of totals.entries({ prefix: 'an' })) names.push(key);

  const windows = application.windowStore<string, number>('per-five-minutes');
  const recent = await windows.fetch('anna', { fromTime: Date.UTC(2024, 0, 1), reverse: true, limit: 12 });
  // #endregion
  return [total, page.entries.map(({ key }) => key), names, recent.entries.map(({ value }) => value)];
}

export async function patient(application: StreamsApplication, key: string): Promise<number | null> {
  // #region patient
  const totals = application.store<string, number>('totals');
  for (let attempt = 0; ; attempt++) {
    try {
      return await totals.get(key, { from: 'activeOrStandby', maxLag: 1_000 });
    } catch (error) {
      if (!(error instanceof StoreQueryError) || error.retryAfterMs === null || attempt === 5) throw error;
      if (error.owner !== null) throw error; // another instance has it: error.owner says which
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs!));
    }
  }
  // #endregion
}

export async function metadata(application: StreamsApplication): Promise<unknown[]> {
  // #region metadata
  const everywhere = application.metadataForStore('totals');
  const { partition, active, standbys } = await application.metadataForKey('totals', 'anna');
  // #endregion
  return [everywhere, partition, active, standbys];
}

export async function serving(application: StreamsApplication, port: number): Promise<QueryServer> {
  // #region serving
  const server = await createQueryServer(application, { port, host: '127.0.0.1' });
  // #endregion
  return server;
}

export async function follow(application: StreamsApplication, signal: AbortSignal): Promise<string[]> {
  const seen: string[] = [];
  // #region follow
  const totals = application.store<string, number>('totals');
  const { entries, sources } = await totals.all();
  const since = new Map(sources.map(({ partition, position }) => [partition, position ?? 0]));
  for await (const { entry, deleted, resume } of totals.changes({ since, signal })) {
    seen.push(`${entry.key} ${deleted ? 'is gone' : `is ${entry.value}`}, next time from ${resume}`);
  }
  // #endregion
  return [...entries.map(({ key }) => key), ...seen];
}
