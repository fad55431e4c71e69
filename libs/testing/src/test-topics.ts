// Owns the two ends of a test: a topic that records are piped into, and one that records are read from. Names are those of Kafka
// Streams' TestInputTopic and TestOutputTopic. What runs in between is the driver's.
import type { BinaryString, RecordHeader } from '#libs/core';
import { SchemaPending, compileCodec, prepareSerdes } from '#libs/serde';
import type { Codec, Serde } from '#libs/serde';
import { checkedObject, checkedSerde, checkedTime, invalid } from './checks.ts';
import { inTopic, topicEmpty } from './errors.ts';
import { headersOf } from './test-records.ts';
import type { HeadersInput, RawRecord, TestRecord, TopicRecords } from './test-records.ts';

/** What a record has besides key and value; all of it may be left out. */
export interface PipeOptions {
  /** Milliseconds since the Unix epoch. Default: the topic's own time, see `InputTopicOptions`. */
  readonly timestamp?: number | undefined;
  readonly headers?: HeadersInput | undefined;
  /** Default: by the key's bytes, as Kafka's clients do; without a key the partitions in turn. */
  readonly partition?: number | undefined;
}

export interface InputTopicOptions {
  /** Timestamp of the first record that is given none, milliseconds since the Unix epoch. Default: the driver's wall clock now. */
  readonly startTimeMs?: number;
  /** By how much the time of each further record is later. Default 0. */
  readonly autoAdvanceMs?: number;
}

/** A record to be piped: `[key, value]`, `[key, value, timestamp]`, or an object. */
export type TestInput<K, V> =
  | readonly [key: K | null, value: V | null, timestamp?: number]
  | (PipeOptions & { readonly key?: K | null; readonly value?: V | null });

/** A record as its bytes, on its way in. */
export interface EncodedInput {
  readonly key: BinaryString | null;
  readonly value: BinaryString | null;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  readonly partition: number | undefined;
}

/** What the driver does for its input topics. */
export interface InputPort {
  now(): number;
  append(topic: string, record: EncodedInput): void;
  settle(): Promise<void>;
}

export class TestInputTopic<K, V> {
  readonly name: string;
  readonly #port: InputPort;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #prepare: () => Promise<void>;
  #prepared: Promise<void> | undefined;
  readonly #autoAdvanceMs: number;
  #timeMs: number;

  constructor(
    name: string,
    keySerde: Serde<K>,
    valueSerde: Serde<V>,
    options: InputTopicOptions,
    port: InputPort,
  ) {
    this.name = name;
    this.#port = port;
    this.#key = compileCodec(checkedSerde(`key serde of the topic "${name}"`, keySerde));
    this.#value = compileCodec(checkedSerde(`value serde of the topic "${name}"`, valueSerde));
    const use = { topic: name, kind: 'external', reads: false, writes: true } as const;
    this.#prepare = () =>
      prepareSerdes([
        [keySerde, { ...use, part: 'key' }],
        [valueSerde, { ...use, part: 'value' }],
      ]);
    const { autoAdvanceMs = 0, startTimeMs = port.now() } = checkedObject(
      'The options of the topic',
      options,
    );
    this.#autoAdvanceMs = checkedTime('autoAdvanceMs', autoAdvanceMs);
    this.#timeMs = checkedTime('startTimeMs', startTimeMs);
  }

  /** Moves the time of records that are given none. */
  advanceTime(ms: number): void {
    this.#timeMs += checkedTime('What time is advanced by', ms);
  }

  /**
   * Appends one record and lets the application process it: when this resolves, all that the record caused is committed and can be
   * read. @throws MillraceError MILLRACE_SERIALIZATION_FAILED for what the serdes do not take, or what the application failed with.
   */
  async pipe(key: K | null, value: V | null, options: PipeOptions = {}): Promise<void> {
    await this.append(key, value, options);
    await this.#port.settle();
  }

  /** Records one after the other, each processed and committed before the next. */
  async pipeAll(records: Iterable<TestInput<K, V>>): Promise<void> {
    if (typeof (records as Partial<typeof records> | null)?.[Symbol.iterator] !== 'function') {
      throw invalid('What is piped is no list of records.', 'Give an array of [key, value] or objects.');
    }
    for (const record of records) {
      checkedObject('The parts of the record', record);
      if (isTuple(record)) {
        const [key, value, timestamp] = record;
        await this.pipe(key, value, { timestamp });
      } else {
        await this.pipe(record.key ?? null, record.value ?? null, record);
      }
    }
  }

