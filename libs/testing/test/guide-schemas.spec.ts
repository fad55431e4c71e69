// The code shown in docs/guide/schemas.md, region by region, run as it stands against a registry in memory. Last, the two are held together.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
// #region imports
import {
  Consumed,
  Grouped,
  Materialized,
  Produced,
  SchemaRegistryClient,
  Serdes,
  StreamsBuilder,
  avroLogicalTypes,
} from '#libs/millrace';
import { TopologyTestDriver } from '#libs/testing';
// #endregion

// #region schemas
const flightSchema = {
  type: 'record',
  name: 'Flight',
  namespace: 'airports',
  fields: [
    { name: 'origin', type: 'string' },
    { name: 'delay', type: 'int' },
  ],
};

const delaysSchema = {
  type: 'record',
  name: 'Delays',
  namespace: 'airports',
  fields: [
    { name: 'flights', type: 'int' },
    { name: 'minutes', type: 'long' },
  ],
};

interface Flight {
  origin: string;
  delay: number;
}

interface Delays {
  flights: number;
  minutes: number;
}
// #endregion

// #region topology
export function delays(registry: SchemaRegistryClient): StreamsBuilder {
  const flight = registry.avro<Flight>({ schema: flightSchema });
  const total = registry.avro<Delays>({ schema: delaysSchema });
  const builder = new StreamsBuilder();
  builder
    .stream('flights', Consumed.with(Serdes.string(), flight))
    .groupBy((_key, { origin }) => origin, Grouped.with(Serdes.string(), flight))
    .aggregate(
      (): Delays => ({ flights: 0, minutes: 0 }),
      (_origin, { delay }, { flights, minutes }) => ({ flights: flights + 1, minutes: minutes + delay }),
      Materialized.as('delays', { keySerde: Serdes.string(), valueSerde: total }),
    )
    .toStream()
    .to('delays-by-airport', Produced.with(Serdes.string(), total));
  return builder;
}
// #endregion

