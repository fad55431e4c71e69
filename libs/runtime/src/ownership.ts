// Owns the answer to one question: under which generation of the group may an epoch be committed? The broker checks member and
// generation of an offset commit, not who owns the partitions, so this is where ownership is guarded. It never commits.
//
// An epoch may carry a later generation than the one its records were read under only if every partition in it has been owned
// without a break since. That holds, with three rules, for as long as an ownership stands:
//
//   1. A loss ends it, from the moment the member knows (`losses`), long before the tasks are closed. Losses are: an unknown
//      member, an illegal or missed generation, a session that is over, a fenced instance.
//   2. Abandoning an epoch ends it (`end`): whatever is opened afterwards belongs to the next ownership.
//   3. A join gives up what it does not claim. So it waits for each epoch that holds more than it claims
//      (EpochCoordinator.settledBeyond), and what it claims stays until its assignment takes it away and the next join gives it up.
//
// So work goes on through a rebalance: under the old generation until the coordinator has heard of every member, and under the
// next from its answer on. A commit that it refuses in between, because the generation moved on while it was under way, is offered
// once more under the next, in the same transaction.
import type { GroupMember, GroupMetadata } from '#libs/broker';
import { EpochAbortedError, TaskMigratedError } from '#libs/core';

export type OwningMember = Pick<GroupMember, 'losses' | 'metadata' | 'renewed'>;

export class Ownership {
  private readonly member: OwningMember;
  private readonly losses: number;
  private ended = false;

  /** Begins now: of what is owned from here on. */
  constructor(member: OwningMember) {
    this.member = member;
    this.losses = member.losses;
  }

  /** Nothing has been lost or abandoned since it began. */
  get stands(): boolean {
    return !this.ended && this.member.losses === this.losses;
  }

  /** What was opened under it is abandoned. */
  end(): void {
    this.ended = true;
  }

  get isOver(): boolean {
    return this.ended;
  }

  /**
   * The generation to commit under, asked for as late as can be.
   * @throws EpochAbortedError the epoch was abandoned meanwhile, TaskMigratedError what is in it may be another's by now.
   */
  generation(): GroupMetadata {
    if (this.ended) throw abandoned();
    const { metadata } = this.member;
    if (metadata === null || !this.stands) throw generationLost();
    return metadata;
  }

  /** The generation that follows one which the group refused as not its newest; `null`: none that this work may carry. */
  async renewed(refused: GroupMetadata): Promise<GroupMetadata | null> {
    if (!this.stands) return null;
    const next = await this.member.renewed(refused);
    return this.stands ? next : null;
  }
}

function abandoned(): EpochAbortedError {
  return new EpochAbortedError({
    code: 'MILLRACE_EPOCH_ABORTED',
    message: 'The epoch was abandoned while its batches were on their way.',
    remedy: 'None needed: the worker goes on from the committed offsets.',
  });
}

function generationLost(): TaskMigratedError {
  return new TaskMigratedError({
    code: 'MILLRACE_GENERATION_LOST',
    message: 'The worker left its consumer group generation before the epoch could be committed.',
    remedy: 'None needed: the worker rejoins and goes on from the committed offsets.',
  });
}
