// Owns following a topic of results as any consumer of it would: committed records only, the newest value of each key.
import { Serdes, readTopic } from '#libs/millrace';
import type { KafkaConnection, Serde } from '#libs/millrace';

export class TopicTable<V> {
  readonly rows = new Map<string, V>();
  readonly #topic: string;
  readonly #valueSerde: Serde<V>;

  constructor(topic: string, valueSerde: Serde<V>) {
    this.#topic = topic;
    this.#valueSerde = valueSerde;
  }

  /** Kept up to date until the signal. Rejects when the topic cannot be read. */
  follow(kafka: KafkaConnection, signal: AbortSignal): Promise<void> {
    return this.#read(kafka, { follow: true, signal });
  }

  /** Brought up to what the topic holds now. */
  read(kafka: KafkaConnection): Promise<void> {
    return this.#read(kafka, {});
  }

  async #read(
    kafka: KafkaConnection,
    options: { readonly follow?: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const serdes = { keySerde: Serdes.string(), valueSerde: this.#valueSerde };
    for await (const { key, value } of readTopic({ kafka, topic: this.#topic, ...serdes, ...options })) {
      if (key === null) continue;
      if (value === null) this.rows.delete(key);
      else this.rows.set(key, value);
    }
  }
}
