// Owns the application of the specs about schemas: flights in, the delay by airport kept and put out, all in Avro; and the bytes on its
// topics as avsc alone reads and writes them, by the ids and schemas that the registry's REST interface gives.
import avsc from 'avsc';
import { Consumed, Grouped, Materialized, Produced, Serdes, StreamsBuilder, readTopic } from '#libs/millrace';
import type { AvroSchema, RegistrySerdeOptions, SchemaRegistryClient } from '#libs/millrace';
import type { SharedBroker } from './broker.ts';
import type { RegistryRest } from './registry.ts';

export interface Flight {
  readonly origin: string;
  readonly delay: number;
}

export interface Delays {
  readonly flights: number;
  readonly minutes: number;
}

export const flightSchema = {
  type: 'record',
  name: 'Flight',
  namespace: 'millrace.spec',
  fields: [
    { name: 'origin', type: 'string' },
    { name: 'delay', type: 'int' },
  ],
};

export const delaysSchema = {
  type: 'record',
  name: 'Delays',
  namespace: 'millrace.spec',
  fields: [
    { name: 'flights', type: 'int' },
    { name: 'minutes', type: 'long' },
  ],
};

export const withField = (schema: typeof flightSchema, field: object): typeof flightSchema => ({
  ...schema,
  fields: [...schema.fields, field as never],
});

export interface FlightTopics {
  readonly input: string;
  readonly output: string;
}

export function delaysTopology(
  { input, output }: FlightTopics,
  registry: SchemaRegistryClient,
  schemas: { readonly flight?: AvroSchema; readonly delays?: AvroSchema } = {},
  options: Pick<RegistrySerdeOptions, 'register'> = { register: true },
): StreamsBuilder {
  const { flight = flightSchema, delays = delaysSchema } = schemas;
  const flights = registry.avro<Flight>({ schema: flight, ...options });
  const totals = registry.avro<Delays>({ schema: delays, ...options });
  const builder = new StreamsBuilder();
  builder
    .stream(input, Consumed.with(Serdes.string(), flights))
    .groupBy(
      (_key, { origin }) => origin,
      Grouped.as('by-origin', { keySerde: Serdes.string(), valueSerde: flights }),
    )
    .aggregate(
      (): Delays => ({ flights: 0, minutes: 0 }),
      (_origin, { delay }, sum) => ({ ...sum, flights: sum.flights + 1, minutes: sum.minutes + delay }),
      Materialized.as('delays', { keySerde: Serdes.string(), valueSerde: totals }),
    )
    .toStream()
    .to(output, Produced.with(Serdes.string(), totals));
  return builder;
}

/** A record as the schema of the id makes it, by avsc alone. */
export function framed(id: number, schema: object, value: unknown): Buffer {
  const head = Buffer.alloc(5);
  head.writeInt32BE(id, 1);
  return Buffer.concat([head, avsc.Type.forSchema(schema as never).toBuffer(value)]);
}

export interface RawRecord {
  readonly key: string | null;
  readonly id: number;
  readonly value: unknown;
}

/** All records of a topic: the id in their bytes, and what avsc makes of the rest by the schema that the registry has for it. */
export async function rawRecords(
  { bootstrapServers }: Pick<SharedBroker, 'bootstrapServers'>,
  rest: RegistryRest,
  topic: string,
): Promise<RawRecord[]> {
  const types = new Map<number, avsc.Type>();
  const records: RawRecord[] = [];
  const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.bytes() };
  for await (const { key, value } of readTopic({ kafka: { brokers: bootstrapServers }, topic, ...serdes })) {
    if (value === null) continue;
    const bytes = Buffer.from(value);
    if (bytes[0] !== 0) throw new Error('a record without a frame');
    const id = bytes.readInt32BE(1);
    let type = types.get(id);
    if (type === undefined) types.set(id, (type = avsc.Type.forSchema((await rest.schema(id)) as never)));
    records.push({ key, id, value: { ...(type.fromBuffer(bytes.subarray(5)) as object) } });
  }
  return records;
}
