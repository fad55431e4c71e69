// Bugs of committing: the order of its steps, what belongs to an epoch, and what is reused after doubt.
import type { Mutant } from './mutant.ts';

const EPOCH = 'runtime/src/epoch-commit.ts';
const COORDINATOR = 'runtime/src/epoch-coordinator.ts';
const WRITER = 'broker/src/writer/transactional-writer.ts';
const REQUESTS = 'broker/src/writer/transaction-requests.ts';
const QUEUE = 'broker/src/writer/partition-queue.ts';

export const ofCommits: readonly Mutant[] = [
  {
    bug: 'commit offsets early: of records whose outputs are in the next epoch',
    within: 100,
    changes: [
      {
        file: EPOCH,
        from: 'offset: queue.position,',
        to: 'get offset() {\n          return queue.position;\n        },',
      },
    ],
  },
  {
    bug: 'commit without waiting for the batches',
    within: 20,
    changes: [
      {
        file: EPOCH,
        from: '    this.stream(epoch.batches);\n    await this.writer.flush();\n    const group',
        to: '    this.stream(epoch.batches);\n    const group',
      },
      {
        file: WRITER,
        from: '      await this.#pipeline!.drained();\n      if (group',
        to: '      if (group',
      },
    ],
  },
  {
    bug: 'leave outputs of an epoch to the next one',
    within: 20,
    changes: [{ file: EPOCH, from: '  collector.cutAll();\n  const', to: '  collector.cutFull();\n  const' }],
  },
  {
    bug: 'forget the outputs of an epoch that was abandoned no more than its offsets',
    within: 100,
    changes: [{ file: COORDINATOR, from: '    this.collector.clear();\n', to: '' }],
  },
  {
    bug: 'take a commit that failed for one that succeeded',
    within: 100,
    changes: [{ file: COORDINATOR, from: 'if (!ownership.isOver) this.failure = error;', to: 'void error;' }],
  },
  {
    bug: 'reuse a producer after doubt',
    within: 100,
    changes: [
      {
        file: WRITER,
        from: '    const numbers = await requests.initProducerId(context);\n    refuseWhenOver(context);\n    this.#transactionVersion2',
        to: '    const numbers = this.#numbers.producerId >= 0n ? this.#numbers : await requests.initProducerId(context);\n    refuseWhenOver(context);\n    this.#transactionVersion2',
      },
    ],
  },
  {
    bug: 'retry a batch with a new sequence',
    within: 100,
    changes: [{ file: QUEUE, from: 'const first = pending.sequence < 0;', to: 'const first = true;' }],
  },
  {
    bug: 'take a lost answer to EndTxn for an abort',
    within: 100,
    changes: [
      {
        file: REQUESTS,
        from: "if (failure.kind === 'unknown' && failure.api !== 'FindCoordinator') context.onLostAnswer();",
        to: "if (failure.kind === 'unknown' && failure.api === 'EndTxn') throw epochAborted('lost');",
      },
      // And goes on from where it is, without asking what was committed.
      { file: COORDINATOR, from: 'if (!ownership.isOver) this.failure = error;', to: 'void error;' },
    ],
  },
];
