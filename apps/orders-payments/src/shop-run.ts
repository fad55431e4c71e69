// Owns what the parts of a run have in common: the service's processes, what is published around it, and what is read of it from outside.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { summarizeDeadLetters } from '#libs/millrace';
import { readFromOutside, startServiceProcess } from '../../lesson-kit/src/index.ts';
import type { OutsideReader, ServiceProcess } from '../../lesson-kit/src/index.ts';
import type { Kafka } from 'kafkajs';
import type { Expected } from './check/recompute.ts';
import type { Published } from './check/verdict.ts';
import type { Account, Settlement, ShipmentRelease } from './data/records.ts';
import { TOPICS } from './data/topics.ts';
import { APPLICATION_ID } from './service/orders-payments.module.ts';

/** What is deployed: a process of its own. */
const SERVICE = join(import.meta.dirname, 'service/main.js');
const NO_MORE_MS = 5_000;

export interface ServiceOptions {
  readonly brokers: readonly string[];
  readonly stateDir: string;
  readonly rates: Readonly<Record<string, number>>;
  /** A copy that has it finds its place in the group again at once when it was killed; each needs its own. */
  readonly instance: string | null;
}

export function startService({
  brokers,
  stateDir,
  rates,
  instance,
}: ServiceOptions): Promise<ServiceProcess> {
  return startServiceProcess(SERVICE, {
    MILLRACE_KAFKA_BROKERS: brokers.join(','),
    MILLRACE_STATE_DIR: stateDir,
    MILLRACE_CONTROL_PORT: '0',
    EXCHANGE_RATES: JSON.stringify(rates),
    PORT: '0',
    ...(instance === null ? {} : { MILLRACE_GROUP_INSTANCE_ID: instance }),
  });
}

/** The dead letters of the service, for the functions that deal with them. */
export function deadLettersOf(brokers: readonly string[]): {
  readonly kafka: { readonly brokers: readonly string[] };
  readonly applicationId: string;
  readonly topic: string;
} {
  return { kafka: { brokers }, applicationId: APPLICATION_ID, topic: TOPICS.deadLetters };
}

/** What the service has published, followed by a client that knows nothing of it. */
export class Outputs implements AsyncDisposable {
  readonly #reader: OutsideReader;

  private constructor(reader: OutsideReader) {
    this.#reader = reader;
  }

  static async follow(kafka: Kafka): Promise<Outputs> {
    return new Outputs(await readFromOutside(kafka, [TOPICS.settlements, TOPICS.accounts, TOPICS.releases]));
  }

  get published(): Published {
    return {
      settlements: this.#reader.records(TOPICS.settlements).map(({ value }) => value as Settlement),
      accounts: this.#newest<Account>(TOPICS.accounts),
      releases: this.#newest<ShipmentRelease>(TOPICS.releases),
    };
  }

  /** Waits for as much as is expected, and a moment more. False: it did not come. */
  async settled(expected: Expected): Promise<boolean> {
    const orders = sumOf(expected.accounts);
    return this.#reader.settled(() => {
      const { settlements, accounts, releases } = this.published;
      return (
        settlements.length >= expected.settlements.size &&
        sumOf(accounts) >= orders &&
        releases.size >= expected.releases.size
      );
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#reader[Symbol.asyncDispose]());
  }

  #newest<T>(topic: string): Map<string, T> {
    return new Map(this.#reader.records(topic).map(({ key, value }) => [key, value as T]));
  }
}

/** Orders, and what became of them. */
function sumOf(accounts: ReadonlyMap<string, Account>): number {
  let sum = 0;
  for (const { orders, ordered, paid, unpaid, refused } of accounts.values()) {
    sum += orders + ordered + paid + unpaid + refused;
  }
  return sum;
}

/** Waits until as many records have failed, or until there are no more for a while: a copy that knows every currency fails less often. */
export async function deadLettersAre(brokers: readonly string[], count: number): Promise<void> {
  let [before, changedAt] = [-1, performance.now()];
  while (performance.now() - changedAt < NO_MORE_MS) {
    const { pending } = await summarizeDeadLetters(deadLettersOf(brokers));
    if (pending >= count) return;
    if (pending !== before) [before, changedAt] = [pending, performance.now()];
    await delay(250);
  }
}
