// Owns the doubt about one JoinGroup that has no answer yet: is the group still gathering, or was the answer lost? It asks by heartbeats under
// the generation before. It sends no JoinGroup and changes no membership.
//
// Time alone does not tell: a join is held for as long as the slowest member takes, up to the rebalance timeout. The coordinator does:
//   REBALANCE_IN_PROGRESS   it waits for others, and the member is alive
//   no error                the generation is as it was: it has answered so, or not been asked
//   ILLEGAL_GENERATION …    it has answered, or knows the member no more
// In all but the first case the answer is here in a moment, or never.
// To ask once too often is harmless: a member that joins again as it has joined gets the same answer
// (GroupMetadataManager.classicGroupJoinExistingMember, Kafka 4.3); only the leader of a group that is stable begins a round by it.
import type { Timer } from '#libs/core';
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { GroupMetadata } from '../contracts/transactional-writer.ts';
import { classify, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure } from '../protocol/errors.ts';

/** Kafka's default heartbeat interval: most joins are over before the first. */
const ASK_EVERY_MS = 3_000;
/** How long an answer that was given may be on its way. */
const ON_ITS_WAY_MS = 1_000;

export interface JoinWatchParts {
  readonly cluster: Cluster;
  /** As which the member joins. */
  readonly group: GroupMetadata;
  readonly sessionTimeoutMs: number;
  /** The coordinator answered a heartbeat that left at `sentAt`. */
  readonly onContact: (sentAt: number) => void;
}

export class JoinWatch {
  readonly #parts: JoinWatchParts;
  readonly #everyMs: number;
  #timer: Timer;
  #ended = false;
  #answered = false;
  #settle!: () => void;
  /** Resolves once the answer must be taken for lost; never after `end`. */
  readonly lost: Promise<Again>;

  constructor(parts: JoinWatchParts) {
    this.#parts = parts;
    this.#everyMs = Math.min(ASK_EVERY_MS, parts.sessionTimeoutMs / 3);
    this.lost = new Promise((resolve) => {
      this.#settle = () => resolve(new Again('the answer of JoinGroup was lost'));
    });
    this.#timer = this.#schedule(this.#everyMs, () => this.#ask());
  }

  /** Somebody was told that the group has gone on: the join is answered. */
  wasAnswered(): void {
    if (this.#ended || this.#answered) return;
    this.#answered = true;
    this.#timer.cancel();
    this.#timer = this.#schedule(ON_ITS_WAY_MS, () => this.#settle());
  }

  end(): void {
    this.#ended = true;
    this.#timer.cancel();
  }

  #schedule(delayMs: number, action: () => void): Timer {
    return this.#parts.cluster.clock.schedule(delayMs, action);
  }

  #ask(): void {
    const again = (): void => {
      if (!this.#ended && !this.#answered) this.#timer = this.#schedule(this.#everyMs, () => this.#ask());
    };
    this.#beat().then(again, again);
  }

  async #beat(): Promise<void> {
    const { cluster, group, onContact } = this.#parts;
    const sentAt = cluster.clock.monotonic();
    const request = {
      groupId: group.groupId,
      generationId: group.generationId,
      memberId: group.memberId,
      groupInstanceId: group.groupInstanceId,
    };
    let code: number;
    try {
      const { requestTimeoutMs } = cluster;
      const outcome = await cluster.callCoordinator(
        'group',
        group.groupId,
        'Heartbeat',
        request,
        requestTimeoutMs,
        'group',
      );
      if (outcome instanceof Again) return;
      code = outcome.answer.errorCode;
    } catch (error) {
      // Nothing is known by that. What is final the join itself meets.
      if (isRpcFailure(error)) return;
      throw error;
    }
    if (this.#ended) return;
    const kind = classify(code);
    if (code === KafkaError.NONE || kind === 'rebalancing') onContact(sentAt);
    if (code === KafkaError.NONE || kind === 'generation-lost' || kind === 'instance-fenced')
      this.wasAnswered();
  }
}
