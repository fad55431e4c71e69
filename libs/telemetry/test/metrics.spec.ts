// Specifies the metrics of a running application as a Prometheus server scrapes them, over HTTP, from OpenTelemetry's own exporter; and
// holds the documentation and the dashboard to what is there.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  Consumed,
  Materialized,
  Produced,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  deadLetter,
  silentLogger,
} from '#libs/millrace';
import { METRICS, registerMetrics } from '../src/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const text = Serdes.string();
const number = Serdes.json<number>();

let exporter: PrometheusExporter;
let provider: MeterProvider;
let application: StreamsApplication;
let kafka: SimulatedKafka;
let url: string;

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .groupByKey()
    .reduce((sum, value) => sum + value, Materialized.as('sums'))
    .toStream()
    .to('sums', Produced.with(text, number));
  return builder;
}

beforeAll(async () => {
  exporter = new PrometheusExporter({ port: 0, host: '127.0.0.1' }, () => undefined);
  provider = new MeterProvider({ readers: [exporter] });
  await exporter.startServer();
  const { _server: http } = exporter as unknown as { _server: { address(): { port: number } } };
  url = `http://127.0.0.1:${http.address().port}/metrics`;
  kafka = new SimulatedKafka();
  for (const topic of ['orders', 'sums', 'dead']) kafka.createTopic(topic, 1);
  application = new StreamsApplication({
    applicationId: 'orders-app',
    kafka,
    topology,
    state: 'memory',
    instanceId: 'one',
    logger: silentLogger,
    exceptionHandlers: { deserialization: deadLetter('dead') },
  });
});

afterAll(async () => {
  await application.stop();
  await provider.shutdown();
});

/** By name and labels, as the exporter writes them; labels in alphabetical order, without those of all metrics. */
async function scrape(): Promise<Map<string, number>> {
  const page = await (await fetch(url)).text();
  const samples = new Map<string, number>();
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels, value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line)!;
    const kept = (labels ?? '')
      .split(/,(?=\w+=)/)
      .filter((label) => label !== '' && !/^(millrace_(application|instance)_id|otel_scope_)/.test(label))
      .sort();
    samples.set(kept.length === 0 ? name! : `${name!}{${kept.join(',')}}`, Number(value));
  }
  return samples;
}

function namesOf(samples: Iterable<string>): Set<string> {
  return new Set([...samples].map((sample) => sample.split('{')[0]!));
}

