// What joins refuse, drop, keep and need, beside their results (joins.spec.ts).
import { describe, expect, it } from '@jest/globals';
import {
  BufferConfig,
  checkPartitions,
  Consumed,
  Joined,
  JoinWindows,
  Materialized,
  Produced,
  StreamJoined,
  StreamsBuilder,
  Suppressed,
  TableJoined,
  TimeWindows,
} from '#libs/topology';
import type { KStream, KTable, Topology } from '#libs/topology';
import { Driver } from './driver.ts';
import { text, thrownBy } from './fixtures.ts';

type Nullable = string | null;
const consumed = Consumed.with(text, text);
const produced = Produced.with(text, text);
const plus = (a: Nullable, b: Nullable): string => `${String(a)}+${String(b)}`;
const stream = (b: StreamsBuilder, topic: string): KStream<Nullable, Nullable> =>
  b.stream<Nullable, Nullable>(topic, consumed);
const table = (b: StreamsBuilder, topic: string): KTable<string, string> =>
  b.table(topic, consumed, Materialized.as(`${topic}-rows`));
const versioned = (b: StreamsBuilder, topic: string, historyRetentionMs = 100): KTable<string, string> =>
  b.table(topic, consumed, { name: `${topic}-versions`, versioned: { historyRetentionMs } });
const within = (ms: number): JoinWindows => JoinWindows.ofTimeDifferenceWithNoGrace(ms);
const named = StreamJoined.as('s');

function built(draw: (b: StreamsBuilder) => void): Topology {
  const builder = new StreamsBuilder();
  draw(builder);
  return builder.build();
}

function faultsOf(draw: (b: StreamsBuilder) => void): string[] {
  return thrownBy(() => built(draw)).context.faults.map(({ path, problem }) => `${path}: ${problem}`);
}

const loose = <T>(value: unknown): T => value as T;

