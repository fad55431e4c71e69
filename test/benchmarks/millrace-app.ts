// The benchmarks' work on Millrace, as a user would write it: the public API, the public serdes, the defaults.
// The protocol with the harness is in harness/system-process.ts.
import {
  Consumed,
  JoinWindows,
  createConsoleLogger,
  Materialized,
  Produced,
  Serdes,
  StreamJoined,
  StreamsApplication,
  StreamsBuilder,
  TimeWindows,
} from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';

import type { SystemTask } from './harness/system-process.ts';

interface Payment {
  readonly id: number;
  readonly account: string;
  readonly amount: number;
}

const task = JSON.parse(process.argv[2] ?? '{}') as SystemTask;

function event(name: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event: name, ...fields })}\n`);
}

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  const payments = builder.stream(task.input, Consumed.with(Serdes.string(), Serdes.json<Payment>()));
  if (task.workload === 'passthrough') {
    payments
      .mapValues(({ id, account, amount }) => ({ id, account, cents: amount * 100 }))
      .to(task.output, Produced.with(Serdes.string(), Serdes.json()));
    return builder;
  }
  if (task.workload === 'windowed-count') {
    payments
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeWithNoGrace(60_000))
      .count(Materialized.as('counts'))
      .toStream()
      .map(({ key: account, window }, count) => [account, { account, start: window.start, count }])
      .to(task.output, Produced.with(Serdes.string(), Serdes.json()));
    return builder;
  }
  if (task.workload === 'stream-table-join') {
    const text = Serdes.string();
    const countries = builder.table(task.second!, Consumed.with(text, text), Materialized.as('countries'));
    payments
      .join(countries, ({ id, account, amount }, country) => ({ id, account, cents: amount * 100, country }))
      .to(task.output, Produced.with(text, Serdes.json()));
    return builder;
  }
  if (task.workload === 'stream-stream-join') {
    const id = Serdes.safeInteger();
    const confirmations = builder.stream(
      task.second!,
      Consumed.with(Serdes.string(), Serdes.json<{ readonly id: number }>()),
    );
    payments
      .mapValues((payment) => payment.id)
      .join(
        confirmations.mapValues((confirmation) => confirmation.id),
        (payment, confirmation) => ({ payment, confirmation }),
        JoinWindows.ofTimeDifferenceAndGrace(10_000, 10_000),
        StreamJoined.with(Serdes.string(), id, id, { storeName: 'near' }),
      )
      .to(task.output, Produced.with(Serdes.string(), Serdes.json()));
    return builder;
  }
  payments
    .groupByKey()
    .aggregate(
      () => 0,
      (_account, payment, total) => total + payment.amount,
      Materialized.as('totals', { valueSerde: Serdes.safeInteger() }),
    )
    .toStream()
    .mapValues((total, account) => ({ account, total }))
    .to(task.output, Produced.with(Serdes.string(), Serdes.json()));
  return builder;
}

let restoring = false;
const onRestore: StreamsApplicationOptions['onRestore'] = (what) => {
  if (what !== 'start' || restoring) return;
  restoring = true;
  event('restoring');
};

const application = new StreamsApplication({
  applicationId: task.applicationId,
  kafka: { brokers: task.bootstrapServers.split(',') },
  topology,
  stateDir: task.stateDir,
  ...(task.sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs: task.sessionTimeoutMs }),
  ...(task.protocol === undefined ? {} : { groupProtocol: task.protocol }),
  ...(task.standbys === undefined || task.protocol === 'streams' ? {} : { numStandbys: task.standbys }),
  logger: createConsoleLogger(process.env['BENCH_LOG'] === 'debug' ? 'debug' : 'warn'),
  onRestore,
});
application.onStateChange((state) => {
  if (state !== 'RUNNING') return;
  if (restoring) event('restored', { records: application.figures?.restoredRecords ?? 0 });
  event('running');
});
event('started');
await application.start();
process.stdin.on('end', () => void application.stop()).resume();
await application.whenEnded();
event('stopped');
process.exit(0);