describe('metrics', () => {
  it('are those of the application once it is registered, from before its start until they are closed', async () => {
    expect((await scrape()).has('millrace_client_paused')).toBe(false);
    const registered = registerMetrics({ applications: [application], meterProvider: provider });
    expect((await scrape()).get('millrace_client_state{millrace_state="CREATED"}')).toBe(1);
    registered.close();
  });

  it('count what was processed, committed, dropped and written', async () => {
    registerMetrics({ applications: [application], meterProvider: provider });
    await application.start();
    await application.whenRunning();
    kafka.publish('orders', [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
      { key: 'c', value: 'no JSON' },
      { key: null, value: '1' },
    ]);
    while (kafka.lag('orders-app', ['orders']) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const samples = await scrape();
    const task = 'millrace_task_id="0_0"';
    const orders = 'messaging_destination_name="orders"';
    expect(Object.fromEntries(samples)).toMatchObject({
      'millrace_client_state{millrace_state="RUNNING"}': 1,
      'millrace_client_state{millrace_state="CREATED"}': 0,
      millrace_client_paused: 0,
      millrace_client_alive_stream_threads: 1,
      'millrace_client_tasks{millrace_task_phase="running"}': 1,
      [`millrace_task_process_total{${task}}`]: 4,
      [`millrace_task_dropped_records_total{error_type="MILLRACE_NULL_KEY",${task}}`]: 1,
      [`millrace_task_dead_letters_total{error_type="MILLRACE_DESERIALIZATION_FAILED",${task}}`]: 1,
      [`millrace_topic_records_consumed_total{${orders},millrace_source="KSTREAM-SOURCE-0000000000"}`]: 4,
      'millrace_topic_records_produced_total{messaging_destination_name="sums"}': 2,
      'millrace_topic_records_produced_total{messaging_destination_name="dead"}': 1,
      'millrace_topic_records_produced_total{messaging_destination_name="orders-app-sums-changelog"}': 2,
      [`millrace_consumer_records_lag{${orders},messaging_destination_partition_id="0",${task}}`]: 0,
      millrace_consumer_rebalance_total: 1,
      millrace_processor_node_record_e2e_latency_count_total: 4,
      'millrace_processor_node_record_e2e_latency_bucket_total{le="+Inf"}': 4,
    });
    expect(samples.get('millrace_thread_commit_total{millrace_epoch_outcome="committed"}')).toBeGreaterThan(
      0,
    );
    expect(samples.get('millrace_thread_process_time_total')).toBeGreaterThan(0);
  });

  it('carry application and instance', async () => {
    const page = await (await fetch(url)).text();
    expect(page).toMatch(
      /^millrace_client_paused\{.*millrace_application_id="orders-app",.*millrace_instance_id="one"/m,
    );
  });

  it('are refused of what is no application', () => {
    expect(() => registerMetrics({ applications: [{}] as never })).toThrow('MILLRACE_INVALID_CONFIG');
  });
});

/** As the exporter names it. */
function prometheusName({ name, kind }: { readonly name: string; readonly kind: string }): string {
  return name.replaceAll('.', '_') + (kind === 'counter' ? '_total' : '');
}

const PROMETHEUS_NAMES = new Set(Object.values(METRICS).map(prometheusName));

describe('the list of metrics', () => {
  it('names all that are exported, as they are exported', async () => {
    const exported = [...namesOf((await scrape()).keys())].filter((name) => name.startsWith('millrace_'));
    expect(exported.filter((name) => !PROMETHEUS_NAMES.has(name))).toEqual([]);
    expect(exported.length).toBeGreaterThan(20);
  });

  it('is documented whole, with the names of Kafka Streams', async () => {
    const page = await readFile(join(ROOT, 'docs/operations/metrics.md'), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `millrace.'));
    const documented = rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(documented).toEqual(
      Object.values(METRICS).map(({ name, kind, unit, attributes, kafka, description }) => [
        `\`${name}\``,
        `${kind}, \`${unit}\``,
        attributes.map((attribute) => `\`${attribute}\``).join(', ') || '–',
        kafka === null ? '–' : `\`${kafka.group}\`: \`${kafka.name}\``,
        description,
      ]),
    );
  });
});

describe('the Grafana dashboard', () => {
  interface Panel {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
    readonly panels?: readonly Panel[];
  }

  async function panels(): Promise<readonly Panel[]> {
    const dashboard = JSON.parse(await readFile(join(ROOT, 'docker/grafana/millrace.json'), 'utf8')) as {
      readonly panels: readonly Panel[];
    };
    return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  }

  it('asks only for metrics that exist, by labels that they have', async () => {
    const labels = new Set(
      Object.values(METRICS)
        .flatMap(({ attributes }) => attributes)
        .concat('millrace.application.id', 'millrace.instance.id', 'job', 'instance')
        .map((attribute) => attribute.replaceAll('.', '_')),
    );
    let asked = 0;
    for (const { title, targets = [] } of await panels()) {
      for (const { expr } of targets) {
        const names = expr.match(/\bmillrace_\w+(?=[{[\s)]|$)/g) ?? [];
        const used = [
          ...[...expr.matchAll(/\{([^}]*)\}/g)].flatMap(
            ([, inside]) => inside!.match(/\w+(?=\s*(=|!))/g) ?? [],
          ),
          ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, inside]) =>
            inside!.split(',').map((name) => name.trim()),
          ),
        ];
        const metricsAsked = names.filter((name) => !labels.has(name));
        expect([title, expr, metricsAsked.length]).not.toEqual([title, expr, 0]);
        expect([title, metricsAsked.filter((name) => !PROMETHEUS_NAMES.has(name))]).toEqual([title, []]);
        expect([title, used.filter((name) => !labels.has(name))]).toEqual([title, []]);
        asked++;
      }
    }
    expect(asked).toBeGreaterThan(15);
  });
});
