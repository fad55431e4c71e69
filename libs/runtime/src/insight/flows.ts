// Owns the totals of what came in by each source and what went out to each topic. What came in counts as it is processed; what goes out
// counts batch by batch, and only once its epoch is committed.
import type { PendingBatch } from '../output-collector.ts';
import type { InputFlow, OutputFlow } from './figures.ts';

/** Counted up by whoever reads: the object is looked up once, when a task is built. */
export class InputCounter {
  records = 0;
  bytes = 0;
}

interface Output {
  readonly kind: OutputFlow['kind'];
  readonly store: string | null;
  records: number;
  bytes: number;
}

/** What an epoch sends. */
export class EpochOutput {
  readonly byTopic = new Map<string, { records: number; bytes: number }>();

  add(batches: readonly PendingBatch[]): void {
    for (const { topic, batch } of batches) {
      let sum = this.byTopic.get(topic);
      if (sum === undefined) this.byTopic.set(topic, (sum = { records: 0, bytes: 0 }));
      sum.records += batch.recordCount;
      sum.bytes += batch.bytes.length;
    }
  }
}

export interface EpochTotals {
  readonly recordsOut: number;
  readonly changelogRecords: number;
  readonly bytesOut: number;
}

export class Flows {
  private readonly inputs = new Map<
    string,
    { readonly identity: Omit<InputFlow, 'records' | 'bytes'>; readonly counter: InputCounter }
  >();
  private readonly outputs = new Map<string, Output>();

  input(identity: Omit<InputFlow, 'records' | 'bytes'>): InputCounter {
    const key = `${identity.subTopology} ${identity.source} ${identity.topic}`;
    let input = this.inputs.get(key);
    if (input === undefined) this.inputs.set(key, (input = { identity, counter: new InputCounter() }));
    return input.counter;
  }

  /** Says of an internal topic what it is; other topics are the user's. */
  declare(topic: string, kind: OutputFlow['kind'], store: string | null = null): void {
    if (!this.outputs.has(topic)) this.outputs.set(topic, { kind, store, records: 0, bytes: 0 });
  }

  get recordsIn(): number {
    let records = 0;
    for (const { counter } of this.inputs.values()) records += counter.records;
    return records;
  }

  totals(output: EpochOutput): EpochTotals {
    let recordsOut = 0;
    let changelogRecords = 0;
    let bytesOut = 0;
    for (const [topic, { records, bytes }] of output.byTopic) {
      if (this.outputs.get(topic)?.kind === 'changelog') changelogRecords += records;
      else recordsOut += records;
      bytesOut += bytes;
    }
    return { recordsOut, changelogRecords, bytesOut };
  }

  committed(output: EpochOutput): void {
    for (const [topic, { records, bytes }] of output.byTopic) {
      this.declare(topic, 'topic');
      const total = this.outputs.get(topic)!;
      total.records += records;
      total.bytes += bytes;
    }
  }

  get inputFigures(): InputFlow[] {
    return [...this.inputs.values()].map(({ identity, counter: { records, bytes } }) => ({
      ...identity,
      records,
      bytes,
    }));
  }

  get outputFigures(): OutputFlow[] {
    return [...this.outputs].map(([topic, output]) => ({ topic, ...output }));
  }
}
