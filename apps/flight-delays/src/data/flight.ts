// Owns the shapes of the service's records. All three topics are keyed by an airport's IATA code.

/** A value of topic `flights`, as in the file: one departure. The record's timestamp is `date`. */
export interface Flight {
  /** Scheduled departure, `2001/01/01 00:47`, read as UTC. */
  readonly date: string;
  /** Minutes late at arrival; negative when early. */
  readonly delay: number;
  /** Miles; `null`: written before flights had a distance. */
  readonly distance: number | null;
  /** IATA code; the record's key. */
  readonly origin: string;
  readonly destination: string;
}

/** A value of topic `airports`. */
export interface Airport {
  /** The record's key. */
  readonly iata: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly country: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** A value of topic `airport-delays`: what is known of an airport's departures so far. */
export interface AirportDelays {
  readonly airport: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly flights: number;
  /** Sum of all delays, minutes. */
  readonly totalDelay: number;
  readonly meanDelay: number;
  readonly worstDelay: number;
  /** Departures more than DELAYED_MINUTES late. */
  readonly delayed: number;
  /** `delayed` as a share of `flights`, 0 to 1. */
  readonly shareDelayed: number;
}

/** What is kept of an airport. Sums, not means: they are exact in any order and after any restart. */
export type DelayTotals = Omit<AirportDelays, 'airport' | 'meanDelay' | 'shareDelayed'>;

/** Later than this counts as delayed: the usual line of the US Department of Transportation. */
export const DELAYED_MINUTES = 15;

/** A flight's event time, milliseconds since the Unix epoch. @throws Error for another format. */
export function flightTime(flight: Pick<Flight, 'date'>): number {
  const match = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d)$/.exec(flight.date);
  if (match === null) throw new Error(`'${flight.date}' is not a date like 2001/01/31 23:59`);
  const [year, month, day, hour, minute] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute);
}
