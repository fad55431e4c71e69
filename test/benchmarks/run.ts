// `npm run bench`: both systems over the same backlog on the same broker, runs interleaved, outputs checked.
// Owns the order of things; how a run is measured is in harness/measure.ts.
import { randomBytes } from 'node:crypto';

import { findJava, progressLine, startLocalBroker } from '#libs/broker-local';

import { BenchCluster } from './harness/cluster.ts';
import { runJavaMain } from './harness/java-main.ts';
import { measureRestore, measureThroughput, stateFolder } from './harness/measure.ts';
import type { Run } from './harness/measure.ts';
import { PEER_HEAPS, readOptions } from './harness/options.ts';
import type { BenchOptions, Workload } from './harness/options.ts';
import { buildPeer } from './harness/peer-build.ts';
import { toJson, toTable } from './harness/report.ts';
import type { System, SystemTask } from './harness/system-process.ts';
import { kafkaStreams, millrace } from './harness/systems.ts';
import { inTurn } from './harness/turns.ts';
import { runLatency, runRebalance } from './steady.ts';

interface Bench {
  readonly options: BenchOptions;
  readonly cluster: BenchCluster;
  readonly java: string;
  readonly classpath: string;
  readonly input: string;
  /** The other input of a join; `undefined`: the work is none. */
  readonly second: string | undefined;
}

const progress = progressLine();
let running = 0;

/** What else the work reads. */
const SECOND_INPUT: Partial<Record<Workload, 'countries' | 'confirmations'>> = {
  'stream-table-join': 'countries',
  'stream-stream-join': 'confirmations',
};

function show(message: string, done?: number): void {
  progress({ step: 'start', message, finished: done === undefined, ...(done === undefined ? {} : { done }) });
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const java = (await findJava())?.java ?? 'java';
  const classpath = await buildPeer(show);
  const broker = await startLocalBroker({ heapMegabytes: 1024, properties: sessionOf(options) });
  const cluster = new BenchCluster(broker.bootstrapServers);
  try {
    await cluster.connect();
    const kind = SECOND_INPUT[options.workload];
    const second = kind === undefined ? undefined : uniqueName(kind);
    const bench: Bench = { options, cluster, java, classpath, input: uniqueName('payments'), second };
    const systems = systemsOf(bench);
    if (options.workload === 'latency' || options.workload === 'rebalance') {
      await measureSteady(bench, systems);
      return;
    }
    await produceBacklog(bench);
    const runs = new Map(systems.map((system): [System, Run[]] => [system, []]));
    if (options.workload === 'restore') await measureRestores(bench, runs);
    else await measureThroughputs(bench, runs);
    // Heaps under trial are told apart by their configuration.
    const results = [...runs].map(([{ name, config }, measured]) => ({ name, config, runs: measured }));
    const json = toJson(options.workload, results);
    console.log(toTable(json));
    if (options.json) console.log(JSON.stringify(json));
  } finally {
    await cluster.close();
    await broker.stop();
  }
}

/** A streams group's session is the broker's to say; of other groups each member says it. */
function sessionOf({ workload, protocol, sessionTimeoutMs }: BenchOptions): Record<string, number> {
  if (workload !== 'rebalance' || protocol !== 'streams') return {};
  return {
    'group.streams.session.timeout.ms': sessionTimeoutMs,
    'group.streams.min.session.timeout.ms': sessionTimeoutMs,
  };
}

function systemsOf({ options, java, classpath }: Bench): System[] {
  if (options.tunePeerHeap) return PEER_HEAPS.map((heap) => kafkaStreams(options, java, classpath, heap));
  const both = [millrace(options), kafkaStreams(options, java, classpath)];
  return options.only === undefined ? both : both.filter(({ name }) => name === options.only);
}

async function produceBacklog(bench: Bench): Promise<void> {
  const { records, keys, workload } = bench.options;
  await produce(bench, bench.input, 'payments', records, keys);
  const kind = SECOND_INPUT[workload];
  if (kind === undefined) return;
  await produce(bench, bench.second!, kind, kind === 'countries' ? keys : records, keys);
}

async function produce(
  { options, cluster, java, classpath }: Bench,
  topic: string,
  kind: string,
  records: number,
  keys: number,
): Promise<void> {
  await cluster.createTopic(topic, options.partitions);
  const message = `producing ${records.toLocaleString('en')} ${kind}, ${keys.toLocaleString('en')} keys`;
  const args = [cluster.bootstrapServers, topic, String(records), String(keys), kind];
  await runJavaMain(java, classpath, 'bench.Backlog', args, (event) => show(message, event.records ?? 0));
  show(message);
}

