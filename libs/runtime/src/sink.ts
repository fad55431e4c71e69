// Owns the last step of a record inside a task: serialise, choose the partition, append. One object per sink and task.
import type { BinaryString } from '#libs/core';
import { MillraceError, asError } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { SinkPort, SinkSpec } from '#libs/topology';
import type { KeyValueStoreCache, OrderedStoreCache } from '#libs/state';
import type { OutputCollector, TopicOutput } from './output-collector.ts';
import type { PartitionOutput } from './partition-output.ts';
import type { TaskContext } from './task-context.ts';

/** The store a value may just have been encoded for. */
type ValueStore = Pick<KeyValueStoreCache | OrderedStoreCache, 'encodingOf'>;

export class TaskSink implements SinkPort {
  private readonly spec: SinkSpec;
  private readonly context: TaskContext;
  private readonly collector: OutputCollector;
  private readonly keyCodec: Codec<unknown>;
  private readonly valueCodec: Codec<unknown>;
  /** Fixed topics are resolved once. */
  private readonly fixed: TopicOutput | null;
  private readonly valueStore: ValueStore | null;

  constructor(
    spec: SinkSpec,
    topic: string | null,
    context: TaskContext,
    collector: OutputCollector,
    valueStore: ValueStore | null,
  ) {
    this.spec = spec;
    this.context = context;
    this.collector = collector;
    this.keyCodec = compileCodec(spec.keySerde);
    this.valueCodec = compileCodec(spec.valueSerde);
    this.fixed = topic === null ? null : collector.topic(topic);
    this.valueStore = valueStore;
  }

  send(key: unknown, value: unknown, timestamp: number): void {
    try {
      this.route(key, value, timestamp);
    } catch (error) {
      // Half of the output may be in the batch: its record fails, whatever the function that forwarded it makes of the error.
      this.collector.failedSink ??= this.spec.name;
      throw this.collector.await(asError(error));
    }
  }

  private route(key: unknown, value: unknown, timestamp: number): void {
    const context = this.context;
    const keyBytes = this.spec.keyIsSourceKey ? context.rawKey : this.encodeKey(key);
    const topic = this.fixed ?? this.resolve(key, value);
    if (this.spec.partitioner === null) {
      this.write(topic.choose(this.partitioned(keyBytes)), keyBytes, value, timestamp);
      return;
    }
    const chosen = this.spec.partitioner(topic.topic, key, value, topic.partitions.length, context);
    if (chosen === null || chosen === undefined) {
      this.write(topic.choose(this.partitioned(keyBytes)), keyBytes, value, timestamp);
    } else if (typeof chosen === 'number') {
      this.write(this.partition(topic, chosen), keyBytes, value, timestamp);
    } else {
      for (let index = 0; index < chosen.length; index++) {
        this.write(this.partition(topic, chosen[index]!), keyBytes, value, timestamp);
      }
    }
  }

  private write(
    output: PartitionOutput,
    keyBytes: BinaryString | null,
    value: unknown,
    timestamp: number,
  ): void {
    this.collector.open(output);
    const size = this.append(output, keyBytes, value, timestamp);
    this.collector.checkSize(output, size);
  }

  private append(
    output: PartitionOutput,
    key: BinaryString | null,
    value: unknown,
    timestamp: number,
  ): number {
    const headers = this.context.encodedHeaders();
    if (value === null || value === undefined) return output.encoder.append(timestamp, key, null, headers);
    const reusable = this.valueStore === null ? undefined : this.valueStore.encodingOf(value);
    if (reusable !== undefined) return output.encoder.append(timestamp, key, reusable, headers);
    const { writeTo, toText } = this.valueCodec;
    if (writeTo !== undefined) {
      const size = output.encoder.appendValue(timestamp, key, value, writeTo, headers);
      if (size >= 0) return size;
    }
    if (toText !== undefined) return output.encoder.appendText(timestamp, key, toText(value), headers);
    return output.encoder.append(timestamp, key, this.valueCodec.toBinary(value), headers);
  }

  private encodeKey(key: unknown): BinaryString | null {
    return key === null || key === undefined ? null : this.keyCodec.toBinary(key);
  }

  /** The part of the key that the default partition goes by. */
  private partitioned(key: BinaryString | null): BinaryString | null {
    const suffixBytes = this.spec.keySuffixBytes ?? 0;
    return key === null || suffixBytes === 0 ? key : (key.slice(0, -suffixBytes) as BinaryString);
  }

  private resolve(key: unknown, value: unknown): TopicOutput {
    const chooser = this.spec.topic;
    return this.collector.topic(typeof chooser === 'function' ? chooser(key, value, this.context) : chooser);
  }

  private partition(topic: TopicOutput, chosen: number): PartitionOutput {
    const count = topic.partitions.length;
    const output = topic.partitions[chosen];
    if (output === undefined) {
      throw new MillraceError({
        code: 'MILLRACE_PROCESSING_FAILED',
        message: `The partitioner of sink "${this.spec.name}" chose partition ${chosen} of topic "${topic.topic}", which has ${count}.`,
        remedy: 'Return an integer from 0 to the partition count less one, or null for the default.',
        context: { topic: topic.topic, chosen, count },
      });
    }
    return output;
  }
}
