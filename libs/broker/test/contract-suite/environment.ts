// Owns what the contract suite asks of a cluster under test: clients, and faults between them and the cluster. A real
// broker behind a proxy gives them, and so does a simulated cluster.
import type { ApiName, BrokerClient } from '#libs/broker';
import type { Clock } from '#libs/core';

export interface FaultRule {
  readonly api: ApiName | readonly ApiName[];
  /** `request`: before the cluster has seen it. `answer`: the cluster has applied it, the client does not know. */
  readonly on: 'request' | 'answer';
  /**
   * `drop`: it vanishes, the client finds out by its timeout. `cut`: it vanishes and the connection breaks. `hold`: it waits
   * for `release`, and is delivered then even if its client has given up meanwhile. A number: it waits so many milliseconds.
   */
  readonly action: 'drop' | 'cut' | 'hold' | number;
  /** Lets so many pass first. Default 0. */
  readonly skip?: number;
  /** Applies to so many, then never again. Default 1. */
  readonly times?: number;
  /** Only those of this client. */
  readonly clientId?: string;
}

export interface Fault {
  readonly hits: number;
  /** Resolves when the rule has been applied `count` times. Default once. */
  hit(count?: number): Promise<void>;
  /** Lets go on what is held, and what is to come. */
  release(): void;
  /** The rule applies no more; what is held stays held. */
  remove(): void;
}

export interface ClientOptions {
  readonly clientId?: string;
  readonly requestTimeoutMs?: number;
}

export interface ContractEnvironment {
  readonly clock: Clock;
  /** Level of `transaction.version` that the cluster has. */
  readonly transactionVersion: number;
  /** The longest time after its timeout at which the coordinator aborts a transaction. */
  readonly timeoutSweepMs: number;
  createClient(options: ClientOptions): BrokerClient;
  fault(rule: FaultRule): Fault;
  /** A name nobody else uses. */
  uniqueName(prefix: string): string;
}
