// What the framework costs per record between a source and a sink: stream → aggregate → toStream → to, over ports that do as
// little as ports can. Beside it the same port calls written by hand; the difference is the chain's.
//
//   npm run -s node -- test/benchmarks/micro/operator-chain.ts [records]
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { Consumed, Materialized, StreamsBuilder } from '#libs/topology';
import type { RecordContext, SourceFunction, StoreEntry, StorePort, TaskPorts } from '#libs/topology';

const RECORDS = Number(process.argv[2] ?? 5_000_000);
const KEYS = 1_000;
const ROUNDS = 7;
const TARGET_NS = 60;

interface Entry extends StoreEntry {
  timestamp: number;
  value: unknown;
}

const unused = (): never => {
  throw new Error('not part of this chain');
};

function makePorts(): { ports: TaskPorts; context: { rawKey: BinaryString | null }; sum: () => number } {
  const entries = new Map<string, Entry>();
  let sum = 0;
  const store: StorePort = {
    entry(key) {
      let entry = entries.get(key);
      if (entry === undefined)
        entries.set(key, (entry = { key, encoded: null, timestamp: -1, value: undefined }));
      return entry;
    },
    value: (entry) => (entry as Entry).value,
    set(entry, value, timestamp) {
      (entry as Entry).value = value;
      (entry as Entry).timestamp = timestamp;
    },
    require: () => undefined,
  };
  const context: RecordContext & { rawKey: BinaryString | null } = {
    topic: 'in',
    partition: 0,
    offset: 0,
    timestamp: 0,
    streamTime: 0,
    rawKey: null,
    outputHeaders: null,
    headers: () => [],
  };
  const sink = {
    send(_key: unknown, value: unknown, timestamp: number) {
      sum += (value as number) + timestamp;
    },
  };
  const ports: TaskPorts = {
    context,
    taskId: '0_0',
    applicationId: 'bench',
    store: () => store,
    orderedStore: unused,
    globalStore: unused,
    clock: unused,
    alarm: unused,
    wallTime: () => 0,
    post: unused,
    intake: { hold: unused, release: unused },
    sink: () => sink,
    drop: () => undefined,
  };
  return { ports, context, sum: () => sum };
}

const text = Serdes.string();
const number = Serdes.float64();
const aggregator = (_key: string, value: number, total: number): number => total + value;

function chain(ports: TaskPorts): SourceFunction {
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('in', Consumed.with(text, number))
    .groupByKey()
    .aggregate(() => 0, aggregator, Materialized.as('totals', { valueSerde: number }))
    .toStream()
    .to('out');
  return builder.build().subTopologies[0]!.compile(ports).sources[0]!;
}

/** Eight stateless operators in a row, to see what one more costs. */
function statelessChain(ports: TaskPorts): SourceFunction {
  const builder = new StreamsBuilder();
  let stream = builder.stream<string, number>('in', Consumed.with(text, number));
  for (let index = 0; index < 4; index++) {
    stream = stream.filter((_key, value) => value >= 0).mapValues((value) => value + 1);
  }
  stream.to('out', { valueSerde: number });
  return builder.build().subTopologies[0]!.compile(ports).sources[0]!;
}

function byHand(ports: TaskPorts): SourceFunction {
  const { context } = ports;
  const store = ports.store('totals');
  const sink = ports.sink(0);
  return (key, value, timestamp) => {
    const entry = store.entry(context.rawKey!);
    const old = store.value(entry) as number | undefined;
    const total = aggregator(key as string, value as number, old ?? 0);
    const time = entry.timestamp > timestamp ? entry.timestamp : timestamp;
    store.set(entry, total, time);
    sink.send(key, total, time);
  };
}

const keys = Array.from({ length: KEYS }, (_none, index) => `key-${index}` as BinaryString);

/** Nanoseconds per record of one run. */
function run(make: (ports: TaskPorts) => SourceFunction): number {
  const { ports, context, sum } = makePorts();
  const process = make(ports);
  const start = performance.now();
  for (let index = 0; index < RECORDS; index++) {
    const key = keys[index % KEYS]!;
    context.rawKey = key;
    process(key, index & 7, index);
  }
  const elapsed_ms = performance.now() - start;
  if (!(sum() > 0)) throw new Error('nothing came out');
  return (elapsed_ms * 1e6) / RECORDS;
}

/** Bytes of new heap per record: what the chain and the ports allocate and leave to the collector. */
function allocatedPerRecord(make: (ports: TaskPorts) => SourceFunction): number {
  const { ports, context } = makePorts();
  const process = make(ports);
  const feed = (count: number): void => {
    for (let index = 0; index < count; index++) {
      const key = keys[index % KEYS]!;
      context.rawKey = key;
      process(key, index & 7, index & 1023);
    }
  };
  feed(200_000);
  const measured = 20_000;
  const before = globalThis.process.memoryUsage().heapUsed;
  feed(measured);
  return (globalThis.process.memoryUsage().heapUsed - before) / measured;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
const variants = { 'by hand': byHand, 'compiled chain': chain, '8 stateless operators': statelessChain };
const results = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, make] of Object.entries(variants)) {
    const ns = run(make);
    // The first round is the compiler's.
    if (round > 0) results.get(name)!.push(ns);
  }
}
for (const [name, times] of results)
  console.log(`${name.padEnd(24)} ${median(times).toFixed(1).padStart(6)} ns per record`);
const overhead = median(results.get('compiled chain')!) - median(results.get('by hand')!);
console.log(
  `${'framework overhead'.padEnd(24)} ${overhead.toFixed(1).padStart(6)} ns per record (target: below ${TARGET_NS})`,
);
for (const [name, make] of Object.entries(variants)) {
  console.log(
    `${name.padEnd(24)} ${allocatedPerRecord(make).toFixed(1).padStart(6)} bytes of heap per record`,
  );
}
