// Owns what the event loop and its heartbeat thread say to each other, and the memory they share. Times cross as
// microseconds of the machine's monotonic clock; each side converts to and from its own Clock.
import type { HeartbeatWatchOptions } from '#libs/broker';
import { monotonicOfMachine } from '#libs/core';
import type { Clock, LogFields, Logger } from '#libs/core';
import type { KafkaConfig } from '../config.ts';

/** What a thread cannot be given, since it is a function: it asks the loop, and keeps the answer for when the loop is blocked. */
export type Question = 'brokers' | 'oauthBearerToken';

/** The client's configuration as far as a thread can be given it. */
export interface ThreadConfig {
  readonly kafka: Omit<KafkaConfig, 'brokers' | 'sasl'>;
  /** `null`: ask. */
  readonly brokers: readonly string[] | null;
  readonly sasl: Exclude<KafkaConfig['sasl'], undefined> | 'ask' | null;
}

export interface ThreadData {
  readonly config: ThreadConfig;
  /** One Int32: counts the turns of the loop. */
  readonly turns: SharedArrayBuffer;
}

export type ToThread =
  /** `contact`: one BigInt64, written by the thread: microseconds when the last accepted heartbeat left; 0 none. */
  | {
      readonly kind: 'watch';
      readonly id: number;
      readonly options: HeartbeatWatchOptions;
      readonly contact: SharedArrayBuffer;
    }
  | { readonly kind: 'end'; readonly id: number }
  | {
      readonly kind: 'answer';
      readonly question: Question;
      readonly value: unknown;
      readonly error: string | null;
    };

export type FromThread =
  | { readonly kind: 'ask'; readonly question: Question }
  | {
      readonly kind: 'resumed';
      readonly groupId: string;
      readonly blockedMs: number;
      readonly heartbeats: number;
    }
  | { readonly kind: 'given-up'; readonly groupId: string; readonly blockedMs: number }
  | {
      readonly kind: 'log';
      readonly level: keyof Logger;
      readonly message: string;
      readonly fields: LogFields | undefined;
    };

/** What to add to `clock.monotonic()` to have the milliseconds both sides agree on. */
export function sharedTimeOffset(clock: Clock): number {
  return monotonicOfMachine() - clock.monotonic();
}
