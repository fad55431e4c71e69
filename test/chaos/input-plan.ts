// Owns what a run is fed: records with unique ids, in chunks, each chunk written by two transactions that lie interleaved in the log, of
// which now and then one is aborted, and by a producer without transactions. Drawn from the seed; it writes nothing.
import { ABORTED, TOPICS } from './vocabulary.ts';
import type { ChaosEvent, ChaosTick, Price } from './vocabulary.ts';
import type { SeededRandom } from '#libs/broker-memory';
import { weighted } from './drawing.ts';

export type ProducerName = 'left' | 'right' | 'plain';

export interface PlannedRecord {
  readonly producer: ProducerName;
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  readonly timestamp: number;
}

export interface Chunk {
  readonly records: readonly PlannedRecord[];
  readonly endings: Readonly<Record<ProducerName, 'commit' | 'abort'>>;
}

const FIRST_TIME = 1_700_000_000_000;
/** Milliseconds of event time from record to record. */
const STEP_MS = 3;
/** How far records may lie behind the newest; some are late for their window then, and the model knows which. */
const JITTER_MS = 400;
const EVENT_KEYS = 60;
const GROUPS = 12;
const TICK_KEYS = 40;
/** Keys whose row never changes after the start. */
const STEADY_KEYS = 20;

export class InputPlan {
  readonly #random: SeededRandom;
  readonly #versions = new Map<string, number>();
  #next = 0;
  #aborted = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Ids given so far to records that are committed. */
  get recordCount(): number {
    return this.#next;
  }

  /** The rows there are before the first event: version 1 of every key. */
  tableRows(): Chunk {
    const records: PlannedRecord[] = [];
    for (let key = 0; key < EVENT_KEYS; key++) {
      records.push(this.#price('left', `k${key}`, FIRST_TIME - 2 * JITTER_MS, false));
    }
    return { records, endings: { left: 'commit', right: 'commit', plain: 'commit' } };
  }

  /** The next `count` records with ids, and as many more as the aborted transaction and updates of the table come to. */
  chunk(count: number): Chunk {
    const random = this.#random;
    const right = random.chance(0.25) ? 'abort' : 'commit';
    const left = right === 'commit' && random.chance(0.1) ? 'abort' : 'commit';
    const endings = { left, right, plain: 'commit' } as const;
    const records: PlannedRecord[] = [];
    const end = this.#next + count;
    while (this.#next < end) {
      const producer = weighted<ProducerName>(random, [
        ['left', 5],
        ['right', 4],
        ['plain', 1],
      ]);
      records.push(this.#record(producer, endings[producer] === 'abort'));
    }
    return { records, endings };
  }

  #record(producer: ProducerName, aborted: boolean): PlannedRecord {
    const random = this.#random;
    const timestamp = FIRST_TIME + this.#next * STEP_MS - random.integer(0, JITTER_MS - 1);
    if (random.chance(0.02)) {
      return this.#price(producer, `k${random.integer(STEADY_KEYS, EVENT_KEYS - 1)}`, timestamp, aborted);
    }
    const id = aborted ? `${ABORTED}-${this.#aborted++}` : `r${this.#next++}`;
    const amount = random.integer(-1_000, 999);
    if (random.chance(0.25)) {
      const tick: ChaosTick = { id, amount };
      // Few keys at a time, so that the others fall quiet.
      const key = `t${(Math.floor(this.#next / 2_000) * 7 + random.integer(0, 11)) % TICK_KEYS}`;
      return { producer, topic: TOPICS.ticks, key, value: JSON.stringify(tick), timestamp };
    }
    const event: ChaosEvent = { id, group: `g${random.integer(0, GROUPS - 1)}`, amount };
    const key = `k${random.integer(0, EVENT_KEYS - 1)}`;
    return { producer, topic: TOPICS.events, key, value: JSON.stringify(event), timestamp };
  }

  #price(producer: ProducerName, key: string, timestamp: number, aborted: boolean): PlannedRecord {
    const version = (this.#versions.get(key) ?? 0) + 1;
    if (!aborted) this.#versions.set(key, version);
    const price: Price = { version: aborted ? -version : version };
    return { producer, topic: TOPICS.prices, key, value: JSON.stringify(price), timestamp };
  }
}
