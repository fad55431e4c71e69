// Owns the shapes of a reset: what is asked for, what it will change, what it did.
import type { Clock, Logger } from '#libs/core';
import type { KafkaConnection } from '../connect.ts';

/** Where the inputs are to be read from again. Offsets outside of what a partition holds become its start or its end, as in Kafka's tools. */
export type ResetTarget =
  | 'earliest'
  /** The end of what is committed. */
  | 'latest'
  /** The first record of that time or later, by milliseconds since the Unix epoch; without one, the end. */
  | { readonly timestampMs: number }
  | { readonly offset: number }
  /** From what the group has committed; after a reset that was cut off, from what it had before that one. */
  | { readonly shiftBy: number };

export interface ResetOptions {
  readonly kafka: KafkaConnection;
  readonly applicationId: string;
  /** The one of the application. Default `.millrace/state` in the working directory. */
  readonly stateDir?: string | undefined;
  /** Default `earliest`. */
  readonly target?: ResetTarget | undefined;
  /** Topics to be set besides those that the group has offsets of. */
  readonly inputTopics?: readonly string[] | undefined;
  /** Exactly these are deleted, instead of those that are found. Each begins with the application's id and ends as an internal topic does. */
  readonly internalTopics?: readonly string[] | undefined;
  /** Topics of dead letters besides those that the group of redrives has offsets of. */
  readonly deadLetterTopics?: readonly string[] | undefined;
  /**
   * `done`: dead letters that lie there now count as dealt with, for their records are read again. `keep`: nothing changes for them.
   * Default `done` for the target `earliest`, `keep` for others.
   */
  readonly deadLetters?: 'done' | 'keep' | undefined;
  /** Puts members out of the group first. Default false: refused while there are any. */
  readonly force?: boolean | undefined;
  /** How long open transactions may take to end, milliseconds. Default 90,000. */
  readonly settleTimeoutMs?: number | undefined;
  readonly logger?: Logger | undefined;
  /** Between two steps; what is done by then stays, and the application is refused to start until a reset has come to its end. */
  readonly signal?: AbortSignal | undefined;
  /** Default the system's. */
  readonly clock?: Clock | undefined;
  /** As `planReset` gave it, and as somebody has agreed to. Default: made anew. */
  readonly plan?: ResetPlan | undefined;
  /** Told before each step. What it throws ends the reset there. */
  readonly onStep?: ((step: ResetStep, plan: ResetPlan) => void | Promise<void>) | undefined;
}

/** In this order; see reset.ts for why. */
export const RESET_STEPS = [
  'members',
  'transactions',
  'mark',
  'state',
  'topics',
  'deadLetters',
  'offsets',
] as const;

export type ResetStep = (typeof RESET_STEPS)[number];

export interface ResetMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** A partition whose offset is set. */
export interface ResetOffset {
  readonly topic: string;
  readonly partition: number;
  /** `null`: nothing is committed. */
  readonly from: number | null;
  readonly to: number;
  /** What was asked for lies outside of the partition. */
  readonly clamped: boolean;
}

/**
 * Why a topic is taken for the application's: the group has read it, or its offsets say that the store was written; it was named; or by
 * nothing but its name.
 */
export type OwnedBy = 'offsets' | 'named' | 'name';

export interface ResetTopic {
  readonly name: string;
  readonly kind: 'changelog' | 'repartition' | 'retry';
  readonly because: OwnedBy;
}

/** A folder of one instance on this machine. */
export interface ResetStateFolder {
  readonly directory: string;
  readonly tasks: readonly string[];
  readonly bytes: number;
  /** A process holds it. */
  readonly inUse: boolean;
}

export interface ResetTransaction {
  readonly transactionalId: string;
  readonly phase: 'unused' | 'open' | 'ending' | 'ended';
}

/** All that a reset changes. */
export interface ResetPlan {
  readonly applicationId: string;
  readonly group: {
    readonly type: 'classic' | 'streams';
    readonly state: string;
    readonly members: readonly ResetMember[];
  };
  /** An earlier reset was begun and not ended. */
  readonly unfinished: boolean;
  readonly offsets: readonly ResetOffset[];
  /** Topics that the group has offsets of and that are gone. */
  readonly missingTopics: readonly string[];
  /** To be deleted. */
  readonly topics: readonly ResetTopic[];
  /** Left alone: by their names they could be the application's, and a group of a longer name is there. */
  readonly leftTopics: readonly { readonly name: string; readonly group: string }[];
  readonly state: readonly ResetStateFolder[];
  /** Under names of the application: to be ended. */
  readonly transactions: readonly ResetTransaction[];
  /** Of the group of redrives; empty: nothing changes for dead letters. */
  readonly deadLetters: readonly ResetOffset[];
}

export interface ResetReport {
  readonly plan: ResetPlan;
  /** Of members put out. */
  readonly removedMembers: number;
  readonly endedTransactions: readonly string[];
  readonly deletedTopics: readonly string[];
  readonly deletedTasks: number;
}
