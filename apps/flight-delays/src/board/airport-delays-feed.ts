// Owns following the topic `airport-delays` as any consumer of it would: committed records only.
import { Serdes, readTopic } from '#libs/millrace';
import type { KafkaConnection } from '#libs/millrace';
import type { AirportDelays } from '../data/flight.ts';
import { TOPICS } from '../loader/topics.ts';

/** The newest value of each airport, kept up to date until the signal. Rejects when the topic cannot be read. */
export class AirportDelaysFeed {
  readonly airports = new Map<string, AirportDelays>();

  async follow(kafka: KafkaConnection, signal: AbortSignal): Promise<void> {
    await this.#read(kafka, { follow: true, signal });
  }

  /** What the topic holds now. */
  static async read(kafka: KafkaConnection): Promise<ReadonlyMap<string, AirportDelays>> {
    const feed = new AirportDelaysFeed();
    await feed.#read(kafka, {});
    return feed.airports;
  }

  async #read(
    kafka: KafkaConnection,
    options: { readonly follow?: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const records = readTopic({
      kafka,
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
