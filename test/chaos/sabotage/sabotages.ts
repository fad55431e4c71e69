// Owns the guarantees that can be switched off, one at a time: what is changed in the source that a process of the application loads, and the
// short schedule whose judgement must notice. It changes no file; the hook beside it changes what is loaded.
//
// Some doors have several locks: a fenced transactional id holds where a missing generation would let a dead member's commit pass, and the
// other way round. Where one lock hides the want of another, both are taken away, and the guarantee is named after the one that is meant.
import type { Fault, ScheduledFault } from '../faults.ts';
import type { ServiceOptions } from '../service.ts';

export interface Edit {
  /** Below the root of the repository. */
  readonly file: string;
  /** In the file exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Sabotage {
  readonly guarantee: string;
  /** What the processes do wrong then. */
  readonly wrong: string;
  readonly edits: readonly Edit[];
  /** Options of the application under which it shows; without the edits they are as good as any. */
  readonly application: Partial<ServiceOptions['application']>;
  readonly schedule: readonly ScheduledFault[];
  readonly records: number;
  readonly stuckAfterMs?: number;
}

const inTurn = (...faults: readonly Fault[]): ScheduledFault[] =>
  faults.map((fault) => ({ fault, recover: true }));

type Killed = Extract<Fault, { kind: 'kill-in-transaction' }>;

const killed = (process: number, more: Partial<Killed> = {}): Killed => ({
  kind: 'kill-in-transaction',
  process,
  api: 'EndTxn',
  holdMs: 0,
  downMs: 0,
  late: 'never',
  ...more,
});

/** Nobody settles what the departed left open. */
const noSettling: Edit = {
  file: 'libs/runtime/src/predecessor-settler.ts',
  from: "if (this.config.processingGuarantee !== 'exactly_once') return;",
  to: 'return;',
};

