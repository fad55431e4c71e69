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
    bug: 'wait for ever for the end of an input that is read anew',
    within: 800,
    changes: [
      {
        file: 'broker/src/reader/fetch-session.ts',
        from: 'before !== undefined && before.reading !== partition.reading',
        to: 'false',
      },
    ],
  },
];