async function measureSteady(bench: Bench, systems: readonly System[]): Promise<void> {
  const { options } = bench;
  const { table, json } = await (options.workload === 'latency' ? runLatency : runRebalance)({
    ...bench,
    systems,
    uniqueName,
    show,
    preload: (topic, records) => produce(bench, topic, 'payments', records, records),
    check: (task) => checkOutput({ ...bench, input: task.input }, task),
  });
  console.log(table);
  if (options.json) console.log(JSON.stringify(json));
}

/** A table that is read before is not counted; both sides of a join of streams are. */
function measured({ options, input, second }: Bench): { inputs: string[]; records: number } {
  if (options.workload !== 'stream-stream-join') return { inputs: [input], records: options.records };
  return { inputs: [input, second!], records: 2 * options.records };
}

async function measureThroughputs(bench: Bench, runs: Map<System, Run[]>): Promise<void> {
  const { options, cluster } = bench;
  for (const { system } of inTurn([...runs.keys()], 0, options.repeat)) {
    const state = await stateFolder();
    const task = taskOf(bench, system, state.path);
    await cluster.createTopic(task.output, options.partitions);
    const message = `run ${++running} of ${options.repeat * runs.size}: ${system.name}, ${system.config}`;
    try {
      const { inputs, records } = measured(bench);
      const run = await measureThroughput(cluster, system, task, inputs, records, (done) =>
        show(message, done),
      );
      await checkOutput(bench, task);
      runs.get(system)?.push(run);
      show(`${message}: ${Math.round(run.recordsPerSecond).toLocaleString('en')} records/s, output correct`);
    } finally {
      // Topics stay until the broker goes: deleting them would give it work during the next run.
      await state.remove();
    }
  }
}

async function measureRestores(bench: Bench, runs: Map<System, Run[]>): Promise<void> {
  const { options, cluster } = bench;
  const prepared = new Map<System, { task: SystemTask; remove: () => Promise<void> }>();
  try {
    for (const system of runs.keys()) {
      const state = await stateFolder();
      const task = taskOf(bench, system, `${state.path}/state`);
      prepared.set(system, { task, remove: state.remove });
      await cluster.createTopic(task.output, options.partitions);
      const message = `filling the store of ${system.name}`;
      await measureThroughput(cluster, system, task, [task.input], options.records, (done) =>
        show(message, done),
      );
      await checkOutput(bench, task);
      show(message);
    }
    for (const { system } of inTurn([...runs.keys()], 0, options.repeat)) {
      const { task } = prepared.get(system)!;
      const run = await measureRestore(system, task, options.keys);
      runs.get(system)?.push(run);
      const rate = Math.round(run.recordsPerSecond).toLocaleString('en');
      show(
        `run ${++running} of ${options.repeat * runs.size}: ${system.name}, ${rate} records/s, ` +
          `running after ${(run.runningAfterSeconds ?? 0).toFixed(2)} s`,
      );
    }
  } finally {
    for (const { remove } of prepared.values()) await remove();
  }
}

function taskOf({ options, cluster, input, second }: Bench, system: System, stateDir: string): SystemTask {
  const applicationId = uniqueName(system.name);
  const { workload, threads } = options;
  const { bootstrapServers } = cluster;
  return {
    workload,
    bootstrapServers,
    applicationId,
    input,
    ...(second === undefined ? {} : { second }),
    output: `${applicationId}-out`,
    stateDir,
    threads,
  };
}

/** Every result, in its key's order where the work has one, and nothing else: checked by a Java consumer against the inputs. */
async function checkOutput(
  { options, cluster, java, classpath, input, second }: Bench,
  task: SystemTask,
): Promise<void> {
  const { bootstrapServers } = cluster;
  if (options.workload === 'stream-stream-join') {
    const args = [bootstrapServers, input, second!, task.output];
    await runJavaMain(java, classpath, 'bench.JoinCheck', args);
    return;
  }
  const { workload } = options;
  const isAggregate = workload === 'restore' || workload === 'latency' || workload === 'rebalance';
  const kind = isAggregate ? 'aggregate' : workload;
  await runJavaMain(java, classpath, 'bench.OutputCheck', [bootstrapServers, kind, input, task.output]);
}

function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