export const SABOTAGES: readonly Sabotage[] = [
  {
    guarantee: 'exactly-once',
    wrong: 'outputs, changelogs and offsets are not written in one transaction',
    edits: [],
    application: { processingGuarantee: 'at_least_once' },
    schedule: inTurn(killed(0, { api: 'OffsetCommit' }), killed(1, { api: 'OffsetCommit' })),
    records: 3_000,
  },
  {
    guarantee: 'fencing',
    wrong: 'each start has a transactional id of its own, and nobody settles what the one before left open',
    edits: [
      noSettling,
      {
        file: 'libs/runtime/src/names.ts',
        from: 'return `${applicationId}-${instanceId}-${worker}`;',
        to: 'return `${applicationId}-${instanceId}-${worker}-${process.pid}`;',
      },
    ],
    // Nobody may wait for it, sabotage or not.
    application: { transactionTimeoutMs: 600_000 },
    schedule: inTurn(killed(0), killed(1)),
    records: 3_000,
    stuckAfterMs: 40_000,
  },
  {
    guarantee: 'isolation',
    wrong: 'the input is read uncommitted',
    edits: [
      {
        file: 'libs/runtime/src/worker.ts',
        from: "client.createReader({ isolation: 'read_committed' })",
        to: "client.createReader({ isolation: 'read_uncommitted' })",
      },
    ],
    application: {},
    schedule: [],
    records: 2_000,
  },
  {
    guarantee: 'require-stable',
    wrong: 'a new owner reads offsets while a transaction with others is pending (and does not settle it)',
    edits: [
      noSettling,
      {
        file: 'libs/broker/src/admin/broker-admin.ts',
        from: 'options.requireStable ?? true',
        to: 'false',
      },
    ],
    application: {},
    schedule: inTurn(killed(0, { late: 'taken-over' }), killed(1, { late: 'taken-over' })),
    records: 4_000,
  },
  {
    guarantee: 'generation',
    wrong: 'offsets are committed without generation and member (and successors settle nothing)',
    edits: [
      noSettling,
      {
        file: 'libs/broker/src/writer/transaction-requests.ts',
        from: `    generationId: group.generationId,
    memberId: group.memberId,
    groupInstanceId: group.groupInstanceId,
    topics`,
        to: `    generationId: -1,
    memberId: '',
    groupInstanceId: null,
    topics`,
      },
    ],
    application: {},
    schedule: inTurn({ kind: 'exile', process: 0 }, { kind: 'exile', process: 1 }),
    records: 6_000,
  },
  {
    guarantee: 'atomic-store',
    wrong: 'a store is written as its epoch is sealed, before the commit',
    edits: [
      {
        file: 'libs/runtime/src/epoch-coordinator.ts',
        from: 'this.inCommit = epoch;',
        to: `this.inCommit = epoch;
    settleEpoch(epoch, (globalThis as any).endOffsetsBefore ?? new Map());`,
      },
      {
        file: 'libs/runtime/src/epoch-coordinator.ts',
        from: 'settleEpoch(epoch, endOffsets);',
        to: '(globalThis as any).endOffsetsBefore = endOffsets;',
      },
    ],
    application: { writeBehindIntervalMs: 10 },
    schedule: inTurn(
      killed(0, { holdMs: 1_500 }),
      killed(1, { holdMs: 1_500 }),
      killed(2, { holdMs: 1_500 }),
    ),
    records: 4_000,
  },
  {
    guarantee: 'abandon',
    wrong: 'after an epoch whose outcome is in doubt the worker goes on from where it stood',
    edits: [
      {
        file: 'libs/runtime/src/worker-recovery.ts',
        from: '// Asked before the writer begins anew, which would fence the other process once more.',
        to: `if (epochs.failure !== null) {
      epochs.failure = null;
      await this.parts.writer!.initialise();
      return;
    }`,
      },
      {
        file: 'libs/runtime/src/epoch-coordinator.ts',
        from: 'if (!ownership.isOver) this.failure = error;',
        to: `if (ownership.isOver) return;
        settleEpoch(epoch, new Map());
        this.failure = error;`,
      },
    ],
    application: { transactionTimeoutMs: 2_000 },
    schedule: inTurn(
      ...[0, 1, 2].map((process): Fault => ({
        kind: 'frames',
        api: 'EndTxn',
        on: 'request',
        action: 'hold',
        ms: 6_000,
        process,
        skip: 0,
        times: 20,
      })),
    ),
    records: 4_000,
  },
  {
    guarantee: 'order',
    wrong: 'the batches of a fetch are processed last first',
    edits: [
      {
        file: 'libs/runtime/src/record-queue.ts',
        from: 'this.waiting.push(chunk);',
        to: 'this.waiting.push({ ...chunk, batches: [...chunk.batches].reverse() });',
      },
    ],
    application: {},
    schedule: [],
    records: 2_000,
  },
  {
    guarantee: 'idempotence',
    wrong: 'a batch whose answer was lost is sent again under a new sequence',
    edits: [
      {
        file: 'libs/broker/src/writer/partition-queue.ts',
        from: 'const first = pending.sequence < 0;',
        to: 'const first = true;',
      },
    ],
    application: {},
    schedule: inTurn(
      ...[0, 1, 2].map((process): Fault => ({
        kind: 'frames',
        api: 'Produce',
        on: 'answer',
        action: 'cut',
        ms: 0,
        process,
        skip: 3,
        times: 1,
      })),
    ),
    records: 4_000,
  },
  {
    guarantee: 'restore',
    wrong: 'a new owner does not restore the stores it takes over',
    edits: [
      {
        file: 'libs/runtime/src/task-opener.ts',
        from: 'if (state !== null) await this.restore(',
        to: `if (state !== null) await state.restored({ streamTime: start.streamTime });
        if (state === undefined) await this.restore(`,
      },
    ],
    application: {},
    schedule: inTurn({ kind: 'state-deleted', process: 0 }, { kind: 'kill', process: 1, downMs: 500 }),
    records: 3_000,
  },
];

export function sabotageOf(guarantee: string): Sabotage | undefined {
  return SABOTAGES.find((sabotage) => sabotage.guarantee === guarantee);
}

/** The source with the edits of a guarantee in it. @throws Error when one of them has no place, or more than one. */
export function sabotaged(source: string, edits: readonly Edit[]): string {
  let changed = source;
  for (const { file, from, to } of edits) {
    const at = changed.indexOf(from);
    if (at < 0 || changed.indexOf(from, at + 1) >= 0) {
      throw new Error(`the text to change is ${at < 0 ? 'not' : 'more than once'} in ${file}: ${from}`);
    }
    changed = changed.slice(0, at) + to + changed.slice(at + from.length);
  }
  return changed;
}
