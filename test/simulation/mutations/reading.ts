// Bugs of reading: aborted transactions, isolation, where an input ends.
import type { Mutant } from './mutant.ts';

export const ofReading: readonly Mutant[] = [
  {
    bug: 'ignore aborted transactions',
    within: 20,
    changes: [
      {
        file: 'broker/src/reader/deliverable-batches.ts',
        from: 'if (batch.isTransactional && aborted.has(batch.producerId)) continue;',
        to: '',
      },
    ],
  },
  {
    bug: 'read what is not committed',
    within: 20,
    changes: [
      {
        file: 'runtime/src/worker.ts',
        from: "client.createReader({ isolation: 'read_committed' })",
        to: "client.createReader({ isolation: 'read_uncommitted' })",
      },
    ],
  },
  {
    bug: 'end an aborted transaction at any marker',
    within: 400,
    changes: [
      {
        file: 'broker/src/reader/deliverable-batches.ts',
        from: "if (aborted.size > 0 && batch.controlType() === 'abort') aborted.delete(batch.producerId);",
        to: 'aborted.clear();',
      },
    ],
  },
  {
    bug: 'wait for ever for the end of an input that is read anew',
    within: 400,
    changes: [
      {
        file: 'broker/src/reader/fetch-session.ts',
        from: 'before !== undefined && before.reading !== partition.reading',
        to: 'false',
      },
    ],
  },
];
