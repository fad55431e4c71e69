// An aggregate by another key: records of several partitions meet, in any order between partitions, and in order within each.
import { StreamsBuilder } from '#libs/topology';
import { Violation } from '../violation.ts';
import type { InputRecord, OutputModel, TopologyUnderTest } from './topology-under-test.ts';
import { add, input, NOTHING, text, total } from './values.ts';
import type { Total } from './values.ts';

const GROUPS = 5;
const BETWEEN = 'app-by-group-repartition';
const groupOf = (n: number): string => `g${n % GROUPS}`;

export const repartition: TopologyUnderTest = {
  name: 'repartition',
  subTopologies: 2,
  inputs: ['in'],
  watched: [BETWEEN, 'out'],
  build() {
    const builder = new StreamsBuilder();
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .groupBy((_key, { n }) => groupOf(n), { name: 'by-group', keySerde: text, valueSerde: input })
      .aggregate(
        () => NOTHING,
        (_key, value, before) => add(before, value),
        { name: 'by-group-sums', keySerde: text, valueSerde: total },
      )
      .toStream()
      .to('out', { keySerde: text, valueSerde: total });
    return builder.build();
  },
  model: (inputs) => new RepartitionModel(inputs),
};

/** Ids of one group from one partition, and how many came. */
interface Line {
  readonly records: InputRecord[];
  seen: number;
}

class RepartitionModel implements OutputModel {
  readonly expectedOutputs: number;
  readonly #byId = new Map<number, InputRecord>();
  readonly #between = new Map<string, Line>();
  readonly #out = new Map<string, Line>();
  readonly #totals = new Map<string, Total>();

  constructor(inputs: readonly InputRecord[]) {
    this.expectedOutputs = inputs.length;
    for (const record of inputs) {
      this.#byId.set(record.id, record);
      for (const lines of [this.#between, this.#out]) {
        const name = lineOf(record);
        const line = lines.get(name);
        if (line === undefined) lines.set(name, { records: [record], seen: 0 });
        else line.records.push(record);
      }
    }
  }

  observe(
    topic: string,
    { partition, key, value }: { partition: number; key: string; value: string },
  ): InputRecord | null {
    const where = `${topic}-${partition}`;
    const parsed = JSON.parse(value) as { id: number };
    const record = this.#byId.get(parsed.id);
    if (record === undefined || groupOf(record.n) !== key)
      throw new Violation(`Committed record ${value} under key ${key} in ${where} comes from no input.`);
    const line = (topic === BETWEEN ? this.#between : this.#out).get(lineOf(record))!;
    const due = line.records[line.seen];
    if (due !== record) {
      const isBefore = line.records.indexOf(record) < line.seen;
      throw new Violation(
        `Committed record ${value} under key ${key} in ${where} ${isBefore ? 'was there before (doubled, or of an aborted attempt)' : 'comes too early (something is lost, or out of order)'}; due from ${record.topic}-${record.partition} was record ${due?.id ?? 'none'}.`,
      );
    }
    line.seen++;
    if (topic === BETWEEN) return record;
    const before = this.#totals.get(key) ?? { id: -1, count: 0, sum: 0 };
    const after: Total = { id: record.id, count: before.count + 1, sum: before.sum + record.n };
    if (JSON.stringify(after) !== value)
      throw new Violation(
        `Committed output ${value} under key ${key} in ${where} is wrong: after ${JSON.stringify(before)} and record ${record.id} of ${record.n} it must be ${JSON.stringify(after)}.`,
      );
    this.#totals.set(key, after);
    return null;
  }

  finalValues(store: string): readonly string[] | undefined {
    if (store !== 'by-group-sums') return undefined;
    return [...this.#totals.values()].map((value) => JSON.stringify(value));
  }
}

function lineOf(record: InputRecord): string {
  return `${groupOf(record.n)} ${record.partition}`;
}
