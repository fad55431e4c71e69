// Drives a topology by hand, one task per sub-topology, over ports made of Maps: for the specs of this library only.
// Repartition topics lead at once into the sub-topology that reads them, encoded and decoded on the way as on a broker.
import { compileCodec } from '#libs/serde';
import type { BinaryString } from '#libs/core';
import type {
  CompiledTask,
  SinkSpec,
  SourceSpec,
  StoreEntry,
  StorePort,
  StoreSpec,
  Topology,
} from '#libs/topology';

export interface OutputRecord {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
}

interface FakeEntry extends StoreEntry {
  encoded: BinaryString | null;
  timestamp: number;
}

/** Every value is decoded afresh, so that an operator that changes an object without setting it is found out. */
export class FakeStore implements StorePort {
  readonly entries = new Map<BinaryString, FakeEntry>();
  /** Keys asked for, in order. */
  readonly asked: BinaryString[] = [];
  readonly #spec: StoreSpec;

  constructor(spec: StoreSpec) {
    this.#spec = spec;
  }

  entry(key: BinaryString): StoreEntry {
    this.asked.push(key);
    let entry = this.entries.get(key);
    if (entry === undefined) this.entries.set(key, (entry = { key, encoded: null, timestamp: -1 }));
    return entry;
  }

  value(entry: StoreEntry): unknown {
    return entry.encoded === null
      ? undefined
      : compileCodec(this.#spec.valueSerde).fromBinary(entry.encoded, false);
  }

  set(entry: StoreEntry, value: unknown, timestamp: number): void {
    if (value === undefined) throw new TypeError('undefined was set');
    const own = entry as FakeEntry;
    own.encoded = value === null ? null : compileCodec(this.#spec.valueSerde).toBinary(value);
    own.timestamp = timestamp;
  }

  /** Decoded content, with timestamps. */
  content(): Map<unknown, readonly [value: unknown, timestamp: number]> {
    const keyCodec = compileCodec(this.#spec.keySerde);
    return new Map(
      [...this.entries.values()]
        .filter(({ encoded }) => encoded !== null)
        .map((entry) => [keyCodec.fromBinary(entry.key, false), [this.value(entry), entry.timestamp]]),
    );
  }
}

interface Reader {
  readonly source: SourceSpec;
  readonly task: CompiledTask;
  readonly index: number;
  readonly context: { rawKey: BinaryString | null; timestamp: number };
}

export class Driver {
  readonly stores = new Map<string, FakeStore>();
  readonly drops: { readonly node: string; readonly code: string; readonly reason: string }[] = [];
  readonly tasks: CompiledTask[] = [];
  readonly #outputs = new Map<string, OutputRecord[]>();
  readonly #readers = new Map<string, Reader>();

  constructor(topology: Topology) {
    for (const sub of topology.subTopologies) {
      for (const spec of sub.stores) this.stores.set(spec.name, new FakeStore(spec));
      const context = {
        topic: '',
        partition: 0,
        offset: 0,
        timestamp: 0,
        streamTime: 0,
        rawKey: null,
        headers: () => [],
      };
      const task = sub.compile({
        context,
        store: (name) => this.stores.get(name)!,
        sink: (index) => ({
          send: (key, value, timestamp) => this.#send(sub.sinks[index]!, key, value, timestamp),
        }),
        drop: (node, code, reason) => this.drops.push({ node, code, reason }),
      });
      this.tasks.push(task);
      sub.sources.forEach((source, index) => {
        const name = source.kind === 'repartition' ? `${source.topic}-repartition` : source.topic;
        this.#readers.set(name, { source, task, index, context });
      });
    }
  }

  /** `rawKey`: key bytes as somebody else's producer may have written them. */
  pipe(topic: string, key: unknown, value: unknown, timestamp = 0, rawKey?: string): void {
    const reader = this.#readers.get(topic);
    if (reader === undefined) throw new Error(`nobody reads ${topic}`);
    const before = reader.context.rawKey;
    const encoded = key === null ? null : compileCodec(reader.source.keySerde).toBinary(key);
    reader.context.rawKey = rawKey === undefined ? encoded : (rawKey as BinaryString);
    reader.context.timestamp = timestamp;
    reader.task.sources[reader.index]!(key, value, timestamp);
    reader.context.rawKey = before;
  }

  outputs(topic: string): readonly OutputRecord[] {
    return this.#outputs.get(topic) ?? [];
  }

  /** `key=value@timestamp`, the form in which most specs expect them. */
  lines(topic: string): string[] {
    return this.outputs(topic).map(({ key, value, timestamp }) => `${text(key)}=${text(value)}@${timestamp}`);
  }

  #send(sink: SinkSpec, key: unknown, value: unknown, timestamp: number): void {
    const keyCodec = compileCodec(sink.keySerde);
    const valueCodec = compileCodec(sink.valueSerde);
    const sentKey = key === null ? null : keyCodec.fromBinary(keyCodec.toBinary(key), false);
    const sentValue = value === null ? null : valueCodec.fromBinary(valueCodec.toBinary(value), false);
    const topic = typeof sink.topic === 'function' ? sink.topic(key, value) : sink.topic;
    if (sink.kind === 'repartition') {
      this.pipe(`${topic}-repartition`, sentKey, sentValue, timestamp);
      return;
    }
    const list = this.#outputs.get(topic);
    const record = { key: sentKey, value: sentValue, timestamp };
    if (list === undefined) this.#outputs.set(topic, [record]);
    else list.push(record);
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
