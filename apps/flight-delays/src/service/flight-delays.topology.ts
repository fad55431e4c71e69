// Owns what the service computes: departures joined with their airports, and the delays of each airport kept up to date.
import { Inject } from '@nestjs/common';
import { Consumed, Joined, Materialized, Produced, Serdes } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import { DELAYED_MINUTES } from '../data/flight.ts';
import type { Airport, AirportDelays, DelayTotals, Flight } from '../data/flight.ts';
import { TOPICS } from '../loader/topics.ts';
import { RECORD_SERDES } from '../records/record-serdes.ts';
import type { RecordSerdes } from '../records/record-serdes.ts';

/** A flight with what is published of its airport. */
interface Departure extends Pick<Airport, 'name' | 'city' | 'state'> {
  readonly delay: number;
}

const NO_DEPARTURES: DelayTotals = {
  ...{ name: '', city: '', state: '' },
  ...{ flights: 0, totalDelay: 0, worstDelay: 0, delayed: 0 },
};

@Topology()
export class FlightDelaysTopology implements TopologyClass {
  /** JSON or Avro: the topology is the same. */
  constructor(@Inject(RECORD_SERDES) private readonly records: RecordSerdes) {}

  build(builder: StreamsBuilder): void {
    const code = Serdes.string();
    const { airport, flight, totals, airportDelays } = this.records;
    const airports = builder.table<string, Airport>(
      TOPICS.airports,
      Consumed.with(code, airport),
      Materialized.as('airports'),
    );
    builder
      .stream<string, Flight>(TOPICS.flights, Consumed.with(code, flight))
      .join(airports, atAirport, Joined.as('departures'))
      .groupByKey()
      .aggregate(
        () => NO_DEPARTURES,
        (_code, departure, before) => withDeparture(before, departure),
        Materialized.as('delays', { keySerde: code, valueSerde: totals }),
      )
      .mapValues(toDelays)
      .toStream()
      .to(TOPICS.airportDelays, Produced.with(code, airportDelays));
  }
}

function atAirport({ delay }: Flight, { name, city, state }: Airport): Departure {
  return { name, city, state, delay };
}

function withDeparture(totals: DelayTotals, { name, city, state, delay }: Departure): DelayTotals {
  return {
    name,
    city,
    state,
    flights: totals.flights + 1,
    totalDelay: totals.totalDelay + delay,
    worstDelay: totals.flights === 0 ? delay : Math.max(totals.worstDelay, delay),
    delayed: totals.delayed + (delay > DELAYED_MINUTES ? 1 : 0),
  };
}

function toDelays(totals: DelayTotals, airport: string): AirportDelays {
  return {
    airport,
    ...totals,
    meanDelay: totals.totalDelay / totals.flights,
    shareDelayed: totals.delayed / totals.flights,
  };
}
