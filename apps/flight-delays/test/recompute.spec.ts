import { describe, expect, it } from '@jest/globals';

import { differences, recompute, totalsOf } from '../src/check/recompute.ts';
import { parseCsv } from '../src/data/csv.ts';
import { readDataset } from '../src/data/dataset.ts';
import { flightTime } from '../src/data/flight.ts';
import type { Airport, Flight } from '../src/data/flight.ts';

const airport = (iata: string): Airport => ({
  ...{ iata, name: `${iata} Field`, city: 'Town', state: 'TX', country: 'USA', latitude: 0, longitude: 0 },
});
const flight = (origin: string, delay: number): Flight => ({
  ...{ date: '2001/01/01 00:00', delay, distance: 100, origin, destination: 'AAA' },
});

describe('the recomputation', () => {
  const dataset = {
    airports: [airport('AAA'), airport('BBB'), airport('CCC')],
    flights: [flight('AAA', 16), flight('AAA', 15), flight('AAA', -4), flight('BBB', 60), flight('ZZZ', 500)],
  };

  it('counts a delay from the sixteenth minute, and leaves out airports without departures or without a name', () => {
    const results = recompute(dataset);
    expect([...results.keys()]).toEqual(['AAA', 'BBB']);
    expect(results.get('AAA')).toEqual({
      ...{ airport: 'AAA', name: 'AAA Field', city: 'Town', state: 'TX' },
      ...{ flights: 3, totalDelay: 27, meanDelay: 9, worstDelay: 16, delayed: 1, shareDelayed: 1 / 3 },
    });
    expect(totalsOf(results)).toEqual({
      airports: 2,
      flights: 4,
      totalDelay: 87,
      worstDelay: 60,
      delayed: 2,
    });
  });

  it('names each field that differs, each airport that is missing and each that should not be there', () => {
    const expected = recompute(dataset);
    const actual = new Map(expected);
    expect(differences(expected, actual)).toEqual([]);
    actual.set('AAA', { ...expected.get('AAA')!, flights: 4 });
    actual.delete('BBB');
    actual.set('ZZZ', expected.get('AAA')!);
    expect(differences(expected, actual)).toEqual([
      'AAA.flights: the topic has 4, the file gives 3',
      'BBB: missing from the topic',
      'ZZZ: in the topic, but the file has no such departures',
    ]);
  });
});

describe('the data set', () => {
  it('has 20,000 flights in the order of time, from airports that are all known', async () => {
    const dataset = await readDataset();
    expect(dataset.airports).toHaveLength(3376);
    expect(dataset.flights).toHaveLength(20_000);
    const times = dataset.flights.map(flightTime);
    expect(times.every((time, index) => index === 0 || time >= times[index - 1]!)).toBe(true);
    expect(new Date(times[0]!).toISOString()).toBe('2001-01-01T00:47:00.000Z');
    const results = recompute(dataset);
    expect(totalsOf(results)).toMatchObject({ airports: 220, flights: 20_000, worstDelay: 522 });
  });

  it('reads quoted fields with commas and quotes', () => {
    expect(parseCsv('iata,name\nDBN,"W. H. ""Bud"" Barron"\r\nBTR,"Baton Rouge, Ryan"\nX,')).toEqual([
      { iata: 'DBN', name: 'W. H. "Bud" Barron' },
      { iata: 'BTR', name: 'Baton Rouge, Ryan' },
      { iata: 'X', name: '' },
    ]);
  });

  it('refuses a date of another format', () => {
    expect(() => flightTime({ date: '01/02/2001' })).toThrow(/2001\/01\/31 23:59/);
  });
});