describe('the faults of joins', () => {
  it('are told for stores and topics without a name', () => {
    expect(faultsOf((b) => stream(b, 'a').join(stream(b, 'b'), plus, within(1), {}))).toEqual([
      'stream("a").join(): the state stores have no name.',
    ]);
    expect(
      faultsOf((b) =>
        stream(b, 'a')
          .selectKey((_k, v) => v)
          .join(stream(b, 'b'), plus, within(1), {}),
      ),
    ).toEqual([
      'stream("a").selectKey().join(): the state stores have no name.',
      'stream("a").selectKey().join(): the key was changed upstream, so a repartition topic is needed, and it has no name.',
    ]);
    expect(faultsOf((b) => table(b, 'a').join(table(b, 'b'), String, plus, loose({})))).toEqual([
      'table("a").join(): the subscription store and the topics between the tables have no name.',
    ]);
    expect(faultsOf((b) => stream(b, 'a').join(versioned(b, 'b'), plus, { gracePeriodMs: 5 }))).toEqual([
      'stream("a").join(): the buffer of the join has no name.',
    ]);
    expect(faultsOf((b) => b.globalTable('a', consumed, loose({})))).toContain(
      'globalTable("a"): the state store has no name.',
    );
  });

  it('are told for windows that are none', () => {
    const faultOf = (windows: unknown): string[] =>
      faultsOf((b) => stream(b, 'a').join(stream(b, 'b'), plus, windows as JoinWindows, named));
    expect(faultOf(undefined)).toEqual([
      'stream("a").join("s"): the join windows are missing, or not in whole milliseconds.',
    ]);
    expect(faultOf(within(1.5))).toEqual([
      'stream("a").join("s"): the join windows are missing, or not in whole milliseconds.',
    ]);
    expect(faultOf(within(10).before(-20))).toEqual([
      'stream("a").join("s"): the window from 20 to 10 ms is empty.',
    ]);
    expect(faultOf(JoinWindows.ofTimeDifferenceAndGrace(10, -1))).toEqual([
      'stream("a").join("s"): the grace period is -1 ms.',
    ]);
  });

  it('are told for the other side, if it is of another topology or nothing', () => {
    const foreign = new StreamsBuilder();
    const both = (draw: (b: StreamsBuilder) => void): string => faultsOf(draw)[0]!.split(': ')[1]!;
    expect(both((b) => stream(b, 'a').join(stream(foreign, 'b'), plus, within(1), named))).toBe(
      'the other stream is of another topology, or no stream.',
    );
    expect(
      both((b) => stream(b, 'a').outerJoin(loose<KStream<string, string>>(null), plus, within(1), named)),
    ).toBe('the other stream is of another topology, or no stream.');
    expect(both((b) => table(b, 'a').join(table(foreign, 'c'), plus))).toBe(
      'the other table is of another topology, or no table.',
    );
    const global = foreign.globalTable('g', consumed, Materialized.as('g'));
    expect(both((b) => stream(b, 'a').join(global, String, plus))).toBe('the table is of another topology.');
  });

  it('are told for a foreign-key join that would have to be kept', () => {
    const join = (b: StreamsBuilder): KTable<string, string> =>
      table(b, 'a').join(table(b, 'b'), String, plus, TableJoined.as('fk'));
    const fault =
      'table("a").join("fk"): the joined table is not kept, but an operator downstream looks it up or needs its old values.';
    expect(faultsOf((b) => join(b).filter(() => true))).toEqual([fault]);
    expect(faultsOf((b) => stream(b, 'c').join(join(b), plus))).toEqual([fault]);
    expect(() => built((b) => join(b).mapValues(String).toStream().to('out', produced))).not.toThrow();
  });

  it('are told for versions where there are none', () => {
    const withVersions = {
      name: 'v',
      keySerde: text,
      valueSerde: text,
      versioned: { historyRetentionMs: 5 },
    };
    expect(faultsOf((b) => versioned(b, 'a', -1))).toEqual([
      'table("a"): versioned.historyRetentionMs is -1.',
    ]);
    expect(faultsOf((b) => b.globalTable('a', consumed, withVersions))).toContain(
      'globalTable("a"): a global table cannot be versioned.',
    );
    expect(
      faultsOf((b) =>
        b
          .stream<string, string>('a', consumed)
          .groupByKey()
          .cogroup((_key, _value, before: string) => before)
          .aggregate(() => '', withVersions),
      ).map((fault) => fault.split('): ')[1]),
    ).toEqual(['the result of this operator cannot be kept as a versioned table.']);
    expect(
      faultsOf((b) =>
        stream(b, 'a').groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(5)).count(loose(withVersions)),
      ).map((fault) => fault.split('): ')[1]),
    ).toEqual(['a table of windows cannot be versioned.']);
    const suppressed = Suppressed.untilTimeLimit(5, BufferConfig.unbounded()).withName('s');
    expect(faultsOf((b) => versioned(b, 'a').suppress(suppressed))).toEqual([
      'table("a").suppress("s"): a versioned table cannot be suppressed: changes of its past would be lost.',
    ]);
    const graceful = Joined.with(text, text, { name: 'j', gracePeriodMs: 50 });
    expect(faultsOf((b) => stream(b, 'a').join(table(b, 'b'), plus, graceful))).toEqual([
      'stream("a").join("j"): a join with a grace period needs a versioned table.',
    ]);
    expect(faultsOf((b) => stream(b, 'a').join(versioned(b, 'b', 49), plus, graceful))).toEqual([
      'stream("a").join("j"): the grace period is 50 ms, but the table\'s history only 49 ms.',
    ]);
  });
});