  /**
   * Only appends: the application has not seen the record when this resolves. Then `driver.step()` lets it go a little way, for a crash in the middle
   * of an epoch, and `driver.settle()` to the end.
   */
  async append(key: K | null, value: V | null, options: PipeOptions = {}): Promise<void> {
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    const given = checkedObject('The options of the record', options).timestamp;
    const timestamp = given === undefined ? this.#timeMs : checkedTime('The timestamp of the record', given);
    this.#port.append(this.name, {
      key: await this.#encode(this.#key, key),
      value: await this.#encode(this.#value, value),
      timestamp,
      headers: headersOf(options.headers),
      partition: options.partition,
    });
    if (options.timestamp === undefined) this.#timeMs += this.#autoAdvanceMs;
  }

  async #encode<T>(codec: Codec<T>, value: T | null): Promise<BinaryString | null> {
    if (value === null || value === undefined) return null;
    for (;;) {
      try {
        return codec.toBinary(value);
      } catch (error) {
        if (!(error instanceof SchemaPending)) throw inTopic(error, this.name, 'Piping into');
        await error.ready;
      }
    }
  }
}

function isTuple<K, V>(
  record: TestInput<K, V>,
): record is readonly [key: K | null, value: V | null, timestamp?: number] {
  return Array.isArray(record);
}

/** What the driver does for its output topics. */
export interface OutputPort {
  records(topic: string): TopicRecords;
}

export class TestOutputTopic<K, V> {
  readonly name: string;
  readonly #port: OutputPort;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(name: string, keySerde: Serde<K>, valueSerde: Serde<V>, port: OutputPort) {
    this.name = name;
    this.#port = port;
    this.#key = compileCodec(checkedSerde(`key serde of the topic "${name}"`, keySerde));
    this.#value = compileCodec(checkedSerde(`value serde of the topic "${name}"`, valueSerde));
  }

  /** How many records are not read yet. */
  get size(): number {
    return this.#port.records(this.name).unread;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /**
   * The next record. @throws MillraceError MILLRACE_TEST_TOPIC_EMPTY there is none, MILLRACE_DESERIALIZATION_FAILED the serdes do not
   * fit; the record is not read then.
   */
  read(): TestRecord<K, V> {
    const records = this.#port.records(this.name);
    const raw = records.peek();
    if (raw === undefined) throw topicEmpty(this.name);
    const record = this.#decode(raw);
    records.next();
    return record;
  }

  readValue(): V | null {
    return this.read().value;
  }

  readKeyValue(): [K | null, V | null] {
    const { key, value } = this.read();
    return [key, value];
  }

  /** All that is not read yet. */
  readAll(): TestRecord<K, V>[] {
    const read: TestRecord<K, V>[] = [];
    while (!this.isEmpty) read.push(this.read());
    return read;
  }

  readValues(): (V | null)[] {
    return this.readAll().map(({ value }) => value);
  }

  readKeyValues(): [K | null, V | null][] {
    return this.readAll().map(({ key, value }) => [key, value]);
  }

  /** The newest value of each key among what is not read yet: what a table of it holds. A tombstone leaves its key out. */
  readToMap(): Map<K | null, V> {
    const map = new Map<K | null, V>();
    const codes = new Map<string, K | null>();
    for (const { key, value } of this.readAll()) {
      // Keys that are objects are equal when their bytes are.
      const code = key === null ? '' : `=${this.#key.toBinary(key)}`;
      const known = codes.has(code) ? codes.get(code)! : key;
      codes.set(code, known);
      map.delete(known);
      if (value !== null) map.set(known, value);
    }
    return map;
  }

  /** All that the topic received since the start, read or not; it stays as unread as it was. */
  history(): TestRecord<K, V>[] {
    return this.#port.records(this.name).all.map((raw) => this.#decode(raw));
  }

  #decode(raw: RawRecord): TestRecord<K, V> {
    try {
      return {
        key: raw.key === null ? null : this.#key.fromBinary(raw.key, false),
        value: raw.value === null ? null : this.#value.fromBinary(raw.value, false),
        timestamp: raw.timestamp,
        headers: raw.headers,
        partition: raw.partition,
        offset: raw.offset,
      };
    } catch (error) {
      throw inTopic(error, this.name, 'Reading from');
    }
  }
}
