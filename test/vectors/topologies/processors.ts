// Processors with stores and punctuators: twins of ../java/ProcessTopologies.java.
import { Grouped, Materialized, Stores } from '#libs/topology';
import type {
  Cancellable,
  FixedKeyProcessorContext,
  FixedKeyRecord,
  KeyValue,
  KStream,
  OrderedKeyValueStore,
  ProcessorContext,
  ProcessorRecord,
  PunctuationType,
  StreamsBuilder,
  VersionedPutResult,
  VersionedRecord,
} from '#libs/topology';
import { consumed, digit, kept, letter, out, stream, table, text, to } from './words.ts';
import type { Nullable, Topologies } from './words.ts';

type Input = ProcessorRecord<Nullable, Nullable>;
type Context = ProcessorContext<Nullable, Nullable>;

const serdes = { keySerde: text, valueSerde: text };
export const keyValues = Stores.keyValueStore('s', serdes);
const near = Stores.windowStore('w', { ...serdes, retentionMs: 150, windowSizeMs: 10 });
const sessions = Stores.sessionStore('x', { ...serdes, retentionMs: 150 });
const versions = Stores.versionedKeyValueStore('v', { ...serdes, historyRetentionMs: 150 });

export function plain(record: Input, context: Context): void {
  if (record.value === null) return;
  context.forward(record);
  if (digit(record.value) > 5) {
    context.forward({ key: record.value, value: record.key, timestamp: record.timestamp + 1000 });
  }
}

export function collect(record: Input, context: Context): void {
  if (record.key === null || record.value === null) return;
  const store = context.getStateStore(keyValues);
  if (digit(record.value) === 0) {
    store.delete(record.key);
    context.forward(record.withValue(null));
    return;
  }
  const after = `${store.get(record.key) ?? ''}${digit(record.value)}`;
  store.put(record.key, after);
  context.forward(record.withValue(after));
}

function collectValues(
  record: FixedKeyRecord<Nullable, Nullable>,
  context: FixedKeyProcessorContext<Nullable>,
): void {
  if (record.key === null || record.value === null) {
    context.forward(record.withValue('none'));
    return;
  }
  const store = context.getStateStore(keyValues);
  const before = store.putIfAbsent(record.key, record.value);
  context.forward(record.withValue(`${String(before)}>${record.value}`));
  if (digit(record.value) > 6) store.put(record.key, record.value);
}

/** Joins digits per key, and on each punctuation forwards and forgets them all. */
class Flush {
  readonly #type: PunctuationType;
  readonly #intervalMs: number;
  #context!: Context;
  #store!: OrderedKeyValueStore<string, string>;

  constructor(type: PunctuationType, intervalMs: number) {
    this.#type = type;
    this.#intervalMs = intervalMs;
  }

  init(context: Context): void {
    this.#context = context;
    this.#store = context.getStateStore(keyValues);
    context.schedule(this.#intervalMs, this.#type, (timestamp) => {
      for (const [key, value] of this.#store.all()) {
        this.#context.forward({ key, value: `${value}#${timestamp}`, timestamp });
        this.#store.delete(key);
      }
    });
  }

  process({ key, value }: Input): void {
    if (key === null || value === null) return;
    this.#store.put(key, `${this.#store.get(key) ?? ''}${digit(value)}`);
  }
}

export const flushed = (
  b: StreamsBuilder,
  type: PunctuationType,
  intervalMs: number,
): KStream<Nullable, Nullable> => stream(b).process(() => new Flush(type, intervalMs), 'flush', keyValues);

/** A punctuator that a record with a high digit cancels, and the next one starts again. */
class Cancelled {
  #context!: Context;
  #running: Cancellable | null = null;

  init(context: Context): void {
    this.#context = context;
    this.#start();
  }

  #start(): void {
    this.#running = this.#context.schedule(30, 'stream-time', (at) =>
      this.#context.forward({ key: 'tick', value: `t${at}`, timestamp: at }),
    );
  }

  process(record: Input): void {
    if (record.value !== null && digit(record.value) > 7) {
      if (this.#running === null) {
        this.#start();
      } else {
        this.#running.cancel();
        this.#running = null;
      }
    }
    this.#context.forward(record);
  }
}

/** Odd digits to one child, even ones to the other. */
export function choose(record: Input, context: Context): void {
  if (record.value === null) context.forward(record);
  else context.forward(record, digit(record.value) % 2 === 0 ? 'even' : 'odd');
}

const rowsOf = (rows: readonly KeyValue<string, string>[]): string =>
  rows.map(([key, value]) => `${key}${digit(value)}`).join('');

function ranges(record: Input, context: Context): void {
  if (record.key === null) return;
  const store = context.getStateStore(keyValues);
  if (record.value === null) store.delete(record.key);
  else store.put(record.key + letter(record.value), record.value);
  const found = [
    store.range('ar', 'cp'),
    store.reverseRange('b', 'c'),
    store.prefixScan(record.key),
    store.all(),
  ];
  context.forward(record.withValue(found.map(rowsOf).join('|')));
}