describe('a stream–stream join', () => {
  const outer = (windows: JoinWindows): Driver =>
    new Driver(
      built((b) => stream(b, 'a').outerJoin(stream(b, 'b'), plus, windows, named).to('out', produced)),
    );

  it('counts what it drops: null values, late records, null keys of an inner side', () => {
    const driver = new Driver(
      built((b) => stream(b, 'a').leftJoin(stream(b, 'b'), plus, within(10), named).to('out', produced)),
    );
    driver.pipe('a', 'k', null, 1);
    driver.pipe('b', null, 'v', 2);
    driver.pipe('a', null, 'alone', 3);
    driver.pipe('a', 'k', 'v', 100);
    driver.pipe('a', 'k', 'old', 80);
    expect(driver.drops.map(({ node, code }) => `${node}: ${code}`)).toEqual([
      'KSTREAM-JOINTHIS-0000000004: MILLRACE_NULL_VALUE',
      'KSTREAM-OUTEROTHER-0000000005: MILLRACE_NULL_KEY',
      'KSTREAM-WINDOWED-0000000002: MILLRACE_LATE_RECORD',
    ]);
    expect(driver.lines('out')).toEqual(['null=alone+null@3', 'k=old+null@80']);
  });

  it('gives out once what nobody matched, each of several with the same key and time', () => {
    const driver = outer(within(10));
    for (const value of ['x', 'y']) driver.pipe('a', 'k', value, 5);
    driver.pipe('b', 'l', 'z', 5);
    driver.pipe('a', 'other', 'w', 30);
    driver.pipe('a', 'other', 'w', 60);
    expect(driver.lines('out')).toEqual(['l=null+z@5', 'k=x+null@5', 'k=y+null@5', 'other=w+null@30']);
  });

  it('gives out when time moves on without a record', () => {
    const driver = outer(within(10));
    driver.pipe('a', 'k', 'x', 5);
    driver.pipe('b', 'l', 'y', 8);
    driver.advanceEventTime(16);
    expect(driver.lines('out')).toEqual(['k=x+null@5']);
    driver.advanceEventTime(100);
    expect(driver.lines('out')).toEqual(['k=x+null@5', 'l=null+y@8']);
  });

  it('declares a store for each side that forgets, and one in memory for what is not matched', () => {
    const { stores, sources } = built((b) =>
      stream(b, 'a').leftJoin(stream(b, 'b'), plus, within(10).before(20), named).to('out', produced),
    ).subTopologies[0]!;
    expect(stores.map(({ name }) => name)).toEqual([
      's-this-join-store',
      's-outer-other-join-store',
      's-left-shared-join-store',
    ]);
    expect(stores[0]).toMatchObject({
      kind: 'ordered',
      resident: false,
      expiry: { clock: 'store/s-this-join-store', retentionMs: 30 },
      changelogConfig: { 'cleanup.policy': 'delete', 'retention.ms': String(30 + 24 * 60 * 60 * 1000) },
    });
    expect(stores[2]).toMatchObject({ kind: 'ordered', resident: true, expiry: null });
    expect(sources[0]!.readAhead.map(({ kind, store }) => `${kind} ${store}`)).toEqual([
      'rows s-this-join-store',
      'range s-outer-other-join-store',
    ]);
  });

  it('notes whose joiner threw', () => {
    const driver = new Driver(
      built((b) =>
        stream(b, 'a')
          .leftJoin(
            stream(b, 'b'),
            (): string => {
              throw new Error('joiner');
            },
            within(10),
            named,
          )
          .to('out', produced),
      ),
    );
    const error = thrownBy(() => driver.pipe('a', null, 'v', 1));
    expect(driver.tasks[0]!.locate(error)).toBe('KSTREAM-JOINTHIS-0000000004');
  });
});

describe('a joined table', () => {
  it('has a store to query only where it is kept', () => {
    const b = new StreamsBuilder();
    const [left, right] = [table(b, 'a'), table(b, 'b')];
    expect(left.join(right, plus).queryableStoreName()).toBeNull();
    expect(left.join(right, plus, { name: 'kept', valueSerde: text }).queryableStoreName()).toBe('kept');
    expect(left.join(right, String, plus, TableJoined.as('fk')).queryableStoreName()).toBeNull();
  });
});

