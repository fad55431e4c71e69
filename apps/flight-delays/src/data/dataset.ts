// Owns reading the data set: 20,000 US flights of early 2001 and 3,376 airports, from the npm package vega-datasets.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { parseCsv } from './csv.ts';
import { flightTime } from './flight.ts';
import type { Airport, Flight } from './flight.ts';

export interface Dataset {
  readonly airports: readonly Airport[];
  /** In the order of their event times. */
  readonly flights: readonly Flight[];
}

/** Reads both files. `flightsFile`: another JSON file of the same shape. */
export async function readDataset(flightsFile = dataFile('flights-20k.json')): Promise<Dataset> {
  const [flights, airports] = await Promise.all([
    readFile(flightsFile, 'utf8'),
    readFile(dataFile('airports.csv'), 'utf8'),
  ]);
  return {
    airports: parseCsv(airports).map(toAirport),
    flights: (JSON.parse(flights) as Flight[]).toSorted((a, b) => flightTime(a) - flightTime(b)),
  };
}

function toAirport(row: Record<string, string>): Airport {
  const text = (name: string): string => row[name] ?? '';
  return {
    iata: text('iata'),
    name: text('name'),
    city: text('city'),
    state: text('state'),
    country: text('country'),
    latitude: Number(text('latitude')),
    longitude: Number(text('longitude')),
  };
}

/** A file of the package's data folder; its exports name only its code, so the way leads from there. */
function dataFile(name: string): string {
  const code = createRequire(import.meta.url).resolve('vega-datasets');
  return join(dirname(code), '../data', name);
}
