// Drives a topology by hand, one task per sub-topology, over ports made of Maps: for the specs of this library only.
// Repartition topics lead into the sub-topology that reads them, once the record in process is done, encoded and decoded on the way.
// After each record the alarms that are due are fired; `advanceWallClock` and `advanceEventTime` move time without a record.
import { compileCodec } from '#libs/serde';
import type { BinaryString, RecordHeader } from '#libs/core';
import type {
  AlarmFunction,
  CompiledTask,
  GlobalStorePort,
  OperatorClock,
  RecordContext,
  SinkSpec,
  SourceSpec,
  SubTopology,
  TaskPorts,
  Topology,
} from '#libs/topology';
import { FakeOrderedStore, FakeStore } from './fake-stores.ts';

export { FakeOrderedStore, FakeStore } from './fake-stores.ts';

export interface OutputRecord {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  /** Only of sinks with a partitioner, which is told of `Driver.partitionCount` partitions. */
  readonly partition?: number | null;
}

interface Context extends RecordContext {
  topic: string;
  offset: number;
  timestamp: number;
  streamTime: number;
  rawKey: BinaryString | null;
  recordHeaders: readonly RecordHeader[];
}

class FakeClock implements OperatorClock {
  now = -1;
  readonly onAdvance: ((now: number) => void) | null;

  constructor(onAdvance: ((now: number) => void) | null) {
    this.onAdvance = onAdvance;
  }

  observe(timestamp: number): number {
    if (timestamp > this.now) this.now = timestamp;
    return this.now;
  }
}

interface FakeAlarm {
  readonly kind: 'event' | 'wall';
  readonly fire: AlarmFunction;
  at: number;
}

class FakeGlobalStore implements GlobalStorePort {
  readonly content = new Map<BinaryString, { readonly value: unknown; readonly timestamp: number }>();

  get(key: BinaryString): unknown {
    return this.content.get(key)?.value;
  }

  timestampOf(key: BinaryString): number {
    return this.content.get(key)?.timestamp ?? -1;
  }

  *entries(): Iterable<readonly [BinaryString, unknown]> {
    for (const [key, { value }] of this.content) yield [key, value];
  }
}

/** One sub-topology at work. */
class FakeTask {
  readonly compiled: CompiledTask;
  readonly context: Context;
  readonly clocks: FakeClock[] = [];
  readonly alarms: FakeAlarm[] = [];
  readonly posted: (() => void)[] = [];
  readonly holders = new Set<object>();

  constructor(sub: SubTopology, driver: Driver) {
    this.context = {
      topic: '',
      partition: 0,
      offset: -1,
      timestamp: 0,
      streamTime: -1,
      rawKey: null,
      outputHeaders: null,
      recordHeaders: [],
      headers: () => this.context.recordHeaders,
    };
    const ports: TaskPorts = {
      context: this.context,
      taskId: `${sub.id}_0`,
      applicationId: 'app',
      store: (name) => driver.stores.get(name)!,
      orderedStore: (name) => driver.orderedStores.get(name)!,
      globalStore: (name) => driver.globalStores.get(name)!,
      sink: (index) => ({
        send: (key, value, timestamp) => driver.send(sub.sinks[index]!, key, value, timestamp, this.context),
      }),
      drop: (node, code, reason) => driver.drops.push({ node, code, reason }),
      clock: (_name, onAdvance) => {
        const clock = new FakeClock(onAdvance);
        this.clocks.push(clock);
        return clock;
      },
      alarm: (kind, fire) => {
        const alarm: FakeAlarm = { kind, fire, at: -Infinity };
        this.alarms.push(alarm);
        return {
          due: (time) => {
            alarm.at = Math.min(alarm.at, time);
          },
        };
      },
      wallTime: () => driver.wallTime,
      post: (deliver) => this.posted.push(deliver),
      intake: {
        hold: (holder) => this.holders.add(holder),
        release: (holder) => this.holders.delete(holder),
      },
    };
    this.compiled = sub.compile(ports);
    this.compiled.init();
  }

  scope(run: () => void): void {
    this.context.topic = '';
    this.context.offset = -1;
    this.context.rawKey = null;
    this.context.outputHeaders = null;
    this.context.recordHeaders = [];
    run();
  }

  settle(wallTime: number): void {
    for (let again = true; again;) {
      again = false;
      for (const deliver of this.posted.splice(0)) {
        this.scope(deliver);
        again = true;
      }
      for (const alarm of this.alarms) {
        const now = alarm.kind === 'event' ? this.context.streamTime : wallTime;
        while (alarm.at <= now) {
          this.scope(() => {
            this.context.timestamp = now;
            alarm.at = Infinity;
            alarm.at = Math.min(alarm.at, alarm.fire(now));
          });
          again = true;
        }
      }
    }
  }
}

interface Reader {
  readonly source: SourceSpec;
  readonly task: FakeTask;
  readonly index: number;
  nextOffset: number;
}

export class Driver {
  static readonly partitionCount = 4;
  readonly stores = new Map<string, FakeStore>();
  readonly orderedStores = new Map<string, FakeOrderedStore>();
  readonly globalStores = new Map<string, FakeGlobalStore>();
  readonly drops: { readonly node: string; readonly code: string; readonly reason: string }[] = [];
  readonly tasks: CompiledTask[] = [];
  wallTime = 0;
  readonly #fakes: FakeTask[] = [];
  readonly #topology: Topology;
  readonly #outputs = new Map<string, OutputRecord[]>();
  readonly #onTheWay: (() => void)[] = [];
  #isDelivering = false;
  readonly #readers = new Map<string, Reader>();

