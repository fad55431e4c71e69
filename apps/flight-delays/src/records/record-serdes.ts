// Owns how the service's records are written, as something to choose: the topology is the same with either.
import { Serdes } from '#libs/millrace';
import type { SchemaRegistryClient, Serde } from '#libs/millrace';
import type { Airport, AirportDelays, DelayTotals, Flight } from '../data/flight.ts';
import { AIRPORT, AIRPORT_DELAYS, DELAY_TOTALS, FLIGHT_2 } from './avro-schemas.ts';

export interface RecordSerdes {
  readonly airport: Serde<Airport>;
  readonly flight: Serde<Flight>;
  /** What is kept of an airport: in the store and its changelog. */
  readonly totals: Serde<DelayTotals>;
  readonly airportDelays: Serde<AirportDelays>;
}

/** Injected into the topology. */
export const RECORD_SERDES = Symbol('record serdes');

export function jsonSerdes(): RecordSerdes {
  return {
    airport: Serdes.json<Airport>(),
    flight: Serdes.json<Flight>(),
    totals: Serdes.json<DelayTotals>(),
    airportDelays: Serdes.json<AirportDelays>(),
  };
}

/**
 * Avro by a registry. Flights are read into version 2 of their schema, whichever version wrote them: readers are deployed before writers. The
 * schema of the store is registered by the service; those of its topics are others' business and must be there.
 */
export function avroSerdes(registry: SchemaRegistryClient): RecordSerdes {
  return {
    airport: registry.avro<Airport>({ schema: AIRPORT }),
    flight: registry.avro<Flight>({ schema: FLIGHT_2 }),
    totals: registry.avro<DelayTotals>({ schema: DELAY_TOTALS }),
    airportDelays: registry.avro<AirportDelays>({ schema: AIRPORT_DELAYS }),
  };
}
