// Owns following the topic `airport-delays`, as any consumer of it would.
import { Serdes } from '#libs/millrace';
import type { KafkaConnection, Serde } from '#libs/millrace';
import { TopicTable } from '../../../lesson-kit/src/index.ts';
import type { AirportDelays } from '../data/flight.ts';
import { TOPICS } from '../loader/topics.ts';

/** The newest value of each airport, kept up to date until the signal. Rejects when the topic cannot be read. */
export class AirportDelaysFeed {
  readonly #table: TopicTable<AirportDelays>;

  constructor(serde: Serde<AirportDelays> = Serdes.json<AirportDelays>()) {
    this.#table = new TopicTable(TOPICS.airportDelays, serde);
  }

  get airports(): ReadonlyMap<string, AirportDelays> {
    return this.#table.rows;
  }

  follow(kafka: KafkaConnection, signal: AbortSignal): Promise<void> {
    return this.#table.follow(kafka, signal);
  }

  /** What the topic holds now. */
  static async read(
    kafka: KafkaConnection,
    serde?: Serde<AirportDelays>,
  ): Promise<ReadonlyMap<string, AirportDelays>> {
    const feed = new AirportDelaysFeed(serde);
    await feed.#table.read(kafka);
    return feed.airports;
  }
}
