// Owns the suppression of a table's updates: they are held back until their window closes, or for a time, the newest of each key in the
// place of those before. Source of the rules: KTableSuppressProcessorSupplier of Kafka Streams.
import { FatalError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Windowed } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { BufferConfig } from '../options/suppressed.ts';
import { dueEmission } from './due-emission.ts';
import type { Operator, Site } from './operator.ts';
import { toEachTable } from './operator.ts';
import { changeBytes, SuppressBuffer } from './suppress-buffer.ts';
import { openView, storesOfView } from './table-view.ts';
import type { TableReader, TableView } from './table-view.ts';

export interface SuppressSpec {
  readonly store: string;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  /** A change is due so long after its time. */
  readonly waitMs: number;
  /** A change's time is its window's end, and deletions are no results. Else it is its timestamp. */
  readonly untilWindowCloses: boolean;
  readonly buffer: Pick<BufferConfig, 'maxRecords' | 'maxBytes' | 'whenFull'>;
}

function openBuffer(site: Site, spec: SuppressSpec): SuppressBuffer {
  const { maxRecords, maxBytes } = spec.buffer;
  return new SuppressBuffer(site.orderedStore(spec.store), {
    keysTellTime: spec.untilWindowCloses,
    isLimited: Number.isFinite(maxRecords) || Number.isFinite(maxBytes),
  });
}

/**
 * `counts.suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final-counts'))`: of each window one result.
 * State: the newest change of each key that is held back, in memory and in a changelog. A deletion that is held back until its window
 * closes gives nothing. What is late for its window did not get here.
 */
export function suppressOperator(spec: SuppressSpec): Extract<Operator, { takes: 'table'; gives: 'table' }> {
  const { waitMs, untilWindowCloses } = spec;
  const { maxRecords, maxBytes, whenFull } = spec.buffer;
  return {
    takes: 'table',
    gives: 'table',
    key: 'changed',
    value: 'changed',
    stores: [spec.store],
    reads: [],
    runsUserCode: false,
    fold(site, children) {
      const next = toEachTable(children);
      const buffer = openBuffer(site, spec);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const keyCodec = compileCodec(spec.keySerde);
      const valueCodec = compileCodec(spec.valueSerde);
      const { context, links } = site;
      const countsBytes = Number.isFinite(maxBytes);
      const isLimited = countsBytes || Number.isFinite(maxRecords);

      const encoded = (value: unknown): BinaryString | null =>
        value === null ? null : valueCodec.toBinary(value);
      const decoded = (value: BinaryString | null): unknown =>
        value === null ? null : valueCodec.fromBinary(value, false);

      const emitFirst = (): void => {
        const { key, change } = buffer.take(buffer.first()!);
        if (change.newValue === null && untilWindowCloses) return;
        const { outputHeaders } = context;
        context.outputHeaders = change.headers;
        const isLinked = links.enabled && links.emit(key);
        next(
          keyCodec.fromBinary(key, false),
          decoded(change.newValue),
          decoded(change.priorValue),
          change.timestamp,
        );
        if (isLinked) links.done();
        context.outputHeaders = outputHeaders;
      };

      const isOver = (): boolean => buffer.records > maxRecords || buffer.bytes > maxBytes;

      const isDue = (): boolean => {
        const row = buffer.first();
        return row !== null && buffer.timeOf(row) <= clock.now - waitMs;
      };
      const emitDue = dueEmission(site, {
        emit(resultsMax) {
          for (let count = 0; isDue(); count++) {
            if (count === resultsMax) return true;
            emitFirst();
          }
          return false;
        },
        drop() {
          if (isDue()) buffer.take(buffer.first()!);
        },
      });
      const clock = site.clock(() => emitDue());

      return (key, newValue, oldValue, timestamp) => {
        clock.observe(timestamp);
        const time = untilWindowCloses ? (key as Windowed<unknown>).window.end : timestamp;
        const keyBytes = fromSource ? context.rawKey! : codec.toBinary(key);
        const held = buffer.held(keyBytes, time);
        const headers = context.outputHeaders ?? context.headers();
        const change = {
          timestamp,
          newValue: encoded(newValue),
          priorValue: held === null ? encoded(oldValue) : held.priorValue,
          headers,
          bytes: 0,
        };
        if (countsBytes) {
          const values = { ...change, oldValue: encoded(oldValue) };
          change.bytes = changeBytes(keyBytes, values, context.topic, headers);
        }
        buffer.put(keyBytes, time, change, held);
        if (links.enabled) links.feed(keyBytes);
        emitDue();
        if (!isLimited || !isOver()) return;
        if (whenFull === 'shutDown') throw bufferFull(site.node, buffer, spec.buffer);
        while (isOver()) emitFirst();
      };
    },
  };
}

/** The table as those downstream know it: what is held back is not there yet. */
export function suppressedView(spec: SuppressSpec, parent: TableView): TableView {
  return {
    store: spec.store,
    keySerde: spec.keySerde,
    steps: [],
    custom: {
      stores: [spec.store, ...storesOfView(parent)],
      open: (site) => suppressedReader(site, spec, openView(site, parent)),
    },
  };
}

function suppressedReader(site: Site, spec: SuppressSpec, parent: TableReader): TableReader {
  const buffer = openBuffer(site, spec);
  const keyCodec = compileCodec(spec.keySerde);
  const valueCodec = compileCodec(spec.valueSerde);
  return {
    timestamp: -1,
    get(key) {
      const time = spec.untilWindowCloses ? (key as Windowed<unknown>).window.end : 0;
      const held = buffer.held(keyCodec.toBinary(key), time);
      if (held === null) {
        const value = parent.get(key);
        this.timestamp = parent.timestamp;
        return value;
      }
      // Of the value that was there before only the value is known.
      this.timestamp = -1;
      return held.priorValue === null ? null : valueCodec.fromBinary(held.priorValue, false);
    },
  };
}

function bufferFull(node: string, buffer: SuppressBuffer, limits: SuppressSpec['buffer']): FatalError {
  return new FatalError({
    code: 'MILLRACE_SUPPRESS_BUFFER_FULL',
    message: `the buffer of "${node}" is full: ${buffer.records} of ${limits.maxRecords} records, ${buffer.bytes} of ${limits.maxBytes} bytes.`,
    remedy: 'Give it more room, shorten the windows or their grace, or let it emit early.',
    context: { node, records: buffer.records, bytes: buffer.bytes },
  });
}
