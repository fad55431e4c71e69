// Bugs of state: what is written when, what an offset says, what a restore reads.
import type { Mutant } from './mutant.ts';

const EPOCH = 'runtime/src/epoch-commit.ts';
const COORDINATOR = 'runtime/src/epoch-coordinator.ts';
const RESTORER = 'runtime/src/store-restorer.ts';

export const ofState: readonly Mutant[] = [
  {
    bug: 'write the store before the commit',
    within: 50,
    changes: [
      {
        file: COORDINATOR,
        from: '    const ownership = this.owned();\n    this.inCommit = epoch;',
        to: '    settleEpoch(epoch, new Map());\n    const ownership = this.owned();\n    this.inCommit = epoch;',
      },
      {
        file: COORDINATOR,
        from: '        settleEpoch(epoch, endOffsets);\n',
        to: '        void endOffsets;\n',
      },
    ],
  },
  {
    bug: 'say a store reached further than it did',
    within: 100,
    changes: [
      {
        file: EPOCH,
        from: 'if (end !== undefined) changelogOffsets.set(store.name, end);',
        to: 'if (end !== undefined) changelogOffsets.set(store.name, end + 3);',
      },
    ],
  },
  {
    bug: 'keep changes of an abandoned epoch in the cache',
    within: 200,
    changes: [
      {
        file: 'runtime/src/task.ts',
        from: '    this.closeOperators();\n    this.state?.abandon();',
        to: '    this.closeOperators();',
      },
    ],
  },
  {
    bug: 'leave out of the changelog what was deleted',
    within: 200,
    changes: [
      {
        file: EPOCH,
        from: '    if (output === null) return;\n',
        to: '    if (output === null || value === null) return;\n',
      },
    ],
  },
  {
    bug: 'trust a disk without its tail',
    within: 100,
    changes: [
      {
        file: RESTORER,
        from: 'if (from >= end) continue;',
        to: 'if (from >= end || written !== undefined) continue;',
      },
    ],
  },
  {
    bug: 'promote a standby without its tail',
    within: 200,
    changes: [
      {
        file: RESTORER,
        from: 'if (from >= end) continue;',
        to: 'if (from >= end || position > 0) continue;',
      },
    ],
  },
];
