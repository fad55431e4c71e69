// Every topology here is one of golden/TablesGolden.java, call by call; Kafka Streams 4.3.1 says what must come out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Windowed } from '#libs/serde';
import {
  Consumed,
  Grouped,
  Materialized,
  Produced,
  SessionWindows,
  SlidingWindows,
  Stores,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
import type {
  CogroupedKStream,
  KeyValue,
  FixedKeyProcessor,
  FixedKeyProcessorContext,
  FixedKeyRecord,
  KStream,
  KTable,
  Processor,
  ProcessorContext,
  ProcessorRecord,
  VersionedRecord,
} from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text } from './fixtures.ts';

type Nullable = string | null;
const consumed = Consumed.with(text, text);
const stream = (b: StreamsBuilder): KStream<Nullable, Nullable> =>
  b.stream<Nullable, Nullable>('in', consumed);
const other = (b: StreamsBuilder): KStream<Nullable, Nullable> =>
  b.stream<Nullable, Nullable>('table', consumed);
const rows = (b: StreamsBuilder): KTable<string, string> =>
  b.table('table', consumed, Materialized.as('rows'));
const nameOf = (key: unknown): Nullable => {
  if (key === null || typeof key === 'string') return key;
  const { key: inner, window } = key as Windowed<string>;
  return `${inner}@${window.start}-${window.end}`;
};
const out = <K, V>(results: KStream<K, V>): void =>
  results
    .selectKey((key): Nullable => nameOf(key))
    .mapValues((value) => (value === null ? null : String(value)))
    .to('out', Produced.with(text, text));
const kept = (name: string): Materialized<string, string> => ({ name, keySerde: text, valueSerde: text });

const group = (_key: string, value: string): KeyValue<Nullable, Nullable> =>
  value === 'v0'
    ? [null, value]
    : [Number(value.charAt(1)) % 2 === 0 ? 'even' : 'odd', value === 'v1' ? null : value];
const grouped = Grouped.with(text, text, { name: 'g' });
const plus = (x: string, y: string): string => x + y;
const minus = (from: string, what: string): string => {
  const at = from.indexOf(what);
  return at < 0 ? `${from}-${what}` : from.slice(0, at) + from.slice(at + what.length);
};

const cogroup = (b: StreamsBuilder): CogroupedKStream<string, string> =>
  stream(b)
    .groupByKey()
    .cogroup<string>((_k, v, x) => x + v)
    .cogroup(other(b).groupByKey(), (_k, v, x) => x + ((v as Nullable)?.toUpperCase() ?? '_'));

const list = (entries: readonly KeyValue<string, string>[]): string =>
  entries.map(([key, value]) => `${key}${value} `).join('');

const kv = Stores.keyValueStore('kv', { keySerde: text, valueSerde: text });

class KeyValues implements Processor<Nullable, Nullable, Nullable, string> {
  #context!: ProcessorContext<Nullable, string>;

  init(context: ProcessorContext<Nullable, string>): void {
    this.#context = context;
    const store = context.getStateStore(kv);
    context.schedule(30, 'stream-time', (now) =>
      context.forward({ key: 'punctuated', value: list(store.reverseAll()), timestamp: now }),
    );
  }

  process(record: ProcessorRecord<Nullable, Nullable>): void {
    const { key, value, timestamp } = record;
    const store = this.#context.getStateStore(kv);
    if (key === null) return;
    if (value === null) {
      this.#context.forward(record.withValue(`was ${String(store.delete(key))}`));
      return;
    }
    const old = store.putIfAbsent(key, value);
    if (old !== null) store.put(key, value === 'v0' ? null : value);
    const all = `${String(old)}: ${list(store.range('a', 'b'))}| ${list(store.all())}`;
    this.#context.forward({ key, value: all, timestamp: timestamp + 1 });
  }
}

const windows = Stores.windowStore('w', {
  keySerde: text,
  valueSerde: text,
  retentionMs: 100,
  windowSizeMs: 10,
});
const sessions = Stores.sessionStore('s', { keySerde: text, valueSerde: text, retentionMs: 100 });
const versions = Stores.versionedKeyValueStore('v', {
  keySerde: text,
  valueSerde: text,
  historyRetentionMs: 60,
});
const show = (version: VersionedRecord<string> | null): string =>
  version === null ? 'null' : `${version.value}@${version.timestamp}`;

