// The words that the topologies of the vectors are drawn with: twins of those in ../java/Words.java.
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Materialized, Produced } from '#libs/topology';
import type { KStream, KTable, StreamsBuilder } from '#libs/topology';

export type Nullable = string | null;
export type Draw = (builder: StreamsBuilder) => void;
export type Topologies = Readonly<Record<string, Draw>>;

export const text = Serdes.string();
export const integer = Serdes.safeInteger();
export const consumed = Consumed.with(text, text);
export const produced = Produced.with(text, text);
export const grouped = Grouped.with(text, text, { name: 'g' });

/** What functions did to the world outside, such as that of `peek`. */
export const effects: string[] = [];

export const stream = (builder: StreamsBuilder, topic = 'in'): KStream<Nullable, Nullable> =>
  builder.stream<Nullable, Nullable>(topic, consumed);

export const table = (builder: StreamsBuilder, topic = 'table'): KTable<string, string> =>
  builder.table(topic, consumed, Materialized.as(`${topic}-rows`));

/** A store of text by text. */
export const kept = (name: string): Materialized<string, string> => ({
  name,
  keySerde: text,
  valueSerde: text,
});

export function to<K extends Nullable, V>(results: KStream<K, V>, topic: string): void {
  results
    .mapValues((value) => (value === null ? null : String(value)))
    .to(topic, produced as unknown as Produced<NonNullable<K>, string>);
}

export const out = <K extends Nullable, V>(results: KStream<K, V>): void => to(results, 'out');

/** `-` of null, which windowed aggregates show to their functions. */
export const letter = (value: Nullable): string => (value === null ? '-' : value.charAt(0));

/** -1 of null. */
export const digit = (value: Nullable): number => (value === null ? -1 : value.charCodeAt(1) - 48);

export const both = (left: Nullable, right: Nullable): string => `${String(left)}+${String(right)}`;
