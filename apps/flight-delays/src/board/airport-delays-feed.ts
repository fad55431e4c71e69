// Owns following the topic `airport-delays` as any consumer of it would: committed records only.
import { Serdes, readTopic } from '#libs/millrace';
import type { AirportDelays } from '../data/flight.ts';
import { TOPICS } from '../loader/topics.ts';

/** The newest value of each airport, kept up to date until the signal. Rejects when the topic cannot be read. */
export class AirportDelaysFeed {
  readonly airports = new Map<string, AirportDelays>();

  async follow(brokers: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#read(brokers, { follow: true, signal });
  }

  /** What the topic holds now. */
  static async read(brokers: readonly string[]): Promise<ReadonlyMap<string, AirportDelays>> {
    const feed = new AirportDelaysFeed();
    await feed.#read(brokers, {});
    return feed.airports;
  }

  async #read(
    brokers: readonly string[],
    options: { readonly follow?: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const records = readTopic({
      kafka: { brokers, clientId: 'airport-delays-board' },
      topic: TOPICS.airportDelays,
      keySerde: Serdes.string(),
      valueSerde: Serdes.json<AirportDelays>(),
      ...options,
    });
    for await (const { key, value } of records) {
      if (key === null) continue;
      if (value === null) this.airports.delete(key);
      else this.airports.set(key, value);
    }
  }
}
