// Owns the Avro schemas of the service's records.

const text = (...names: string[]): object[] => names.map((name) => ({ name, type: 'string' }));
const namespace = 'flights';

export const AIRPORT = {
  ...{ type: 'record', name: 'Airport', namespace },
  fields: [
    ...text('iata', 'name', 'city', 'state', 'country'),
    { name: 'latitude', type: 'double' },
    { name: 'longitude', type: 'double' },
  ],
};

/** As flights were first published. */
export const FLIGHT_1 = {
  ...{ type: 'record', name: 'Flight', namespace },
  fields: [...text('date', 'origin', 'destination'), { name: 'delay', type: 'int' }],
};

/** As they are now: with the distance, which a reader takes for unknown in older ones. */
export const FLIGHT_2 = {
  ...FLIGHT_1,
  fields: [...FLIGHT_1.fields, { name: 'distance', type: ['null', 'int'], default: null }],
};

const TOTALS = [
  ...text('name', 'city', 'state'),
  { name: 'flights', type: 'int' },
  { name: 'totalDelay', type: 'long' },
  { name: 'worstDelay', type: 'int' },
  { name: 'delayed', type: 'int' },
];

export const DELAY_TOTALS = { type: 'record', name: 'DelayTotals', namespace, fields: TOTALS };

export const AIRPORT_DELAYS = {
  ...{ type: 'record', name: 'AirportDelays', namespace },
  fields: [
    ...text('airport'),
    ...TOTALS,
    { name: 'meanDelay', type: 'double' },
    { name: 'shareDelayed', type: 'double' },
  ],
};
