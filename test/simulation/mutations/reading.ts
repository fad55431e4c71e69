// Bugs of reading: aborted transactions, isolation.
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
];
