import { describe, expect, it } from '@jest/globals';
import { SchemaRegistryClient, Serdes, StreamsBuilder } from '#libs/millrace';
import type { Serde } from '#libs/millrace';
import { TopologyTestDriver } from '#libs/testing';
import type { Airport, AirportDelays, DelayTotals, Flight } from '../src/data/flight.ts';
import { TOPICS } from '../src/loader/topics.ts';
import { AIRPORT, AIRPORT_DELAYS, FLIGHT_1, FLIGHT_2 } from '../src/records/avro-schemas.ts';
import { avroSerdes, jsonSerdes } from '../src/records/record-serdes.ts';
import type { RecordSerdes } from '../src/records/record-serdes.ts';
import { FlightDelaysTopology } from '../src/service/flight-delays.topology.ts';

const code = Serdes.string();
const jfk: Airport = {
  ...{ iata: 'JFK', name: 'John F Kennedy Intl', city: 'New York', state: 'NY', country: 'USA' },
  ...{ latitude: 40.6, longitude: -73.8 },
};
const flight = (delay: number, distance: number | null = 100): Flight => ({
  ...{ date: '2001/01/01 00:47', delay, distance, origin: 'JFK', destination: 'LAX' },
});

function driverOf(records: RecordSerdes): Promise<TopologyTestDriver> {
  const builder = new StreamsBuilder();
  new FlightDelaysTopology(records).build(builder);
  return TopologyTestDriver.start(builder);
}

describe('the topology of the flight delays', () => {
  it('keeps the delays of each airport that is known, with its name', async () => {
    const records = jsonSerdes();
    await using driver = await driverOf(records);
    const flights = driver.inputTopic(TOPICS.flights, code, records.flight);
    await flights.pipe('JFK', flight(99));
    await driver.inputTopic(TOPICS.airports, code, records.airport).pipe('JFK', jfk);
    await flights.pipe('JFK', flight(16));
    await flights.pipe('JFK', flight(-4));
    const delays = driver.outputTopic(TOPICS.airportDelays, code, records.airportDelays);
    expect(delays.readAll().map(({ value }) => value)).toEqual([
      expect.objectContaining({ airport: 'JFK', flights: 1, totalDelay: 16, delayed: 1, shareDelayed: 1 }),
      {
        ...{ airport: 'JFK', name: 'John F Kennedy Intl', city: 'New York', state: 'NY' },
        ...{ flights: 2, totalDelay: 12, meanDelay: 6, worstDelay: 16, delayed: 1, shareDelayed: 0.5 },
      },
    ]);
  });

  it('reads flights of both versions of their schema, and keeps its totals in Avro', async () => {
    const registry = new SchemaRegistryClient({ host: 'memory://flight-delays' });
    // As the topics' writers and their operator do beforehand.
    const writer = <T>(schema: typeof AIRPORT): Serde<T> => registry.avro<T>({ schema, register: true });
    await using driver = await driverOf({
      ...avroSerdes(registry),
      airportDelays: writer<AirportDelays>(AIRPORT_DELAYS),
    });
    await driver.inputTopic(TOPICS.airports, code, writer<Airport>(AIRPORT)).pipe('JFK', jfk);
    const { distance: _unknown, ...old } = flight(20);
    await driver
      .inputTopic(TOPICS.flights, code, writer<Omit<Flight, 'distance'>>(FLIGHT_1))
      .pipe('JFK', old);
    await driver.inputTopic(TOPICS.flights, code, writer<Flight>(FLIGHT_2)).pipe('JFK', flight(30, 2_475));
    const delays = driver.outputTopic(TOPICS.airportDelays, code, registry.avro<AirportDelays>());
    expect(delays.readAll().map(({ value }) => [value!.flights, value!.totalDelay])).toEqual([
      [1, 20],
      [2, 50],
    ]);
    const totals = await driver.store<string, DelayTotals>('delays').get('JFK');
    expect(totals).toMatchObject({ flights: 2, totalDelay: 50, worstDelay: 30 });
  });
});
