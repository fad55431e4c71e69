// Owns a small inner join of two streams over ordered stores, and the naive join it is compared with: for each record,
// in order, all earlier ones of the other side with the same key and |t1 - t2| <= window. Nothing of the runtime is used;
// what the runtime would do with batches, misses, failed records, commits and replays is done here by hand.
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { orderedTime, orderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StateMiss } from '#libs/state';
import type {
  OrderedStoreCache,
  OrderedStoreSpec,
  StateBackend,
  TaskState,
  TaskStateOptions,
} from '#libs/state';
import { bin, taskOptions } from './support.ts';

const WINDOW_MS = 10;
/** Rows older than stream time less this are not joined any more, whether they are still stored or not. */
const RETENTION_MS = 3 * WINDOW_MS;

interface JoinRecord {
  readonly side: 'left' | 'right';
  readonly key: string;
  readonly timestamp: number;
  /** Fails after all its effects, and is skipped. */
  readonly poison: boolean;
}

type JoinStep =
  | { readonly kind: 'batch'; readonly count: number; readonly ahead: boolean }
  | { readonly kind: 'seal' | 'commit' | 'abandon' | 'flush' | 'restart' };

export interface JoinCase {
  readonly records: readonly JoinRecord[];
  readonly steps: readonly JoinStep[];
}

/** Two partitions' batches, interleaved; timestamps move on with jumps back. */
export const joinCases: fc.Arbitrary<JoinCase> = fc.record({
  records: fc
    .array(
      fc.record({
        side: fc.constantFrom('left' as const, 'right' as const),
        key: fc.constantFrom('a', 'ab', 'a-key-longer-than-a-slice', ''),
        ahead: fc.integer({ min: -25, max: 6 }),
        poison: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
      { minLength: 20, maxLength: 120, size: 'max' },
    )
    .map((list) => {
      let time = 1_000;
      return list.map(({ side, key, ahead, poison }) => {
        if (ahead > 0) time += ahead;
        return { side, key, timestamp: time + Math.min(0, ahead), poison };
      });
    }),
  steps: fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('batch' as const),
          count: fc.integer({ min: 1, max: 12 }),
          ahead: fc.boolean(),
        }),
      },
      { weight: 4, arbitrary: fc.constant({ kind: 'seal' as const }) },
      { weight: 4, arbitrary: fc.constant({ kind: 'commit' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'abandon' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    ),
    { minLength: 20, maxLength: 80, size: 'max' },
  ),
});

export function naiveJoin(records: readonly JoinRecord[]): string[] {
  const output: string[] = [];
  let streamTime = -Infinity;
  const kept: { readonly at: number; readonly record: JoinRecord }[] = [];
  for (const [at, record] of records.entries()) {
    if (record.poison) continue;
    streamTime = Math.max(streamTime, record.timestamp);
    const oldest = streamTime - RETENTION_MS;
    const others = kept
      .filter(({ record: other }) => other.timestamp >= oldest)
      .filter(({ record: other }) => other.side !== record.side && other.key === record.key)
      .filter(({ record: other }) => Math.abs(other.timestamp - record.timestamp) <= WINDOW_MS)
      .sort((a, b) => a.record.timestamp - b.record.timestamp || a.at - b.at);
    for (const other of others) output.push(pair(at, other.at));
    kept.push({ at, record });
  }
  return output;
}

const pair = (at: number, otherAt: number): string => `${at}×${otherAt}`;

const rowStore = (name: string): OrderedStoreSpec => ({
  kind: 'ordered',
  name,
  keySerde: Serdes.bytes(),
  valueSerde: Serdes.json(),
  logged: true,
  resident: false,
  expiry: { retentionMs: RETENTION_MS },
  layout: `join(${WINDOW_MS})`,
});

const suffixOf = (timestamp: number, at: number): BinaryString =>
  (orderedTime(timestamp) + orderedUint64(at)) as BinaryString;

interface Sealed {
  readonly epochId: number;
  readonly output: readonly string[];
  readonly position: number;
  readonly streamTime: number;
  readonly changes: readonly Change[];
}

interface Change {
  readonly store: string;
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
}

export class JoinRun {
  private readonly backend: StateBackend;
  private readonly options: TaskStateOptions;
  private readonly records: readonly JoinRecord[];
  private state!: TaskState;
  private left!: OrderedStoreCache<number>;
  private right!: OrderedStoreCache<number>;

  private position = 0;
  private streamTime = -Infinity;
  private output: string[] = [];
  private sealed: Sealed[] = [];
  private readonly committedOutput: string[] = [];
  private committedPosition = 0;
  private committedStreamTime = -Infinity;
  private readonly changelog: Change[] = [];
  private epochId = 0;
  /** How often a range was not in memory, so that a spec can tell that the way was taken. */
  misses = 0;

  constructor(backend: StateBackend, records: readonly JoinRecord[], overrides: Partial<TaskStateOptions>) {
    this.backend = backend;
    this.records = records;
    this.options = taskOptions({ stores: [rowStore('left'), rowStore('right')], ...overrides });
  }

