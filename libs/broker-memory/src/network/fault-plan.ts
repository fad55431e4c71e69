// Owns chance on the network: what a seed does to each leg of each call. It moves no message itself.
import type { ApiName } from '#libs/broker';
import { SeededRandom } from '../seeded-random.ts';

/** Probabilities of 0 to 1, each for one leg of one call. All default to 0. */
export interface FaultPlan {
  /** Default the cluster's. */
  readonly seed?: number;
  /** The request is lost: it is never applied. */
  readonly dropRequest?: number;
  /** The answer is lost: the request was applied, and its client does not know. */
  readonly dropAnswer?: number;
  /** The request arrives once more, on its own way and later. Nobody waits for its second answer. */
  readonly duplicateRequest?: number;
  /**
   * What does not arrive twice. Default InitProducerId and JoinGroup, of which a late copy fences its own sender; below transaction version 2 also
   * what steers a transaction: a late copy would steer the next one, and nobody could tell (KAFKA-17754, closed by KIP-890).
   */
  readonly neverTwice?: readonly ApiName[];
  readonly delayRequest?: number;
  readonly delayAnswer?: number;
  /** How long, milliseconds. Default 1 to 100. */
  readonly delayMs?: readonly [min: number, max: number];
  /** Share of losses that the client finds out by its time-out alone, the connection standing. Default 0.2. */
  readonly silent?: number;
  /** Default all. */
  readonly apis?: readonly ApiName[];
  /** Default all. */
  readonly clientIds?: readonly string[];
}

export interface LegFate {
  readonly lost: 'no' | 'cut' | 'silent';
  readonly delayMs: number;
  /** Milliseconds until the request arrives again; -1 never. */
  readonly againAfterMs: number;
}

const NEVER_TWICE: readonly ApiName[] = ['InitProducerId', 'JoinGroup'];
const NEVER_TWICE_BELOW_VERSION_2: readonly ApiName[] = [
  ...NEVER_TWICE,
  'EndTxn',
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
];
const UNHARMED: LegFate = { lost: 'no', delayMs: 0, againAfterMs: -1 };

export class FaultDice {
  readonly #plan: FaultPlan;
  readonly #random: SeededRandom;
  readonly #neverTwice: readonly ApiName[];

  constructor(plan: FaultPlan, seed: number, transactionVersion: number) {
    this.#plan = plan;
    this.#neverTwice =
      plan.neverTwice ?? (transactionVersion >= 2 ? NEVER_TWICE : NEVER_TWICE_BELOW_VERSION_2);
    this.#random = new SeededRandom(plan.seed ?? seed);
  }

  throw(leg: 'request' | 'answer', api: ApiName, clientId: string): LegFate {
    const plan = this.#plan;
    if (plan.apis !== undefined && !plan.apis.includes(api)) return UNHARMED;
    if (plan.clientIds !== undefined && !plan.clientIds.includes(clientId)) return UNHARMED;
    const isRequest = leg === 'request';
    if (this.#random.chance((isRequest ? plan.dropRequest : plan.dropAnswer) ?? 0)) {
      const lost = this.#random.chance(plan.silent ?? 0.2) ? 'silent' : 'cut';
      return { lost, delayMs: 0, againAfterMs: -1 };
    }
    const again =
      isRequest && !this.#neverTwice.includes(api) && this.#random.chance(plan.duplicateRequest ?? 0);
    const late = this.#random.chance((isRequest ? plan.delayRequest : plan.delayAnswer) ?? 0);
    if (!again && !late) return UNHARMED;
    return {
      lost: 'no',
      delayMs: late ? this.#delayMs() : 0,
      againAfterMs: again ? this.#delayMs() : -1,
    };
  }

  #delayMs(): number {
    const [min, max] = this.#plan.delayMs ?? [1, 100];
    return this.#random.integer(min, max);
  }
}
