// Owns the order in which an application is reset, so that old state never stands beside new offsets, wherever it is cut off:
//
//   1. members       none live; with `force` they are put out first. Local state is locked
//   2. transactions  what was left open is ended, so that no commit comes after
//   3. mark          the new offsets are committed, with a mark that no application starts on (libs/runtime/src/reset-mark.ts). The broker
//                    takes them of a group without members only: whoever joined since 1 ends the reset here, before anything is gone
//   4. state         local folders are emptied
//   5. topics        changelogs, repartition and retry topics are deleted, and with them their offsets
//   6. deadLetters   those that lie there count as dealt with
//   7. offsets       the same offsets once more, without the mark
//
// Up to 3 nothing is changed, and from 3 to 7 nothing starts. Each step may be done again, so a second reset goes on from whatever the first did.
import type { BrokerClient } from '#libs/broker';
import { FatalError, MillraceError, RetriableError, silentLogger, sleep, systemClock } from '#libs/core';
import { encodeResetMark } from '#libs/runtime';
import { connect } from '../connect.ts';
import type { ResetOptions, ResetPlan, ResetReport, ResetStep } from './contract.ts';
import { membersLive, stateInUse, unfinished } from './errors.ts';
import { prepareReset } from './plan.ts';
import type { PreparedReset } from './plan.ts';
import { emptyStateFolder, lockStateFolders } from './state-folders.ts';
import { settleTransactions } from './transactions.ts';

const SETTLE_TIMEOUT_MS = 90_000;
/** Brokers delete topics, and their offsets, when they have heard of it. */
const DELETED_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 100;

/** What a reset would change. It changes nothing. @throws MillraceError MILLRACE_INVALID_CONFIG, MILLRACE_TOPIC_MISSING */
export async function planReset(options: ResetOptions): Promise<ResetPlan> {
  return withClient(options, async (client) => (await prepareReset(client, options)).plan);
}

/**
 * Sets the inputs of an application to where `target` says, and deletes its state: changelogs, repartition and retry topics, local folders.
 * Cut off at any point, it is run again; until it has come to its end the application does not start.
 * @throws MillraceError MILLRACE_RESET_MEMBERS_LIVE, MILLRACE_STATE_LOCKED, MILLRACE_INVALID_CONFIG, MILLRACE_TOPIC_MISSING: nothing was changed.
 * MILLRACE_RESET_UNFINISHED: something was; the cause says what went wrong.
 */
export async function resetApplication(options: ResetOptions): Promise<ResetReport> {
  return withClient(options, async (client) => {
    const prepared = await prepareReset(client, options);
    const held = prepared.plan.state.filter(({ inUse }) => inUse).map(({ directory }) => directory);
    if (held.length > 0) throw stateInUse(held);
    const locked = await lockStateFolders(prepared.plan.state);
    if (locked.held !== null) throw stateInUse([locked.held]);
    try {
      return await new Reset(client, options, prepared).run();
    } finally {
      await locked.release();
    }
  });
}

