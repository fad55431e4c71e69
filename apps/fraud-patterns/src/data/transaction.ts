// Owns the shapes of the service's records. All topics carry JSON, keyed by card.

/** A value of topic `card-transactions`. */
export interface Transaction {
  readonly id: string;
  readonly card: string;
  /** When it happened, milliseconds since the Unix epoch: event time. It may arrive later. */
  readonly at: number;
  /** Euro cents. */
  readonly cents: number;
  /** ISO 3166 code of where the shop is. */
  readonly country: string;
  readonly channel: 'store' | 'online';
  readonly outcome: 'approved' | 'declined';
}

export type AlertKind = 'card-probe' | 'guessed-pin' | 'impossible-travel' | 'spending-limit';

/** A value of topic `fraud-alerts`. Its timestamp is `at`. */
export interface Alert {
  readonly kind: AlertKind;
  readonly card: string;
  /** Event time of the last transaction that it rests on. */
  readonly at: number;
  /** Ids of the transactions that it rests on, in the order of their times. */
  readonly transactions: readonly string[];
  /** For people. */
  readonly note: string;
}

/** A value of topic `card-events`. Its timestamp is `at`. */
export type CardEvent = { readonly card: string; readonly at: number } & (
  | { readonly event: 'frozen'; readonly until: number; readonly reason: AlertKind }
  | { readonly event: 'released' }
  | { readonly event: 'blocked'; readonly transaction: string }
  | { readonly event: 'silent'; readonly since: number }
);

/** A value of topic `fraud-rules`, under the key `spending-limit`. */
export interface SpendingLimitRule {
  /** Length of the time that is looked back on. */
  readonly minutes: number;
  /** Each holds from its event time on, so that a replay meets the limit that held then. In the order of time. */
  readonly limits: readonly { readonly fromMs: number; readonly cents: number }[];
}

export const SPENDING_LIMIT = 'spending-limit';
