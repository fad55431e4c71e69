// Owns what stands in the place of a `RecordProducer` in a test: it keeps what was published, and publishes nothing.
import type { Outgoing, OutgoingRecord, ProducerTransaction, RecordProducer } from '#libs/millrace';

export interface RecordedRecord extends OutgoingRecord<unknown, unknown> {
  readonly topic: string;
}

export class RecordedProducer implements Pick<RecordProducer, 'send' | 'transaction' | 'close'> {
  /** In the order of the calls; those of a transaction once it is committed. */
  readonly records: RecordedRecord[] = [];

  async send<K, V>(outgoing: Outgoing<K, V>): Promise<void> {
    this.records.push(...recorded(outgoing));
  }

  async transaction<T>(work: (transaction: ProducerTransaction) => Promise<T> | T): Promise<T> {
    const open: RecordedRecord[] = [];
    const result = await work({ send: async (outgoing) => void open.push(...recorded(outgoing)) });
    this.records.push(...open);
    return result;
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }
}

function recorded<K, V>({ topic, records, keySerde, valueSerde }: Outgoing<K, V>): RecordedRecord[] {
  return records.map((record) => {
    // What a serde does not take fails here too.
    if (record.key !== null) keySerde.serialize(record.key);
    if (record.value !== null) valueSerde.serialize(record.value);
    return { topic, ...record };
  });
}