const shownPut = (put: VersionedPutResult): string =>
  put === false ? 'not put' : put === null ? 'newest' : `until ${put}`;
const shownVersion = (version: VersionedRecord<string> | null): string =>
  version === null ? 'none' : `${version.value}@${version.timestamp}`;

export const processors: Topologies = {
  process: (b) => out(stream(b).process(plain, 'plain')),
  'process-with-store': (b) => out(stream(b).process(collect, 'collect', keyValues)),
  'process-values': (b) => out(stream(b).processValues(collectValues, 'collect', keyValues)),
  'process-stream-time-punctuator': (b) => out(flushed(b, 'stream-time', 50)),
  'process-wall-clock-punctuator': (b) => out(flushed(b, 'wall-clock', 60)),
  'process-cancelled-punctuator': (b) => out(stream(b).process(Cancelled, 'cancelled')),
  'process-headers': (b) =>
    out(
      stream(b).process((record, context) => {
        const value = Buffer.from(record.value ?? 'none');
        context.forward(record.withHeaders([...record.headers, { key: 'p', value }]));
        if (digit(record.value) > 6) context.forward(record.withValue(`${context.currentStreamTimeMs()}!`));
      }, 'headers'),
    ),
  'process-shared-store': (b) => {
    out(stream(b).process(collect, 'collect', keyValues));
    to(stream(b, 'other').processValues(collectValues, 'values', keyValues), 'values');
  },
  'process-window-store': (b) =>
    out(
      stream(b).process(
        (record, context) => {
          const { key, value, timestamp } = record;
          if (key === null) return;
          const store = context.getStateStore(near);
          const found = store
            .fetch(key, Math.max(0, timestamp - 60), timestamp + 10)
            .map(([start, row]) => `${start}${row}`)
            .concat(
              store.backwardFetch(key, Math.max(0, timestamp - 30), timestamp).map(([, row]) => `<${row}`),
            );
          context.forward(record.withValue(`${found.join('')}|${String(store.fetch(key, timestamp))}`));
          store.put(key, value, timestamp);
        },
        'near',
        near,
      ),
    ),
  'process-session-store': (b) =>
    out(
      stream(b).process(
        (record, context) => {
          const { key, value, timestamp } = record;
          if (key === null || value === null) return;
          const store = context.getStateStore(sessions);
          const found = store
            .findSessions(key, timestamp - 30, timestamp + 5)
            .map(([{ start, end }, row]) => `${start}-${end}${row}`);
          context.forward(record.withValue(found.join('')));
          const session = { start: timestamp, end: timestamp + 20 };
          if (digit(value) === 9) store.remove(key, session);
          else store.put(key, session, value);
        },
        'sessions',
        sessions,
      ),
    ),
  'process-ranges': (b) => out(stream(b).process(ranges, 'ranges', keyValues)),
  'process-versioned-store': (b) =>
    out(
      stream(b).process(
        (record, context) => {
          const { key, value, timestamp } = record;
          if (key === null) return;
          const store = context.getStateStore(versions);
          const put = shownPut(store.put(key, value, timestamp));
          const before = shownVersion(store.get(key, timestamp - 40));
          context.forward(record.withValue(`${put}|${before}|${shownVersion(store.get(key))}`));
        },
        'versions',
        versions,
      ),
    ),
  'process-to-child': (b) => {
    const chosen = stream(b).process(choose, 'choice');
    out(chosen.mapValues((v) => `${String(v)} even`, 'even'));
    to(
      chosen.mapValues((v) => `${String(v)} odd`, 'odd'),
      'odd',
    );
  },
  'process-global-store': (b) => {
    const rows = b.globalTable('global', consumed, Materialized.as('global-rows'));
    out(
      stream(b).process((record, context) => {
        const store = context.getStateStore(rows);
        const row = record.value === null ? null : store.getWithTimestamp(letter(record.value));
        context.forward(record.withValue(row === null ? 'none' : `${row.value}@${row.timestamp}`));
      }, 'enrich'),
    );
  },
  'table-transform-values': (b) =>
    out(
      table(b)
        .transformValues(
          (key, value, context) => {
            const store = context.getStateStore(keyValues);
            const after = `${store.get(key) ?? ''}${value === null ? '-' : digit(value)}`;
            store.put(key, after);
            return value === null || digit(value) === 0 ? null : key + after;
          },
          kept('transformed'),
          'transform',
          keyValues,
        )
        .toStream(),
    ),
  'process-then-count': (b) =>
    out(
      stream(b)
        .process(plain, 'plain')
        .groupByKey(Grouped.with(text, text, { name: 'g' }))
        .count(Materialized.as('c'))
        .toStream(),
    ),
};