class Values implements FixedKeyProcessor<Nullable, Nullable, string> {
  #context!: FixedKeyProcessorContext<string>;

  init(context: FixedKeyProcessorContext<string>): void {
    this.#context = context;
  }

  process(record: FixedKeyRecord<Nullable, Nullable>): void {
    if (record.value === null) return;
    this.#context.forward(record.withValue(`${record.value}!`));
    if (record.value === 'v1') this.#context.forward({ value: 'again', timestamp: record.timestamp + 5 });
  }
}

const transformed = (b: StreamsBuilder): KTable<string, string> =>
  rows(b).transformValues(
    (k, v: Nullable): Nullable => (v === null ? (k === 'a' ? 'deleted' : null) : v === 'v0' ? null : k + v),
    kept('t'),
  );

const TOPOLOGIES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  toTable: (b) => out(stream(b).toTable(kept('t')).toStream()),
  'toTable after selectKey': (b) =>
    out(
      stream(b)
        .selectKey((_k, v) => v)
        .toTable(kept('t'), 'n')
        .toStream(),
    ),
  'toTable filter': (b) =>
    out(
      stream(b)
        .toTable(kept('t'))
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'toStream with a mapper': (b) => out(rows(b).toStream((k, v) => k + String(v))),
  'groupBy count': (b) => out(rows(b).groupBy(group, grouped).count(Materialized.as('s')).toStream()),
  'groupBy reduce': (b) => out(rows(b).groupBy(group, grouped).reduce(plus, minus, kept('s')).toStream()),
  'groupBy reduce to null': (b) =>
    out(
      rows(b)
        .groupBy(group, grouped)
        .reduce(plus, (x, y): Nullable => minus(x, y) || null, kept('s'))
        .toStream(),
    ),
  'groupBy aggregate': (b) =>
    out(
      rows(b)
        .groupBy(group, grouped)
        .aggregate(
          () => 'i',
          (_k, v, x) => (v === 'v4' ? null : x + v),
          (_k, v, x) => minus(x, v),
          kept('s'),
        )
        .toStream(),
    ),
  'groupBy same key': (b) =>
    out(
      rows(b)
        .groupBy((k, v): KeyValue<string, string> => [k, v], grouped)
        .reduce(plus, minus, kept('s'))
        .toStream(),
    ),
  'groupBy of a filter': (b) =>
    out(
      rows(b)
        .filter((_k, v) => v > 'v2')
        .groupBy(group, grouped)
        .count(Materialized.as('s'))
        .toStream(),
    ),
  'groupBy of mapValues': (b) =>
    out(
      rows(b)
        .mapValues((v) => (v === 'v3' ? 'v0' : v))
        .groupBy(group, grouped)
        .count(Materialized.as('s'))
        .toStream(),
    ),
  'groupBy of toTable': (b) =>
    out(stream(b).toTable(kept('t')).groupBy(group, grouped).reduce(plus, minus, kept('s')).toStream()),
  'groupBy of groupBy': (b) =>
    out(
      rows(b)
        .groupBy(group, grouped)
        .count(Materialized.as('s'))
        .groupBy(
          (_k, n): KeyValue<string, number> => [`n${n}`, n],
          Grouped.with(text, integer, { name: 'h' }),
        )
        .reduce(
          (x, y) => x + y,
          (x, y) => x - y,
          { name: 'u', valueSerde: integer },
        )
        .toStream(),
    ),
  'filter of groupBy': (b) =>
    out(
      rows(b)
        .groupBy(group, grouped)
        .count(Materialized.as('s'))
        .filter((_k, n) => n % 2 === 0)
        .toStream(),
    ),
  cogroup: (b) =>
    out(
      stream(b)
        .groupByKey()
        .cogroup<string>((_k, v, x) => x + v)
        .cogroup(other(b).groupByKey(), (_k, v, x) => (v === 'v0' ? null : x + v.toUpperCase()))
        .aggregate(() => '', kept('c'))
        .toStream(),
    ),
  'cogroup after selectKey': (b) =>
    out(
      stream(b)
        .groupByKey()
        .cogroup<string>((_k, v, x) => x + v)
        .cogroup(
          other(b)
            .selectKey((_k, v) => (v === null ? null : v === 'v1' ? 'a' : 'b') as Nullable)
            .groupByKey(grouped),
          (_k, v, x) => x + v.toUpperCase(),
        )
        .aggregate(() => '', kept('c'))
        .toStream(),
    ),
  'cogroup in windows': (b) =>
    out(
      cogroup(b)
        .windowedBy(TimeWindows.ofSizeAndGrace(30, 20).advanceBy(15))
        .aggregate(() => '', kept('c'))
        .toStream(),
    ),
  'cogroup in sessions': (b) =>
    out(
      cogroup(b)
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(20, 20))
        .aggregate(
          () => '',
          (_k, x, y) => x + y,
          kept('c'),
        )
        .toStream(),
    ),
  'cogroup in sliding windows': (b) =>
    out(
      cogroup(b)
        .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(20, 20))
        .aggregate(() => '', kept('c'))
        .toStream(),
    ),
  transformValues: (b) => out(transformed(b).toStream()),
  'filter of transformValues': (b) =>
    out(
      transformed(b)
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'process with a key-value store': (b) => out(stream(b).process(KeyValues, 'p', kv)),
  'process with a window store': (b) =>
    out(
      stream(b).process(
        ({ key, value, timestamp }, context: ProcessorContext<Nullable, string>) => {
          const store = context.getStateStore(windows);
          if (key === null) return;
          store.put(key, value, timestamp);
          const around = store.fetch(key, Math.max(0, timestamp - 50), timestamp + 50);
          const all = around.map(([start, row]) => ` ${start}${row}`).join('');
          context.forward({ key, value: `${String(store.fetch(key, timestamp))}:${all}` });
        },
        'p',
        windows,
      ),
    ),
  'process with a session store': (b) =>
    out(
      stream(b).process(
        ({ key, value, timestamp }, context: ProcessorContext<Nullable, string>) => {
          const store = context.getStateStore(sessions);
          if (key === null) return;
          const length = value === null ? 10 : Number(value.charAt(1)) * 10;
          store.put(key, { start: timestamp, end: timestamp + length }, value);
          const around = store.findSessions(key, Math.max(0, timestamp - 20), timestamp + 20);
          context.forward({
            key,
            value: around.map(([{ start, end }, row]) => `${start}-${end}${row} `).join(''),
          });
        },
        'p',
        sessions,
      ),
    ),
  'process with a versioned store': (b) =>
    out(
      stream(b).process(
        ({ key, value, timestamp }, context: ProcessorContext<Nullable, string>) => {
          const store = context.getStateStore(versions);
          if (key === null) return;
          const done = (): string => {
            if (value === 'v4') return show(store.delete(key, timestamp));
            const result = store.put(key, value, timestamp);
            // Kafka Streams says -1 for the newest version, and the smallest long for one that is too old.
            return result === false ? '-9223372036854775808' : String(result ?? -1);
          };
          const asOf = [
            store.get.bind(store, key, timestamp),
            store.get.bind(store, key, Math.max(0, timestamp - 30)),
          ];
          const first = done();
          context.forward({
            key,
            value: `${first} ${show(store.get(key))} ${asOf.map((get) => show(get())).join(' ')}`,
          });
        },
        'p',
        versions,
      ),
    ),
  processValues: (b) => out(stream(b).processValues(Values)),
  'processValues before groupByKey': (b) =>
    out(
      stream(b)
        .processValues(Values)
        .groupByKey(Grouped.with(text, text))
        .count(Materialized.as('s'))
        .toStream(),
    ),
};

type Golden = readonly [title: string, inputs: string, outputs: string];
const golden = readFileSync(join(import.meta.dirname, 'golden/kafka-streams-tables.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as unknown as Golden);

describe('results', () => {
  it('are known for every topology', () => {
    expect([...new Set(golden.map(([title]) => title))]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('of "%s" are those of Kafka Streams', (title) => {
    const runs = golden.filter(([name]) => name === title);
    expect(runs).toHaveLength(12);
    for (const [, inputs, outputs] of runs) {
      const builder = new StreamsBuilder();
      TOPOLOGIES[title]!(builder);
      const driver = new Driver(builder.build());
      for (const [topic, key, value, timestamp] of JSON.parse(inputs) as [
        string,
        Nullable,
        Nullable,
        number,
      ][]) {
        driver.pipe(topic, key, value, timestamp);
      }
      const results = driver.outputs('out').map(({ key, value, timestamp }) => [key, value, timestamp]);
      expect(results).toEqual(JSON.parse(outputs));
    }
  });
});