  constructor(topology: Topology) {
    this.#topology = topology;
    for (const { name } of topology.globalStores) this.globalStores.set(name, new FakeGlobalStore());
    for (const sub of topology.subTopologies) {
      for (const spec of sub.stores) {
        if (spec.kind === 'keyValue') this.stores.set(spec.name, new FakeStore(spec));
        else this.orderedStores.set(spec.name, new FakeOrderedStore(spec));
      }
      const task = new FakeTask(sub, this);
      this.#fakes.push(task);
      this.tasks.push(task.compiled);
      sub.sources.forEach((source, index) => {
        const name = source.kind === 'repartition' ? `${source.topic}-repartition` : source.topic;
        this.#readers.set(name, { source, task, index, nextOffset: 0 });
      });
    }
  }

  /** `rawKey`: key bytes as somebody else's producer may have written them. */
  pipe(
    topic: string,
    key: unknown,
    value: unknown,
    timestamp = 0,
    rawKey?: string,
    headers: readonly RecordHeader[] = [],
  ): void {
    const global = this.#topology.globalStores.find((store) => store.topic === topic);
    if (global !== undefined) {
      if (key === null) return;
      const { content } = this.globalStores.get(global.name)!;
      const encoded = compileCodec(global.keySerde).toBinary(key);
      if (value === null) content.delete(encoded);
      else content.set(encoded, { value, timestamp });
      return;
    }
    const reader = this.#readers.get(topic);
    if (reader === undefined) throw new Error(`nobody reads ${topic}`);
    const { context } = reader.task;
    const before = { ...context };
    const encoded = key === null ? null : compileCodec(reader.source.keySerde).toBinary(key);
    context.rawKey = rawKey === undefined ? encoded : (rawKey as BinaryString);
    context.topic = topic;
    context.offset = reader.nextOffset++;
    context.timestamp = timestamp;
    context.outputHeaders = null;
    context.recordHeaders = headers;
    context.streamTime = Math.max(context.streamTime, timestamp);
    reader.task.compiled.sources[reader.index]!(key, value, timestamp);
    const { streamTime } = context;
    Object.assign(context, before, { streamTime });
    reader.task.settle(this.wallTime);
    this.#deliver();
  }

  /** Wall-clock alarms, and what was posted meanwhile. */
  advanceWallClock(ms: number): void {
    this.wallTime += ms;
    for (const task of this.#fakes) task.settle(this.wallTime);
    this.#deliver();
  }

  /** Time moves without a record, as by a watermark of idle inputs. */
  advanceEventTime(to: number): void {
    for (const task of this.#fakes) {
      task.context.streamTime = Math.max(task.context.streamTime, to);
      for (const clock of task.clocks) {
        if (clock.now >= to) continue;
        clock.now = to;
        task.scope(() => clock.onAdvance?.(to));
      }
      task.settle(this.wallTime);
    }
    this.#deliver();
  }

  /** Runs what was posted from outside, such as results of calls. */
  settle(): void {
    for (const task of this.#fakes) task.settle(this.wallTime);
    this.#deliver();
  }

  /** Does an operator hold the intake of the sub-topology back? */
  isHeld(subTopology = 0): boolean {
    return this.#fakes[subTopology]!.holders.size > 0;
  }

  outputs(topic: string): readonly OutputRecord[] {
    return this.#outputs.get(topic) ?? [];
  }

  /** `key=value@timestamp`, the form in which most specs expect them. */
  lines(topic: string): string[] {
    return this.outputs(topic).map(({ key, value, timestamp }) => `${text(key)}=${text(value)}@${timestamp}`);
  }

  /** What is on the way in repartition topics, one record after the other. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      for (let next = this.#onTheWay.shift(); next !== undefined; next = this.#onTheWay.shift()) next();
    } finally {
      this.#isDelivering = false;
    }
  }

  send(sink: SinkSpec, key: unknown, value: unknown, timestamp: number, context: RecordContext): void {
    const headers = context.outputHeaders ?? context.headers();
    const keyCodec = compileCodec(sink.keySerde);
    const valueCodec = compileCodec(sink.valueSerde);
    const sentKey = key === null ? null : keyCodec.fromBinary(keyCodec.toBinary(key), false);
    const sentValue = value === null ? null : valueCodec.fromBinary(valueCodec.toBinary(value), false);
    const topic = typeof sink.topic === 'function' ? sink.topic(key, value, context) : sink.topic;
    if (sink.kind === 'repartition') {
      this.#onTheWay.push(() =>
        this.pipe(`${topic}-repartition`, sentKey, sentValue, timestamp, undefined, headers),
      );
      return;
    }
    const list = this.#outputs.get(topic) ?? [];
    this.#outputs.set(topic, list);
    const record = { key: sentKey, value: sentValue, timestamp, headers };
    if (sink.partitioner === null) {
      list.push(record);
      return;
    }
    const chosen = sink.partitioner(topic, key, value, Driver.partitionCount, context);
    const partitions = Array.isArray(chosen) ? (chosen as readonly number[]) : [chosen as number | null];
    for (const partition of partitions) list.push({ ...record, partition });
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
