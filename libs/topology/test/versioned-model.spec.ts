// Holds versioned tables to a model that keeps every version in a list and looks them through.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Consumed, Produced, StreamsBuilder } from '#libs/topology';
import { Driver } from './driver.ts';
import { text } from './fixtures.ts';

const HISTORY_MS = 40;

interface Version {
  readonly from: number;
  readonly value: string | null;
}

class Model {
  readonly #versions = new Map<string, Version[]>();
  #now = -1;

  put(key: string, value: string | null, from: number): void {
    this.#now = Math.max(this.#now, from);
    if (from < this.#now - HISTORY_MS) return;
    const others = (this.#versions.get(key) ?? []).filter((version) => version.from !== from);
    // As in Kafka Streams, a key whose only version is deleted at its own time was never there.
    const isUndone =
      value === null &&
      others.length === 0 &&
      this.#versions.get(key)?.some((version) => version.value !== null);
    const versions = isUndone === true ? [] : [...others, { from, value }];
    this.#versions.set(
      key,
      versions.sort((a, b) => a.from - b.from),
    );
  }

  asOf(key: string, time: number): string | null {
    const versions = this.#versions.get(key) ?? [];
    const found = versions.findLast(({ from }) => from <= time);
    if (found === undefined) return null;
    if (time < this.#now - HISTORY_MS && found !== versions.at(-1)) return null;
    return found.value;
  }
}

const step = fc.record({
  put: fc.boolean(),
  key: fc.constantFrom('a', 'b'),
  value: fc.option(fc.constantFrom('x', 'y', 'z'), { freq: 3 }),
  ahead: fc.integer({ min: -60, max: 30 }),
});

describe('a versioned table', () => {
  it('finds what a list of all versions finds, as of any time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const builder = new StreamsBuilder();
        const rows = builder.table('rows', Consumed.with(text, text), {
          name: 'rows',
          versioned: { historyRetentionMs: HISTORY_MS },
        });
        builder
          .stream<string, string>('asked', Consumed.with(text, text))
          .leftJoin(rows, (_asked, value) => String(value))
          .to('out', Produced.with(text, text));
        const driver = new Driver(builder.build());
        const model = new Model();
        const expected: string[] = [];
        let now = 100;
        for (const { put, key, value, ahead } of steps) {
          const time = now + ahead;
          now = Math.max(now, time);
          if (put) {
            driver.pipe('rows', key, value, time);
            model.put(key, value, time);
          } else {
            driver.pipe('asked', key, '?', time);
            expected.push(`${key}=${String(model.asOf(key, time))}@${time}`);
          }
        }
        expect(driver.lines('out')).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
