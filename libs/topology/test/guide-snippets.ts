// The code shown in docs/guide/topology.md, region by region. guide.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Joined, Materialized, StreamsBuilder } from '#libs/topology';
// #endregion
import type { Topology } from '#libs/topology';

interface Flight {
  readonly origin: string;
  readonly delay: number;
}

interface Airport {
  readonly city: string;
}

export function firstTopology(): Topology {
  // #region first
  const builder = new StreamsBuilder();
  builder
    .stream('flights', Consumed.with(Serdes.string(), Serdes.json<Flight>()))
    .filter((_key, flight) => flight.delay > 15)
    .groupBy((_key, flight) => flight.origin, Grouped.as('by-origin', { keySerde: Serdes.string() }))
    .count(Materialized.as('late-flights'))
    .toStream()
    .to('late-flights-by-airport');
  const topology = builder.build();
  // #endregion
  return topology;
}

export function joinedTopology(): Topology {
  // #region join
  const builder = new StreamsBuilder();
  const airports = builder.table(
    'airports',
    Consumed.with(Serdes.string(), Serdes.json<Airport>()),
    Materialized.as('airports'),
  );
  builder
    .stream('flights', { keySerde: Serdes.string(), valueSerde: Serdes.json<Flight>() })
    .selectKey((_key, flight) => flight.origin)
    .join(airports, (flight, airport) => `${airport.city}: ${flight.delay}`, Joined.as('with-airport'))
    .to('delays', { valueSerde: Serdes.string() });
  // #endregion
  return builder.build();
}

export function averageTopology(): Topology {
  const builder = new StreamsBuilder();
  const flights = builder.stream('flights', Consumed.with(Serdes.string(), Serdes.json<Flight>()));
  // #region aggregate
  interface Delays {
    flights: number;
    total: number;
  }
  const delays = flights.groupByKey().aggregate<Delays>(
    () => ({ flights: 0, total: 0 }),
    (_origin, flight, delays) => {
      delays.flights += 1;
      delays.total += flight.delay;
      return delays;
    },
    Materialized.as('delays', { valueSerde: Serdes.json<Delays>() }),
  );
  delays
    .mapValues(({ flights, total }) => total / flights)
    .toStream()
    .to('mean-delays', { valueSerde: Serdes.float64() });
  // #endregion
  return builder.build();
}

export function splitTopology(): Topology {
  const builder = new StreamsBuilder();
  const flights = builder.stream('flights', Consumed.with(Serdes.string(), Serdes.json<Flight>()));
  // #region split
  const { early, late, rest } = flights
    .split()
    .branch('early', (_key, flight) => flight.delay < 0)
    .branch('late', (_key, flight) => flight.delay > 15)
    .defaultBranch('rest');
  early.merge(rest).to('on-time');
  late.to('late');
  // #endregion
  return builder.build();
}