  /** @returns the committed output once all records are processed. */
  async run(steps: readonly JoinStep[]): Promise<readonly string[]> {
    await this.start();
    for (const step of steps) await this.step(step);
    while (this.sealed.length > 0) this.commit();
    await this.batch(this.records.length, true);
    this.seal();
    this.commit();
    await this.state.close();
    return this.committedOutput;
  }

  private async start(): Promise<void> {
    const state = await this.backend.open(this.options);
    this.state = state;
    const reached = state.checkpoint.changelogOffsets.get('left') ?? 0;
    expect(reached).toBeLessThanOrEqual(this.changelog.length);
    for (const change of this.changelog.slice(reached)) await this.replay(change);
    await state.restored({});
    this.left = state.orderedStore<number>('left');
    this.right = state.orderedStore<number>('right');
  }

  private async replay({ store, key, value, timestamp }: Change): Promise<void> {
    const bytes = Buffer.from(key + (value ?? ''), 'latin1');
    await this.state.restore(
      store,
      {
        count: 1,
        bytes,
        keyStart: Int32Array.of(0),
        keyEnd: Int32Array.of(key.length),
        valueStart: Int32Array.of(value === null ? -1 : key.length),
        valueEnd: Int32Array.of(bytes.length),
        timestamps: Float64Array.of(timestamp),
      },
      this.changelog.length,
    );
  }

  private async step(step: JoinStep): Promise<void> {
    switch (step.kind) {
      case 'batch':
        await this.batch(step.count, step.ahead);
        break;
      case 'seal':
        if (this.sealed.length < 2) this.seal();
        break;
      case 'commit':
        this.commit();
        break;
      case 'abandon':
        this.state.abandon();
        this.rewind();
        break;
      case 'flush':
        await this.state.flush();
        break;
      case 'restart':
        await this.state.closeDirty();
        this.rewind();
        await this.start();
        break;
    }
  }

  private async batch(count: number, ahead: boolean): Promise<void> {
    const batch = this.records.slice(this.position, this.position + count);
    if (ahead) {
      for (const side of ['left', 'right'] as const) {
        const ranges = batch
          .filter((record) => record.side !== side)
          .map(({ key, timestamp }) => ({ group: bin(key), from: orderedTime(timestamp - WINDOW_MS) }));
        await this.state.readAheadRanges(side, ranges);
      }
    }
    for (const record of batch) {
      await this.processUntilResident(record);
      this.position++;
    }
  }

  private async processUntilResident(record: JoinRecord): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      expect(attempt).toBeLessThan(10);
      const outputBefore = this.output.length;
      this.state.beginRecord();
      try {
        this.process(record);
        return;
      } catch (error) {
        this.state.undoRecord();
        this.output.length = outputBefore;
        if (error instanceof Poisoned) return;
        if (!(error instanceof StateMiss)) throw error;
        this.misses++;
        await this.state.read(error);
      }
    }
  }

  // The operator itself: look at the other side's window, keep the record.
  private process({ side, key, timestamp, poison }: JoinRecord): void {
    const at = this.position;
    const own = side === 'left' ? this.left : this.right;
    const other = side === 'left' ? this.right : this.left;
    const group = bin(key);
    const streamTime = Math.max(this.streamTime, timestamp);
    // Expiry drops what it comes to: what a record may see is a matter of time, never of what was dropped already.
    const from = Math.max(timestamp - WINDOW_MS, streamTime - RETENTION_MS);
    other.range(group, orderedTime(from), orderedTime(timestamp + WINDOW_MS + 1), (row) => {
      this.output.push(pair(at, other.value(row)!));
    });
    own.set(own.row(group, suffixOf(timestamp, at)), at, timestamp);
    if (poison) throw new Poisoned();
    this.streamTime = streamTime;
  }

  private seal(): void {
    const epochId = ++this.epochId;
    const changes: Change[] = [];
    this.state.seal(epochId, (store, key, value, timestamp) => {
      changes.push({ store: this.options.stores[store]!.name, key, value, timestamp });
    });
    this.sealed.push({
      epochId,
      output: this.output,
      position: this.position,
      streamTime: this.streamTime,
      changes,
    });
    this.output = [];
  }

  private commit(): void {
    const epoch = this.sealed.shift();
    if (epoch === undefined) return;
    this.committedOutput.push(...epoch.output);
    this.committedPosition = epoch.position;
    this.committedStreamTime = epoch.streamTime;
    this.changelog.push(...epoch.changes);
    const reached = this.changelog.length;
    this.state.commit(epoch.epochId, {
      changelogOffsets: new Map([
        ['left', reached],
        ['right', reached],
      ]),
      metadata: {},
      expireBefore: new Map([
        ['left', epoch.streamTime - RETENTION_MS],
        ['right', epoch.streamTime - RETENTION_MS],
      ]),
    });
  }

  private rewind(): void {
    this.sealed = [];
    this.output = [];
    this.position = this.committedPosition;
    this.streamTime = this.committedStreamTime;
  }
}

class Poisoned extends Error {}