describe('schemas', () => {
  it('are tested without a registry', async () => {
    // #region testing
    const registry = new SchemaRegistryClient({ host: 'memory://delays' });
    await using driver = await TopologyTestDriver.start(delays(registry));
    const flights = driver.inputTopic(
      'flights',
      Serdes.string(),
      registry.avro<Flight>({ schema: flightSchema }),
    );
    await flights.pipe('LH1', { origin: 'JFK', delay: 20 });
    await flights.pipe('LH2', { origin: 'JFK', delay: 5 });
    const totals = driver.outputTopic('delays-by-airport', Serdes.string(), registry.avro<Delays>());
    expect(totals.readAll().map(({ value }) => value!.minutes)).toEqual([20, 25]);
    // #endregion
  });

  it('are reached behind TLS and authorization', () => {
    const [secret, caPem, clientPem, keyPem] = ['secret', 'PEM', 'PEM', 'PEM'];
    const readToken = (): string => 'token';
    // #region client
    const registry = new SchemaRegistryClient({
      host: 'https://registry.example:8081',
      auth: { username: 'delays', password: secret },
      tls: { ca: caPem },
    });
    const withToken = new SchemaRegistryClient({
      host: 'https://registry.example:8081',
      token: readToken, // asked before every request
      tls: { ca: caPem, cert: clientPem, key: keyPem },
    });
    // #endregion
    expect(registry.host).toBe(withToken.host);
  });

  it('evolve', async () => {
    const client = new SchemaRegistryClient({ host: 'memory://evolving' });
    const before = client.avro<Flight>({ schema: flightSchema });
    // #region evolution
    const newFlightSchema = {
      ...flightSchema,
      fields: [
        { name: 'airport', aliases: ['origin'], type: 'string' }, // renamed: read by its old name too
        { name: 'delay', type: 'long' }, // int fits into long
        { name: 'carrier', type: ['null', 'string'], default: null }, // new: old records have the default
      ],
    };
    // #endregion
    const after = client.avro<object>({ schema: newFlightSchema });
    const use = { topic: 'flights', part: 'value', reads: true, writes: true, kind: 'external' } as const;
    await before.prepare!([use]);
    await after.prepare!([use]);
    const read = after.deserialize(before.serialize({ origin: 'JFK', delay: 5 }));
    expect({ ...read }).toEqual({ airport: 'JFK', delay: 5, carrier: null });
  });

  it('have logical types', async () => {
    const registry = new SchemaRegistryClient({ host: 'memory://logical-guide' });
    // #region logical
    const payment = registry.avro<{ amount: string; paidAt: Date }>({
      schema: {
        type: 'record',
        name: 'Payment',
        fields: [
          { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
          { name: 'paidAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
        ],
      },
      logicalTypes: avroLogicalTypes(),
    });
    // #endregion
    await payment.prepare!([{ topic: 't', part: 'value', reads: true, writes: true, kind: 'external' }]);
    const value = { amount: '12.50', paidAt: new Date(5) };
    expect({ ...payment.deserialize(payment.serialize(value)) }).toEqual(value);
  });

  it('are of other kinds', async () => {
    const registry = new SchemaRegistryClient({ host: 'memory://kinds' });
    // #region kinds
    const order = registry.json<{ id: string }>({
      schema: {
        title: 'Order',
        type: 'object',
        properties: { id: { type: 'string' } },
        required: ['id'],
      },
    });
    const parcel = registry.protobuf<{ orderId: string; grams: number }>({
      schema: `
        syntax = "proto3";
        message Address { string city = 1; }
        message Parcel { string order_id = 1; int32 grams = 2; }`,
      message: 'Parcel',
    });
    // #endregion
    const use = { part: 'value', reads: true, writes: true, kind: 'external' } as const;
    await order.prepare!([{ ...use, topic: 'orders' }]);
    await parcel.prepare!([{ ...use, topic: 'parcels' }]);
    expect(order.deserialize(order.serialize({ id: 'a' }))).toEqual({ id: 'a' });
    const value = { orderId: 'a', grams: 5 };
    expect(parcel.deserialize(parcel.serialize(value))).toEqual(value);
  });

  it('name others', async () => {
    const registry = new SchemaRegistryClient({ host: 'memory://references' });
    // #region references
    const airportSchema = {
      type: 'record',
      name: 'Airport',
      namespace: 'airports',
      fields: [{ name: 'code', type: 'string' }],
    };
    const route = registry.avro<object>({
      schema: {
        type: 'record',
        name: 'Route',
        namespace: 'airports',
        fields: [
          { name: 'from', type: 'airports.Airport' },
          { name: 'to', type: 'airports.Airport' },
        ],
      },
      references: [{ name: 'airports.Airport', subject: 'airport', schema: airportSchema }],
      register: true,
    });
    // #endregion
    await route.prepare!([{ topic: 'routes', part: 'value', reads: true, writes: true, kind: 'external' }]);
    expect(route.serialize({ from: { code: 'A' }, to: { code: 'B' } }).length).toBe(9);
  });
});

describe('docs/guide/schemas.md', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/schemas.md'), 'utf8');
  const source = readFileSync(join(import.meta.dirname, 'guide-schemas.spec.ts'), 'utf8')
    .replaceAll("'#libs/millrace'", "'millrace'")
    .replaceAll("'#libs/testing'", "'millrace/testing'");
  const shown = new Map(
    [...guide.matchAll(/<!-- snippet: ([\w-]+) -->\s*```ts\n(.*?)```/gs)].map((match): [string, string] => [
      match[1]!,
      match[2]!,
    ]),
  );
  const written = new Map(
    [...source.matchAll(/^( *)\/\/ #region ([\w-]+)\n(.*?)^ *\/\/ #endregion/gms)].map(
      (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
    ),
  );

  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });
});