async function withClient<T>(options: ResetOptions, use: (client: BrokerClient) => Promise<T>): Promise<T> {
  const { clock = systemClock, logger = silentLogger } = options;
  const client = connect(options.kafka, 'millrace-reset', { clock, logger });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

class Reset {
  private readonly client: BrokerClient;
  private readonly options: ResetOptions;
  private prepared: PreparedReset;
  private plan: ResetPlan;
  /** Something is changed, and not all is done. */
  private marked = false;
  private removedMembers = 0;
  private endedTransactions: readonly string[] = [];
  private deletedTasks = 0;

  constructor(client: BrokerClient, options: ResetOptions, prepared: PreparedReset) {
    this.client = client;
    this.options = options;
    this.prepared = prepared;
    this.plan = agreed(options.plan, prepared.plan);
  }

  async run(): Promise<ResetReport> {
    let step: ResetStep = 'members';
    const begin = async (next: ResetStep): Promise<void> => {
      step = next;
      this.options.signal?.throwIfAborted();
      await this.options.onStep?.(next, this.plan);
    };
    try {
      await begin('members');
      await this.putMembersOut();
      await begin('transactions');
      await this.settle();
      await begin('mark');
      await this.mark();
      await begin('state');
      await this.refuseMembers();
      for (const folder of this.plan.state) {
        await emptyStateFolder(folder);
        this.deletedTasks += folder.tasks.length;
      }
      await begin('topics');
      await this.refuseMembers();
      await this.deleteTopics();
      await begin('deadLetters');
      await this.passDeadLetters();
      await begin('offsets');
      await this.commit(() => '');
    } catch (error) {
      throw this.marked ? unfinished(this.plan.applicationId, step, error) : error;
    }
    const { plan, removedMembers, endedTransactions, deletedTasks } = this;
    const deletedTopics = plan.topics.map(({ name }) => name);
    return { plan, removedMembers, endedTransactions, deletedTopics, deletedTasks };
  }

  private async putMembersOut(): Promise<void> {
    const { applicationId } = this.plan;
    const { admin } = this.client;
    let { group } = this.prepared;
    if (group.members.length > 0 && this.options.force === true) {
      await admin.removeMembers(group);
      this.removedMembers = group.members.length;
      group = await admin.describeGroup(applicationId);
    }
    if (group.members.length > 0) throw membersLive(applicationId, group.members, false);
  }

  /** Somebody who starts meanwhile stops at the mark; another reset that has come to its end has taken it away. */
  private async refuseMembers(): Promise<void> {
    const { applicationId } = this.plan;
    const { members } = await this.client.admin.describeGroup(applicationId);
    if (members.length > 0) throw membersLive(applicationId, members, this.marked);
  }

  private async settle(): Promise<void> {
    const { settleTimeoutMs = SETTLE_TIMEOUT_MS } = this.options;
    this.endedTransactions = await settleTransactions(this.prepared.transactions, settleTimeoutMs);
    // A commit that was decided before may have moved what is counted from.
    const before = JSON.stringify(this.plan.offsets.map(({ from }) => from));
    this.prepared = await prepareReset(this.client, this.options);
    const { plan } = this.prepared;
    if (JSON.stringify(plan.offsets.map(({ from }) => from)) !== before) this.plan = plan;
  }

  private async mark(): Promise<void> {
    const { stores } = this.prepared.offsets;
    try {
      await this.commit((offsetBefore) => encodeResetMark({ offsetBefore, stores }));
      this.marked = true;
    } catch (error) {
      // Of anything but a refusal it is not known whether it was taken.
      this.marked = !(error instanceof FatalError && error.code === 'MILLRACE_RESET_MEMBERS_LIVE');
      throw error;
    }
  }

  private async commit(metadataOf: (before: number | null) => string): Promise<void> {
    const { applicationId, offsets } = this.plan;
    try {
      await this.client.admin.commitOffsets(
        applicationId,
        offsets.map(({ topic, partition, to, from }) => ({
          ...{ topic, partition, offset: to, leaderEpoch: -1, metadata: metadataOf(from) },
        })),
        null,
      );
    } catch (error) {
      const isLive = error instanceof MillraceError && error.code === 'MILLRACE_GENERATION_LOST';
      if (!isLive && !(error instanceof RetriableError)) throw error;
      const { members } = await this.client.admin.describeGroup(applicationId);
      throw membersLive(applicationId, members, this.marked);
    }
  }

  private async deleteTopics(): Promise<void> {
    const names = new Set(this.plan.topics.map(({ name }) => name));
    // A member that came in between, and was refused, may have made them anew.
    for (const { name } of this.prepared.plan.topics) names.add(name);
    if (names.size === 0) return;
    const { admin } = this.client;
    const { clock = systemClock } = this.options;
    const startedAt = clock.monotonic();
    this.marked = true;
    await admin.deleteTopics([...names]);
    for (;;) {
      const left = (await admin.listTopics()).filter((name) => names.has(name));
      const committed = await admin.committedOffsets(this.plan.applicationId, null, { requireStable: false });
      for (const key of committed.keys()) {
        const topic = key.slice(0, key.lastIndexOf('-'));
        if (names.has(topic)) left.push(`offsets of ${topic}`);
      }
      if (left.length === 0) return;
      if (clock.monotonic() - startedAt > DELETED_TIMEOUT_MS) {
        throw new FatalError({
          code: 'MILLRACE_REQUEST_FAILED',
          message: `Brokers have not deleted all there was ${DELETED_TIMEOUT_MS / 1_000} s after they were asked to: ${[...new Set(left)].join(', ')}.`,
          remedy: 'Look at the controller’s log, and that delete.topic.enable is not false.',
          context: { left },
        });
      }
      await sleep(clock, LOOK_AGAIN_MS);
    }
  }

  private async passDeadLetters(): Promise<void> {
    const { applicationId, deadLetters } = this.plan;
    if (deadLetters.length === 0) return;
    await this.client.admin.commitOffsets(
      `${applicationId}-dlq-redrive`,
      deadLetters.map(({ topic, partition, to }) => ({
        ...{ topic, partition, offset: to, leaderEpoch: -1, metadata: '' },
      })),
      null,
    );
  }
}

/** What somebody has seen and agreed to, with what is held and who is there now. */
function agreed(seen: ResetPlan | undefined, now: ResetPlan): ResetPlan {
  return seen === undefined ? now : { ...now, offsets: seen.offsets, deadLetters: seen.deadLetters };
}
