// Every topology here is one of golden/JoinsGolden.java, call by call; Kafka Streams 4.3.1 says what must come out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Consumed, JoinWindows, Produced, StreamJoined, StreamsBuilder } from '#libs/topology';
import type { KStream } from '#libs/topology';
import { Driver } from './driver.ts';
import { text } from './fixtures.ts';

type Nullable = string | null;
const consumed = Consumed.with(text, text);
const read = (builder: StreamsBuilder, topic: string): KStream<Nullable, Nullable> =>
  builder.stream<Nullable, Nullable>(topic, consumed);
const left = (builder: StreamsBuilder): KStream<Nullable, Nullable> => read(builder, 'left');
const right = (builder: StreamsBuilder): KStream<Nullable, Nullable> => read(builder, 'right');
const out = <K extends Nullable>(results: KStream<K, Nullable>): void =>
  results.selectKey((key): Nullable => key).to('out', Produced.with(text, text));
const plus = (a: Nullable, b: Nullable): string => `${a}+${b}`;
const within = (differenceMs: number, graceMs = 0): JoinWindows =>
  JoinWindows.ofTimeDifferenceAndGrace(differenceMs, graceMs);
const joined = StreamJoined.with(text, text, text, { storeName: 's', name: 'j' });
const keyOf = (value: Nullable): Nullable => (value === null || value === 'v1' ? null : 'a');

const TOPOLOGIES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  'stream join': (b) => out(left(b).join(right(b), plus, within(30), joined)),
  'stream join with grace': (b) => out(left(b).join(right(b), plus, within(20, 40), joined)),
  'stream join before 0': (b) => out(left(b).join(right(b), plus, within(30).before(0), joined)),
  'stream join after -5': (b) => out(left(b).join(right(b), plus, within(60, 5).after(-5), joined)),
  'stream join within 0': (b) => out(left(b).join(right(b), plus, within(0), joined)),
  'stream leftJoin': (b) => out(left(b).leftJoin(right(b), plus, within(30), joined)),
  'stream leftJoin with grace': (b) => out(left(b).leftJoin(right(b), plus, within(10, 15), joined)),
  'stream leftJoin before 0': (b) => out(left(b).leftJoin(right(b), plus, within(30).before(0), joined)),
  'stream leftJoin after 0': (b) => out(left(b).leftJoin(right(b), plus, within(30).after(0), joined)),
  'stream outerJoin': (b) => out(left(b).outerJoin(right(b), plus, within(20), joined)),
  'stream outerJoin with grace': (b) => out(left(b).outerJoin(right(b), plus, within(5, 20), joined)),
  'stream outerJoin before 40 after 5': (b) =>
    out(left(b).outerJoin(right(b), plus, within(5).before(40), joined)),
  'stream outerJoin before 5 after 40': (b) =>
    out(left(b).outerJoin(right(b), plus, within(5, 3).after(40), joined)),
  'stream self join': (b) => {
    const stream = left(b);
    out(stream.join(stream, plus, within(20), joined));
  },
  'stream self outerJoin': (b) => {
    const stream = left(b);
    out(
      stream.outerJoin(
        stream.filter((_k, v) => v !== null && v > 'v2'),
        plus,
        within(20),
        joined,
      ),
    );
  },
  'stream join after selectKey': (b) =>
    out(
      left(b)
        .selectKey((_k, v) => (v === null ? null : v === 'v1' ? 'a' : 'b'))
        .join(
          right(b).selectKey((_k, v) => keyOf(v)),
          plus,
          within(30),
          joined,
        ),
    ),
  'stream leftJoin after selectKey': (b) =>
    out(
      left(b)
        .selectKey((_k, v) => keyOf(v))
        .leftJoin(
          right(b).selectKey((_k, v) => keyOf(v)),
          plus,
          within(30),
          joined,
        ),
    ),
  'stream join to null': (b) =>
    out(left(b).outerJoin(right(b), (x, y) => (x === null || y === null ? null : x + y), within(20), joined)),
  'stream joins in a row': (b) =>
    out(
      left(b)
        .leftJoin(right(b), plus, within(30), joined)
        .join(
          read(b, 'third'),
          plus,
          within(50),
          StreamJoined.with(text, text, text, { storeName: 't', name: 'k' }),
        ),
    ),
};

type Golden = readonly [title: string, inputs: string, outputs: string];
const golden = readFileSync(join(import.meta.dirname, 'golden/kafka-streams-joins.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as unknown as Golden);

describe('joins', () => {
  it('are known for every topology', () => {
    expect([...new Set(golden.map(([title]) => title))]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('give for "%s" what Kafka Streams gives', (title) => {
    const runs = golden.filter(([name]) => name === title);
    expect(runs.length).toBeGreaterThan(0);
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
