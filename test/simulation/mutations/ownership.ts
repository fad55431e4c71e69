// Bugs of owning: of generations, of what is given up and taken over, of predecessors.
import type { Mutant } from './mutant.ts';

const REQUESTS = 'broker/src/writer/transaction-requests.ts';

export const ofOwnership: readonly Mutant[] = [
  {
    bug: 'drop the generation',
    within: 200,
    changes: [
      {
        file: REQUESTS,
        from: 'groupId: group.groupId,\n    generationId: group.generationId,\n    memberId: group.memberId,\n    groupInstanceId: group.groupInstanceId,',
        to: "groupId: group.groupId,\n    generationId: -1,\n    memberId: '',\n    groupInstanceId: null,",
      },
    ],
  },
  {
    bug: 'go on with tasks that were taken away',
    within: 50,
    changes: [
      {
        file: 'runtime/src/assigned-tasks.ts',
        from: 'const revoked = [...before].filter((name) => !wanted.has(name));',
        to: 'const revoked: TaskIdText[] = [];',
      },
    ],
  },
  {
    bug: 'give a task to a new member while the old one still runs it',
    within: 100,
    changes: [
      {
        file: 'runtime/src/assignor/assign-tasks.ts',
        from: 'if (member !== NOBODY && (owner === NOBODY || owner === member)) {',
        to: 'if (member !== NOBODY && owner !== -2) {',
      },
    ],
  },
  {
    bug: 'skip the fence: leave the transaction of a departed member to its timeout',
    within: 100,
    changes: [
      {
        file: 'runtime/src/predecessor-settler.ts',
        from: 'if ((await this.client.admin.abortTransaction(transaction)) && ',
        to: 'if (',
      },
    ],
  },
];