describe('the partitions of joins', () => {
  it('must be as many on both sides', () => {
    const streams = built((b) =>
      stream(b, 'a').join(stream(b, 'b'), plus, within(1), named).to('out', produced),
    );
    const tables = built((b) => table(b, 'a').outerJoin(table(b, 'b'), plus).toStream().to('out', produced));
    for (const topology of [streams, tables]) {
      const mismatch = new Map([
        ['a', 2],
        ['b', 3],
        ['out', 1],
      ]);
      expect(() => checkPartitions(topology, mismatch)).toThrow('"a" has 2, "b" has 3');
      expect(() => checkPartitions(topology, new Map(mismatch).set('b', 2))).not.toThrow();
    }
  });

  it('of repartitioned streams are those of the other side, else the highest upstream', () => {
    const rekeyed = (b: StreamsBuilder, topic: string): KStream<Nullable, Nullable> =>
      stream(b, topic).selectKey((_k, v): Nullable => v);
    const draw = (right: (b: StreamsBuilder) => KStream<Nullable, Nullable>): Topology =>
      built((b) =>
        rekeyed(b, 'a')
          .join(right(b), plus, within(1), StreamJoined.with(text, text, text, { storeName: 's' }))
          .to('out', produced),
      );
    const counts = new Map([
      ['a', 2],
      ['b', 5],
      ['out', 1],
    ]);
    const one = checkPartitions(
      draw((b) => stream(b, 'b')),
      counts,
    );
    expect([...one.repartitionCounts]).toEqual([['s-left', 5]]);
    const both = checkPartitions(
      draw((b) => rekeyed(b, 'b')),
      counts,
    );
    expect([...both.repartitionCounts]).toEqual([
      ['s-left', 5],
      ['s-right', 5],
    ]);
  });

  it('may differ between tables that are joined by a foreign key, and from those of a global table', () => {
    const topology = built((b) => {
      table(b, 'a').join(table(b, 'b'), String, plus, TableJoined.as('fk')).toStream().to('out', produced);
      const global = b.globalTable('g', consumed, Materialized.as('g'));
      stream(b, 'c').join(global, String, plus).to('out', produced);
    });
    const plan = checkPartitions(
      topology,
      new Map([
        ['a', 2],
        ['b', 3],
        ['c', 4],
        ['g', 7],
        ['out', 1],
      ]),
    );
    expect(Object.fromEntries(plan.repartitionCounts)).toEqual({
      'fk-subscription-registration': 3,
      'fk-subscription-response': 2,
    });
    expect(plan.taskCounts).toEqual([2, 3, 4]);
    expect(() => checkPartitions(topology, new Map([['a', 2]]))).toThrow('"g"');
  });
});

describe('a versioned table', () => {
  it('keeps history as long as it says, and no longer', () => {
    const driver = new Driver(
      built((b) =>
        stream(b, 'a')
          .join(versioned(b, 'b', 50), plus)
          .to('out', produced),
      ),
    );
    for (const [value, timestamp] of [
      ['v1', 10],
      ['v3', 30],
      ['v2', 20],
      [null, 40],
    ] as const) {
      driver.pipe('b', 'k', value, timestamp);
    }
    for (const timestamp of [5, 10, 25, 39, 40]) driver.pipe('a', 'k', 'x', timestamp);
    expect(driver.lines('out')).toEqual(['k=x+v1@10', 'k=x+v2@25', 'k=x+v3@39']);
    driver.pipe('b', 'k', 'v9', 90);
    driver.pipe('b', 'k', 'late', 39);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_LATE_RECORD']);
    expect(
      driver.orderedStores
        .get('b-versions')!
        .rows()
        .map(({ value }) => value),
    ).toHaveLength(2);
    driver.pipe('a', 'k', 'x', 30);
    driver.pipe('a', 'k', 'x', 1000);
    expect(driver.lines('out').slice(3)).toEqual(['k=x+v9@1000']);
  });

  it('lets records wait for its late updates, with their headers', () => {
    const driver = new Driver(
      built((b) =>
        stream(b, 'a')
          .leftJoin(versioned(b, 'b'), plus, Joined.with(text, text, { name: 'j', gracePeriodMs: 20 }))
          .to('out', produced),
      ),
    );
    const header = { key: 'trace', value: new Uint8Array([1, 2]) };
    driver.pipe('a', 'k', 'x', 10, undefined, [header]);
    driver.pipe('b', 'k', 'late', 5);
    driver.pipe('a', 'l', 'y', 29);
    expect(driver.lines('out')).toEqual([]);
    driver.pipe('a', 'l', 'z', 30);
    expect(driver.lines('out')).toEqual(['k=x+late@10']);
    expect(driver.outputs('out')[0]!.headers.map(({ key, value }) => [key, [...value!]])).toEqual([
      ['trace', [1, 2]],
    ]);
    driver.advanceEventTime(50);
    expect(driver.lines('out').slice(1)).toEqual(['l=y+null@29', 'l=z+null@30']);
  });

  it('counts updates of its past that a join of tables passes over', () => {
    const driver = new Driver(
      built((b) => versioned(b, 'a').join(table(b, 'b'), plus).toStream().to('out', produced)),
    );
    driver.pipe('b', 'k', 'w', 1);
    driver.pipe('a', 'k', 'new', 10);
    driver.pipe('a', 'k', 'old', 5);
    expect(driver.lines('out')).toEqual(['k=new+w@10']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_OUT_OF_ORDER_RECORD']);
  });
});
