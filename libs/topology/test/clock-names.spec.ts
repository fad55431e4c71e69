import { describe, expect, it } from '@jest/globals';
import {
  Grouped,
  JoinWindows,
  Materialized,
  Stores,
  StreamJoined,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
import type { KStream, TaskPorts } from '#libs/topology';
import { text, textToText } from './fixtures.ts';

/** Under which names the operators of a topology commit their times. */
function clocksOf(draw: (stream: KStream<string, string>, builder: StreamsBuilder) => void): string[] {
  const builder = new StreamsBuilder();
  draw(builder.stream<string, string>('in', textToText), builder);
  const names: string[] = [];
  for (const sub of builder.build().subTopologies) {
    const store = {} as ReturnType<TaskPorts['orderedStore']>;
    sub.compile({
      context: { outputHeaders: null },
      taskId: '0_0',
      applicationId: 'app',
      store: () => store,
      orderedStore: () => store,
      sink: () => ({ send: () => undefined }),
      clock: (name: string) => {
        names.push(name);
        return { now: -1, observe: (timestamp: number) => timestamp };
      },
      alarm: () => ({ due: () => undefined }),
    } as unknown as TaskPorts);
  }
  return names.sort();
}

const windows = TimeWindows.ofSizeWithNoGrace(10);

describe('the names under which operators commit their time', () => {
  it('do not shift when operators are added before', () => {
    const counted = (stream: KStream<string, string>): unknown =>
      stream.groupByKey().windowedBy(windows).count(Materialized.as('counts'));
    expect(clocksOf((stream) => counted(stream))).toEqual(
      clocksOf((stream) => counted(stream.peek(() => undefined))),
    );
    expect(clocksOf((stream) => counted(stream))).toContain('of/counts');
  });

  it('tell operators on one store apart', () => {
    const names = clocksOf((stream, builder) => {
      const other = builder.stream<string, string>('other', textToText);
      stream.join(
        other,
        (a, b) => a + b,
        JoinWindows.ofTimeDifferenceWithNoGrace(10),
        StreamJoined.with(text, text, text, { storeName: 'join' }),
      );
      stream
        .groupByKey()
        .cogroup<string>((_key, value) => value)
        .cogroup(other.groupByKey(), (_key, value) => value)
        .windowedBy(windows)
        .aggregate(() => '', Materialized.as('folded', { valueSerde: text }));
      stream
        .groupBy((_key, value) => value, Grouped.as('by-value', { keySerde: text }))
        .windowedBy(windows)
        .count(Materialized.as('counts'));
    });
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['of/counts', 'of/folded', 'of/folded/2', 'store/folded']));
  });

  it('are known before the first record where a processor has stores that forget', () => {
    const serdes = { keySerde: text, valueSerde: text };
    const names = clocksOf((stream) =>
      stream.process(
        (_record) => undefined,
        'p',
        Stores.keyValueStore('all', serdes),
        Stores.windowStore('windows', { ...serdes, retentionMs: 10, windowSizeMs: 1 }),
        Stores.versionedKeyValueStore('versions', { ...serdes, historyRetentionMs: 10 }),
      ),
    );
    expect(names).toEqual(['own/of/all', 'store/versions', 'store/windows']);
  });

  it('are those that rows expire by', () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', textToText)
      .groupByKey()
      .windowedBy(windows)
      .count(Materialized.as('counts'));
    const [spec] = builder.build().subTopologies[0]!.stores;
    expect(spec).toMatchObject({ expiry: { clock: 'of/counts' } });
  });
});
